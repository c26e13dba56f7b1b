"""Completion in the shell: the values of options, from the names on this machine. Nothing here loads a model.

Each function gets the beginning of a word, and returns the words that begin with it; the shell's scripts are typer's.
"""

from contextlib import suppress

import typer


def models(incomplete: str) -> list[str]:
    """Names of models."""
    from unbraid.hub.names import entries

    return [entry.name for entry in entries() if entry.name.startswith(incomplete)]


def stems(context: typer.Context, incomplete: str) -> list[str]:
    """Stems of the model that was named, or of the default model, with those before the last comma in front."""
    from unbraid.errors import UnbraidError
    from unbraid.hub.defaults import DEFAULTS
    from unbraid.hub.names import resolve
    from unbraid.hub.spec import read_spec
    from unbraid.tasks.separation.options import Options, all_stems

    before, comma, begun = incomplete.rpartition(",")
    with suppress(UnbraidError):
        spec = read_spec(resolve(context.params.get("model") or DEFAULTS["separation"]))
        names = all_stems(spec, Options(residual=True))
        return [f"{before}{comma}{name}" for name in names if name.startswith(begun) and name not in before.split(",")]
    return []


def stem_formats(incomplete: str) -> list[str]:
    """Formats of audio, and that of stem files."""
    from unbraid.audio.formats import STEM_FILE

    return [*formats(incomplete), *([STEM_FILE] if STEM_FILE.startswith(incomplete) else [])]


def formats(incomplete: str) -> list[str]:
    """Formats of audio."""
    from unbraid.audio.formats import LIMITS

    return [name for name in LIMITS if name.startswith(incomplete)]
