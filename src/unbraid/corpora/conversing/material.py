"""The speakers of a corpus and their utterances: recordings, trimmed to the speech in them.

A recording is one utterance, with its text where the corpus has one. A longer recording than the longest turn is cut
where it is quiet into utterances without a text. Speakers are read when they are first drawn.
"""

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unbraid.corpora import manifest
from unbraid.corpora.conversing.activity import Span, activity_of, pieces
from unbraid.corpora.conversing.plan import Conversing
from unbraid.corpora.layouts import Wanted, find_noises, find_speakers
from unbraid.corpora.mixtures import Clip, opened
from unbraid.corpora.set_aside import SetAside
from unbraid.corpora.transcripts import TEXT
from unbraid.errors import AudioError, UsageError
from unbraid.files.normalization import normalized

LEAST_SPEECH_MS = 300  # of an utterance


@dataclass(frozen=True)
class Utterance:
    """A piece of a recording, from its first speech to its last."""

    path: Path
    recording: str  # the path in the corpus
    start_ms: int  # in the recording
    spans: tuple[Span, ...]  # of speech, from the start of the utterance
    rms: float  # of its speech
    text: str = ""

    @property
    def ms(self) -> int:
        """Its length."""
        return self.spans[-1][1]

    @property
    def speech_ms(self) -> int:
        """How long there is speech in it."""
        return sum(end - start for start, end in self.spans)

    @property
    def clip(self) -> Clip:
        """The audio."""
        return Clip(self.path, self.start_ms / 1000, self.ms / 1000)


@dataclass
class Material:
    """The speakers of a split, and noises."""

    folder: Path
    split: str
    clips: Mapping[str, Sequence[Clip]]  # of each speaker
    texts: Mapping[str, str]  # by the path in the corpus
    noises: tuple[Clip, ...] = ()
    noise_name: str | None = None  # their folder and split
    longest_turn_ms: int = 10_000
    _known: dict[str, list[Utterance]] = field(default_factory=dict)

    def utterances(self, speaker: str) -> list[Utterance]:
        """The utterances of a speaker; recordings without speech, and unreadable ones, are set aside."""
        if speaker not in self._known:
            self._known[speaker] = [found for clip in self.clips[speaker] for found in self._of(clip)]
        return self._known[speaker]

    def name_of(self, clip: Clip) -> str:
        """The path of a recording in the corpus."""
        path = os.path.relpath(clip.path, self.folder)
        return Path(path).as_posix()

    def _of(self, clip: Clip) -> list[Utterance]:
        name = self.name_of(clip)
        try:
            with opened(clip) as reader:
                activity = activity_of(reader.blocks(reader.info.sample_rate), reader.info.sample_rate)
        except AudioError as error:
            warnings.warn(SetAside(f"{error} It is set aside, and is in no conversation."), stacklevel=2)
            return []
        groups = pieces(activity, self.longest_turn_ms)
        text = self.texts.get(name, "") if len(groups) == 1 else ""
        found = []
        for spans in groups:
            start = spans[0][0]
            own = tuple((first - start, last - start) for first, last in spans)
            found.append(Utterance(clip.path, name, start, own, activity.rms(spans), text))
        return [utterance for utterance in found if utterance.speech_ms >= LEAST_SPEECH_MS]


def find_material(
    folder: Path, split: str, how: Conversing, noise: Path | None = None, noise_split: str | None = None
) -> Material:
    """The speakers of a folder in any layout of speech, and the noises of another folder.

    Raises:
        UsageError: a folder does not hold them, or has too few speakers.
    """
    most = how.people[1]
    wanted = Wanted(sources=most, sample_rate=how.sample_rate)
    found = find_speakers(folder, split, wanted)
    if len(found) < most:
        raise UsageError(
            f"{folder} has {len(found)} speakers in its split {split}; a conversation of {most} people needs as many."
        )
    noises, told = (), None
    if noise:
        noises = tuple(find_noises(noise, noise_split or split, wanted))
        told = f"{noise.resolve().name}, split {noise_split or split}"
    return Material(folder, split, found, _texts(folder), noises, told, round(1000 * how.longest_turn))


def _texts(folder: Path) -> dict[str, str]:
    """The texts of a corpus by path; empty where it has none."""
    path = folder / manifest.NAME
    rows = manifest.read_rows(path, ("path",)) if path.is_file() else []
    return {row["path"]: " ".join(normalized(row[TEXT]).split()) for row in rows if row.get(TEXT)}
