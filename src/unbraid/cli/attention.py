"""`unbraid attention`: the attention weights of a model on one input, as a page."""

from pathlib import Path
from typing import Annotated

import typer

from unbraid.cli import options as opt
from unbraid.cli.console import guarded, notice, say, warn
from unbraid.errors import UsageError
from unbraid.files.printable import printable_page

_Input = Annotated[
    str, typer.Argument(metavar="INPUT", help="A text for models that read text, else an audio file of at most 30 s.")
]
_Output = Annotated[Path, typer.Option(*opt.OUT, metavar="FILE", help="The page to write.")]
_Target = Annotated[
    str | None, typer.Option(metavar="TEXT", help="The text to decode. (default: the text that the model writes)")
]
_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a page that exists.")]


def attention(
    model: opt.ModelArgument,
    source: _Input,
    output: _Output = Path("attention.html"),
    target: _Target = None,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    track: opt.AudioTrack = "0",
    input_format: opt.InputFormat = None,
    strict: opt.Strict = False,
    skip_damage: opt.SkipDamage = False,
    yes: opt.Yes = False,
    device: opt.Device = "auto",
    overwrite: _Overwrite = False,
) -> None:
    """Show the attention of an audio Transformer: a page with each layer and head, which works offline."""
    with guarded():
        if output.is_dir():
            raise UsageError(f"{output} is a folder; name a file with -o.")
        from unbraid.cli.run import refuse_existing, written

        refuse_existing(output, overwrite=overwrite)
        from unbraid.cli.request import excerpt_of
        from unbraid.tasks.attention import MOST_SECONDS, attention_maps
        from unbraid.tasks.pages.attention_page import attention_page

        excerpt = excerpt_of((start, duration), track, input_format, strict=strict, skip_damage=skip_damage)
        seen = attention_maps(model, source, target=target, excerpt=excerpt, device=device)
        is_sound = not seen.maps[0].columns.labels
        page = attention_page(seen, Path(source).name if is_sound else source)
        with written(output, replace=overwrite) as hidden:
            hidden.write_text(printable_page(page), encoding="utf-8")
        warn(source, seen.notices)
        if seen.is_cut:
            notice(f"only {MOST_SECONDS:g} s are shown; choose which with --start and --duration.")
        say(f"page: {output}")
