"""Files that a resumed run keeps, since it would make them otherwise: which they are, and how they were made.

A file is only ever replaced by an equal one: of the same provenance, and unchanged since it was written.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from unbraid.errors import UsageError
from unbraid.files.record import Provenance, StemRecord, claims, hash_if_there, name_in, read_receipt

_FLAGS = {"wiener": "wiener-iterations", "report": "stems"}  # options by other names
_MOST_NAMED = 3  # differences
_ABSENT: tuple[Any, ...] = (None, False, 0, "", [], {})
_HINT = "Give --overwrite to replace {them}, or another -o."


def conflict(receipt: Path, files: Iterable[tuple[Path, Provenance]], name: str) -> str | None:
    """A sentence about the files of an input called `name` that stand in the way; None where there are none.

    Files that no record lists are not looked at.
    """
    recorded = read_receipt(receipt).files
    there = [(path, made, making) for path, making in files if (made := recorded.get(name_in(receipt, path)))]
    other = [(path, made, making) for path, made, making in there if made.making != making and os.path.lexists(path)]
    if other:
        path, made, making = other[0]
        what, them = (str(path), "it") if len(other) == 1 else (f"{path} and {len(other) - 1} more", "them")
        were = "was" if len(other) == 1 else "were"
        how = differences(made, making, name)
        return f"{what} {were} made {how}; --resume keeps {them}. {_HINT.format(them=them)}"
    for path, made, _ in there:
        if hash_if_there(path) not in (None, made.sha256) or os.path.islink(path):
            return f"{path} was changed after it was made; --resume keeps it. {_HINT.format(them='it')}"
    return None


def refuse_existing(outputs: Sequence[Path], receipt: Path, *, overwrite: bool, resume: bool) -> None:
    """Refuse outputs that exist, before any work; a resumed run leaves those of its record for later.

    Raises:
        UsageError: one exists.
    """
    there = [path for path in outputs if os.path.lexists(path) and not overwrite]
    if resume:
        ours = claims(receipt)
        if others := [path for path in there if Path(os.path.abspath(path)) not in ours]:
            raise UsageError(
                f"{others[0]} exists, and no record says that unbraid made it; use --overwrite to replace it."
            )
    elif there:
        raise UsageError(
            f"{there[0]} exists already; use --overwrite to replace it, or --resume to go on where a run stopped."
        )


def differences(made: StemRecord, making: Provenance, name: str) -> str:
    """How a file was made, as far as another one, of an input called `name`, would be made otherwise."""
    old = made.making
    found = [*_of_input(made, making, name), *_of_model(old, making)]
    options = [key for key in {**old.options, **making.options} if old.options.get(key) != making.options.get(key)]
    found += [_option(key, old.options.get(key), making.options.get(key)) for key in options]
    if len(found) > _MOST_NAMED:
        found[_MOST_NAMED:] = [f"{len(found) - _MOST_NAMED} more differences"]
    return " and ".join(filter(None, (", ".join(found[:-1]), found[-1]))) if found else "by other options"


def _of_input(made: StemRecord, making: Provenance, name: str) -> list[str]:
    old = made.making
    if made.input != name and made.input:
        return [f"from {made.input}"]
    if old.input_bytes != making.input_bytes:
        return [f"from another {name}, of {old.input_bytes} bytes instead of {making.input_bytes}"]
    return [] if old.input_mtime_ns == making.input_mtime_ns else [f"from another {name}, of another date"]


def _of_model(old: Provenance, new: Provenance) -> list[str]:
    if old.model != new.model:
        return [f"with --model {old.model}"]
    return [] if old.model_files == new.model_files else [f"with other files of the model {old.model}"]


def _option(key: str, old: Any, new: Any) -> str:
    """An option as it was."""
    flag = "--" + _FLAGS.get(key, key).replace("_", "-")
    if old in _ABSENT:
        return f"without {flag}"
    if old is True:
        return f"with {flag}"
    if isinstance(old, dict):  # --enrol: names and hashes of recordings
        same = isinstance(new, dict) and list(old) == list(new)
        return f"with other recordings of {', '.join(old)}" if same else f"with {flag} {', '.join(old)}"
    if isinstance(old, float):
        return f"with {flag} {old:g}"
    between = "-" if key == "speakers" else ","
    return f"with {flag} {between.join(map(str, old)) if isinstance(old, list) else old}"
