"""Published models that a command names and that are not on this machine: it offers to download them.

Nothing is downloaded unasked: on a terminal that can answer, one question names all of them with sizes and licences;
`--yes` answers it beforehand, for scripts. In a pipe, with --json or --quiet, or offline, the command goes on without
them, and says what to pull.
"""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from typer.core import TyperCommand

from unbraid.cli.console import guarded, notice
from unbraid.files.printable import printable

NAMES = (
    "model",
    "separator",
    "vocoder",
    "embedder",
    "long_model",
    "recogniser",
    "lyrics_model",
)  # parameters that may name a model
_SIGNS = ("://", "*", "?", "[")  # of addresses and globs


class ModelCommand(TyperCommand):
    """A command with a model, which may have to be downloaded first; its option --yes is read here."""

    def invoke(self, ctx: Any) -> Any:
        """Offer the models that the words name, then run the command."""
        as_json, quiet = (bool(ctx.params.get(name)) for name in ("as_json", "quiet"))
        with guarded(as_json=as_json):
            yes, names = bool(ctx.params.get("yes")), needed(self.name or "", ctx.params)
            _check_inputs(ctx.params, names)
            offer(names, yes=yes, silent=as_json or quiet)
        return super().invoke(ctx)


def needed(command: str, params: Mapping[str, Any]) -> list[str]:
    """The names of models that a command with these parameters uses, as far as they are named or follow from them."""
    found = [value for name in NAMES if isinstance(value := params.get(name), str)]
    if command in ("synthesize", "convert") and (voice := params.get("voice")) is not None:
        from unbraid.tasks.synthesis.speaker_vector import EMBEDDER, SUFFIXES
        from unbraid.tasks.synthesis.speecht5 import VOCODER

        found += [VOCODER] * (params.get("vocoder") is None)
        found += [EMBEDDER] * (Path(voice).suffix.lower() not in SUFFIXES)
    return found


def _check_inputs(params: Mapping[str, Any], names: Iterable[str]) -> None:
    """Refuse inputs of which none is there, or a voice that is not, where a model would have to be downloaded for them.

    Raises:
        AudioError: there is none.
        UsageError: the recording of the voice is not there.
    """
    inputs, voice = params.get("inputs"), params.get("voice")
    none_there = isinstance(inputs, list | tuple) and bool(inputs) and not any(map(_may_be_there, inputs))
    if not (none_there or voice) or not absent(names):
        return
    from unbraid.errors import AudioError
    from unbraid.tasks.synthesis.speaker_vector import SUFFIXES, check_recording

    if none_there:
        raise AudioError(f"{params['inputs'][0]} does not exist. Name an audio file that does.")
    if voice and Path(voice).suffix.lower() not in SUFFIXES:
        check_recording(Path(voice))


def _may_be_there(name: object) -> bool:
    """Whether an input is there, or cannot be told here: standard input, an address, a glob, an empty name."""
    return not isinstance(name, str) or name in ("", "-") or any(s in name for s in _SIGNS) or os.path.lexists(name)


def offer(names: Iterable[str], *, yes: bool, silent: bool, why: str = "") -> bool:
    """Download those of the names that are published and not here, if `yes`, or if somebody at the terminal says so.

    `silent`: nothing is asked and no progress is shown. `why` goes in front of the question. Returns whether all of
    them are here now.

    Raises:
        ModelError: a download failed.
    """
    from unbraid.hub.names import is_offline

    missing = absent(names)
    if not missing or is_offline() or not (yes or (not silent and can_answer())):
        return not missing
    listed = ", ".join(f"{entry.name} ({entry.bytes / 1e6:.0f} MB, {entry.licence})" for entry in missing)
    if not yes:
        which = "is" if len(missing) == 1 else "are"
        if not _agrees(f"{why}{listed} {which} published, but not on this machine. Download now?"):
            return False
    elif not silent:
        notice(f"downloading {listed}")
    _pull([entry.name for entry in missing], silent=silent)
    return True


def absent(names: Iterable[str]) -> "list[Any]":
    """The published models of these names that are not on this machine, as the catalogue has them."""
    from unbraid.errors import ModelNotFound
    from unbraid.hub.catalogue import catalogue
    from unbraid.hub.names import resolve

    found = []
    for name in dict.fromkeys(names):
        if (entry := catalogue().published.get(name)) is not None:
            try:
                resolve(name)
            except ModelNotFound:
                found.append(entry)
    return found


def can_answer() -> bool:
    """Whether somebody can be asked: all three streams are a terminal."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return all(stream is not None and stream.isatty() for stream in streams) and os.environ.get("TERM") != "dumb"


def _agrees(question: str) -> bool:
    """Ask on standard error; anything but yes is no."""
    print(printable(f"{question} [y/N] "), end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _pull(names: Iterable[str], *, silent: bool) -> None:
    from unbraid.cli.progress import Meter
    from unbraid.hub.names import pull

    for name in names:
        with Meter(name, "bytes", quiet=silent) as meter:
            pull(name, progress=meter)
