"""Random plans of conversations: who speaks, what and when, from an explicit random generator.

One turn follows the other, after a pause or before the last one has ended. Which of the two is decided by the share of
overlap so far, so that it ends up at the share asked for. Two people talk at once, at times three. Every topic has its
own distribution of who talks how much; somebody may be silent for minutes. An utterance comes again only when its
speaker has none left that was used less often.
"""

import re
import zlib

import numpy as np

from unbraid.corpora.conversing.activity import Span
from unbraid.corpora.conversing.material import Material
from unbraid.corpora.conversing.plan import ConversationPlan, Conversing, Person, Turn, Utterance
from unbraid.dsp.stretches import joined
from unbraid.errors import UsageError

_CANDIDATES = 4  # speakers from which each person is drawn; the more material, the likelier
_TOPIC_MS = (60_000, 240_000)
_SAME = 0.15  # the chance that a person goes on, relative to the others
_PAUSE_MS, _LEAST_PAUSE_MS = 500, 100  # mean and least pause between turns
_LONG_PAUSE, _LONG_PAUSE_MS = 0.04, (2_000, 10_000)  # its chance, and its length
_BREATH_MS = 200  # between two utterances of a person
_THREE = 0.1  # the chance that a third person may join in
_TURN_DB = 1.0  # the levels of a person's utterances lie within ± this


def draw_plan(material: Material, how: Conversing, number: int) -> ConversationPlan:
    """The plan of conversation `number`. The number of people goes round: 1, 2, 3, 1, 2, … of 1 to 3.

    Raises:
        UsageError: the speakers have too little speech.
    """
    random = np.random.default_rng((how.seed, number, zlib.crc32(material.split.encode())))
    least, most = how.people
    count = least + number % (most - least + 1)
    ms = round(60_000 * random.uniform(*how.minutes))
    speakers = draw_speakers(material, count, ms, random)
    turns = draw_turns([material.utterances(speaker) for speaker in speakers], ms, how.overlap, random)
    if not turns:
        raise UsageError(
            f"No utterance is as short as a conversation of {ms / 60_000:g} minutes; ask for more minutes, or for "
            "shorter turns."
        )
    order = list(dict.fromkeys(turn.person for turn in turns))
    levels = np.round(random.uniform(-how.spread_db, how.spread_db, len(order)), 2)
    names = _ids([speakers[person] for person in order])
    people = [Person(speakers[p], name, float(levels[i])) for i, (p, name) in enumerate(zip(order, names, strict=True))]
    placed = [
        Turn(new := order.index(turn.person), turn.utterance, turn.start_ms, round(people[new].level_db + vary, 2))
        for turn, vary in zip(turns, random.uniform(-_TURN_DB, _TURN_DB, len(turns)).tolist(), strict=True)
    ]
    name = f"conversation-{how.seed}-{number:04d}"
    return ConversationPlan(name, number, material.split, ms, tuple(people), tuple(placed), material.noise_name)


