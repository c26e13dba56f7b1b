"""The speakers of a corpus and their utterances: recordings, trimmed to the speech in them.

A recording is one utterance, with its text where the corpus has one. A longer recording than the longest turn is cut
where it is quiet into utterances without a text. Speakers are read when they are first drawn.
"""

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from unbraid.corpora import manifest
from unbraid.corpora.conversing.activity import activity_of, pieces
from unbraid.corpora.conversing.plan import Conversing, Utterance
from unbraid.corpora.layouts import Wanted, find_noises, find_speakers
from unbraid.corpora.mixtures import Clip, opened
from unbraid.corpora.set_aside import SetAside
from unbraid.corpora.transcripts import TEXT
from unbraid.errors import AudioError, UsageError
from unbraid.files.normalization import normalized

LEAST_SPEECH_MS = 300  # of an utterance


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
    material = Material(folder, split, found, _texts(folder), longest_turn_ms=round(1000 * how.longest_turn))
    if noise is None:
        return material
    noises = tuple(find_noises(noise, noise_split or split, wanted))
    if not noises:
        raise UsageError(f"{noise} has no noises in its split {noise_split or split}; choose another by --noise-split.")
    return replace(material, noises=noises, noise_name=f"{noise.resolve().name}, split {noise_split or split}")


def _texts(folder: Path) -> dict[str, str]:
    """The texts of a corpus by path; empty where it has none."""
    path = folder / manifest.NAME
    rows = manifest.read_rows(path, ("path",)) if path.is_file() else []
    return {row["path"]: " ".join(normalized(row[TEXT]).split()) for row in rows if row.get(TEXT)}
