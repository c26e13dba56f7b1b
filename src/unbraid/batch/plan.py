"""The plan of a run: which files are left to do, by the journal of the runs before it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from unbraid.batch.items import Found, Item, longest_first, named
from unbraid.batch.journal import Entry, Journal
from unbraid.batch.places import Place
from unbraid.batch.settings import Settings
from unbraid.errors import UsageError, quoted

Retry = Literal["failed"]


@dataclass(frozen=True)
class Plan:
    """What is to be done, and what is not."""

    left: list[Item]  # in the order of work
    attempts: dict[str, int]  # address: those of earlier runs that count
    done: int  # files that are done already
    set_aside: int  # that have failed, and are not tried again
    total_seconds: float  # of audio that is left, guessed from sizes


def check_same_run(journal: Journal, settings: Settings, *, resume: bool) -> None:
    """Refuse the journal of another run, and one that is not to go on.

    Raises:
        UsageError: saying which setting differs.
    """
    if journal.settings is None:
        return
    now: dict[str, Any] = settings.identity
    for name in now.keys() | journal.settings.keys():
        before, wanted = journal.settings.get(name), now.get(name)
        if before != wanted:
            raise UsageError(
                f"{journal.path} is the manifest of another run: its {name} is {_told(before)}, not {_told(wanted)}. "
                "Give the options of that run, or choose another --manifest."
            )
    if not resume:
        raise UsageError(
            f"{journal.path} exists already; go on with --resume, or choose another --manifest for a new run."
        )


def _told(value: Any) -> str:
    return "left to the default" if value is None else quoted(value)


def planned(found: Iterable[Found], journal: Journal, place: Place, retry: Retry | None = None) -> Plan:
    """The plan for the files that were found.

    A file is done where the journal says so, its outputs are there, and it has not changed since.

    Raises:
        UsageError: a file has no possible name.
    """
    known = {address: entry.name for address, entry in journal.entries.items()}
    left, attempts, done, set_aside = list[Item](), dict[str, int](), 0, 0
    for item in named(found, known):
        entry = journal.entries.get(item.address)
        if entry is None or _has_changed(item, entry):
            left.append(item)
        elif entry.status == "done" and place.has(item.name):
            done += 1
        elif entry.status == "failed" and retry is None:
            set_aside += 1
        else:
            left.append(item)
            if entry.status == "again":
                attempts[item.address] = entry.attempts
    seconds = sum(item.rough_seconds or 0.0 for item in left)
    return Plan(longest_first(left), attempts, done, set_aside, seconds)


def _has_changed(item: Item, entry: Entry) -> bool:
    return bool(item.version and entry.version and item.version != entry.version)