def draw_speakers(material: Material, count: int, ms: int, random: np.random.Generator) -> list[str]:
    """Different speakers; one with enough speech for their part of the conversation is likelier than one with little.

    Raises:
        UsageError: too few have any speech.
    """
    everyone = sorted(material.clips)
    found: dict[str, int] = {}
    for i in random.permutation(len(everyone)):
        speech = sum(utterance.speech_ms for utterance in material.utterances(everyone[i]))
        if speech:
            found[everyone[i]] = min(speech, ms // count)
        if len(found) == _CANDIDATES * count:
            break
    if len(found) < count:
        raise UsageError(
            f"{len(found)} speakers of {material.folder}, split {material.split}, have speech; a conversation of "
            f"{count} people needs as many."
        )
    weights = np.array(list(found.values()), float)
    drawn = random.choice(len(found), count, replace=False, p=weights / weights.sum())
    return [list(found)[i] for i in drawn]


def draw_turns(utterances: list[list[Utterance]], ms: int, overlap: float, random: np.random.Generator) -> list[Turn]:
    """The turns of people who have these utterances, in order of their starts; all are within `ms`."""
    stocks = [_Stock(own, random) for own in utterances]
    timeline, turns = _Timeline(len(stocks)), list[Turn]()
    greeting = [int(person) for person in random.permutation(len(stocks))]  # everybody says something first
    talkative, topic_ends = np.ones(len(stocks)), 0
    while True:
        if timeline.end >= topic_ends:
            talkative = random.uniform(0.1, 1.0, len(stocks)) ** 2
            topic_ends = timeline.end + int(random.integers(*_TOPIC_MS))
        person = greeting.pop() if greeting else _next(talkative, turns[-1].person, random)
        pause = _pause(random)
        utterance = stocks[person].take(ms - timeline.end - max(pause, _BREATH_MS))
        if utterance is None:
            return turns
        earliest = timeline.earliest(person, 3 if len(stocks) > 2 and random.random() < _THREE else 2)
        wanted = timeline.missing(overlap, utterance.speech_ms) * random.uniform(0.5, 1.5)
        start = timeline.end + pause
        if len(stocks) > 1 and wanted > 0 and random.random() < min(1.0, 4 * overlap):
            start = max(earliest, timeline.end - _whole(wanted))
        start = start if turns else pause
        turns.append(Turn(person, utterance, start, 0.0))
        timeline.add(turns[-1])


class _Stock:
    """The utterances of a person; the least used ones are taken first."""

    def __init__(self, utterances: list[Utterance], random: np.random.Generator) -> None:
        self._utterances, self._random = utterances, random
        self._used = [0] * len(utterances)

    def take(self, most_ms: int) -> Utterance | None:
        """An utterance that is not longer; None if there is none."""
        fitting = [i for i, utterance in enumerate(self._utterances) if utterance.ms <= most_ms]
        if not fitting:
            return None
        least = min(self._used[i] for i in fitting)
        chosen = int(self._random.choice([i for i in fitting if self._used[i] == least]))
        self._used[chosen] += 1
        return self._utterances[chosen]


class _Timeline:
    """The turns so far, as far as they matter for the next one, and the share of overlap."""

    def __init__(self, people: int) -> None:
        self._ends = [-_BREATH_MS] * people  # of each person's last turn
        self._last_start = 0
        self._recent: list[Span] = []  # stretches of speech, which later turns may overlap
        self._speech = self._overlapped = 0

    @property
    def end(self) -> int:
        """When the last turn ends."""
        return max(0, *self._ends)

    def earliest(self, person: int, at_once: int) -> int:
        """The first time at which a person can begin, if at most so many speak at once."""
        ends = sorted(self._ends, reverse=True)
        others = ends[at_once - 1] if len(ends) >= at_once else 0
        return max(self._last_start, self._ends[person] + _BREATH_MS, others)

    def missing(self, share: float, speech_ms: int) -> float:
        """The overlap that so much more speech needs, so that the share is reached: (o + x) / (s + n - x) = share."""
        return (share * (self._speech + speech_ms) - self._overlapped) / (1 + share)

    def add(self, turn: Turn) -> None:
        """Add a turn that does not begin before the last one."""
        self._ends[turn.person] = turn.end_ms
        self._last_start = turn.start_ms
        self._recent = [span for span in self._recent if span[1] > turn.start_ms]
        known = joined(self._recent)
        both = sum(max(0, min(e, b) - max(s, a)) for s, e in known for a, b in turn.spans)
        self._overlapped += both
        self._speech += turn.utterance.speech_ms - both
        self._recent += turn.spans


def _next(talkative: np.ndarray, last: int, random: np.random.Generator) -> int:
    weights = talkative.copy()
    weights[last] *= _SAME
    return int(random.choice(len(weights), p=weights / weights.sum()))


def _pause(random: np.random.Generator) -> int:
    if random.random() < _LONG_PAUSE:
        return int(random.integers(*_LONG_PAUSE_MS))
    return _LEAST_PAUSE_MS + _whole(random.exponential(_PAUSE_MS - _LEAST_PAUSE_MS))


def _whole(ms: float) -> int:
    return int(ms) // 10 * 10


def _ids(speakers: list[str]) -> list[str]:
    """Names of speakers as names of files and single fields of RTTM, all different."""
    found: list[str] = []
    for speaker in speakers:
        name = re.sub(r"[^\w.-]+", "-", speaker).strip("-.") or "speaker"
        same = sum(other == name or other.startswith(f"{name}~") for other in found)
        found.append(f"{name}~{same + 1}" if same else name)
    return found
