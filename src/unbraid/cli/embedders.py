"""What is said about the model of speaker embeddings that people are followed by."""

from unbraid.cli.console import notice
from unbraid.tasks.separation.separator import Separator


def tell_embedder(separator: Separator, named: str | None, *, quiet: bool) -> None:
    """Say which model was chosen, where none was named and it is not the one in the package."""
    if named is None and separator.options.embedder is not None and not quiet:
        notice(f"people are told apart by {separator.options.embedder}, the best model here; --embedder names another.")
