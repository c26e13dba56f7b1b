"""Drawing of many conversations; one that fails does not stop the others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from unbraid.corpora.conversing.draw import draw_plan
from unbraid.corpora.conversing.material import Material
from unbraid.corpora.conversing.plan import ConversationPlan, Conversing
from unbraid.corpora.conversing.write import RECORD, write_conversation
from unbraid.errors import RuntimeUnavailable, UnbraidError, UsageError
from unbraid.files.workdir import disk_errors, swept


@dataclass(frozen=True)
class Outcome:
    """The outcome of drawing a conversation."""

    number: int
    people: int = 0
    seconds: float = 0.0
    overlap: float = 0.0  # the share that was reached
    skipped: bool = False  # it was there
    error: str | None = None


def draw_conversations(material: Material, how: Conversing, place: Path, numbers: Sequence[int]) -> Iterator[Outcome]:
    """Draw these conversations into folders of `place`, one after the other; those that are there stay.

    Raises:
        RuntimeUnavailable: rooms are wanted, and pyroomacoustics is not installed.
        AudioError: the folder cannot be made.
    """
    with disk_errors(place, " with --out"):
        place.mkdir(parents=True, exist_ok=True)
    with swept(place):
        yield from (_draw_one(material, how, place, number) for number in numbers)


def _draw_one(material: Material, how: Conversing, place: Path, number: int) -> Outcome:
    try:
        plan = draw_plan(material, how, number)
        is_there = _is_there(plan, how, place)
        if not is_there:
            write_conversation(plan, how, material.noises, place)
    except RuntimeUnavailable:
        raise
    except UnbraidError as error:
        return Outcome(number, error=str(error))
    return Outcome(number, len(plan.people), plan.ms / 1000, plan.overlap, is_there)


def _is_there(plan: ConversationPlan, how: Conversing, place: Path) -> bool:
    """Whether the conversation was written before.

    Raises:
        UsageError: another one, of other settings or recordings, has its name.
    """
    folder = place / plan.name
    if not folder.exists():
        return False
    record = folder / RECORD
    if record.is_file() and record.read_text(encoding="utf-8", errors="replace") == plan.as_json(how):
        return True
    raise UsageError(
        f"{folder} is there already, and was drawn with other settings or recordings; choose another --out or --seed."
    )
