"""`unbraid export`: a training checkpoint to a model folder, with a sentence where torch is missing."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from unbraid.cli.console import guarded, say, train_extra
from unbraid.cli.options import OUT


def export(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="A .pt file that training wrote.")],
    output: Annotated[Path, typer.Option(*OUT, metavar="FOLDER", help="The model folder to write.")],
    name: Annotated[str, typer.Option("--name", help="The name of the model.")],
    dtype: Annotated[
        Literal["float32", "float16"], typer.Option(help="How weights are stored; float16 halves the size.")
    ] = "float32",
    stems: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these networks of a music checkpoint. (default: all)")
    ] = None,
    licence: Annotated[str, typer.Option(help="Licence of the weights.")] = "as stated by whoever trained it",
    provenance: Annotated[str, typer.Option(help="Where the weights come from, in one sentence.")] = "",
) -> None:
    """Export a training checkpoint to a model folder; needs the train extra, which brings PyTorch."""
    with guarded():
        with train_extra("Exporting"):
            from unbraid.training.export import export_checkpoint
        from unbraid.cli.request import split_stems

        spec = export_checkpoint(
            checkpoint,
            output,
            name=name,
            dtype=dtype,
            stems=split_stems(stems),
            licence=licence,
            provenance=provenance,
        )
        say(f"{spec.name} is at {output}")
