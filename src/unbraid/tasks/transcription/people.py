"""Transcribes a conversation person by person: a recogniser hears each track only where that person speaks.

    recording -> downmix -> separation -> tracks on disk -> stretches of speech -> recogniser -> words

A recogniser hears a person's stretches one after the other, with a short silence between them. So it reads no more
audio than there is speech, in windows that are full, and has nothing to hear words in where the person is silent. The
words then return to their times in the recording.
"""

import bisect
import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from unbraid.corpora.rttm import Segment
from unbraid.dsp.arrays import Blocks, FloatArray
from unbraid.dsp.downmix import Downmix
from unbraid.dsp.rumble import without_rumble
from unbraid.errors import AudioError, UsageError
from unbraid.tasks.results import Diagnostics
from unbraid.tasks.separation.options import check_follows_people
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.separation.spool import Spool, spooled_stems
from unbraid.tasks.separation.stream import BLOCK_SECONDS, Progress, Track, resampled
from unbraid.tasks.transcription.subtitles import SENTENCES, merged
from unbraid.tasks.transcription.transcript import Word

MARGIN_SECONDS = 0.3  # before and after a segment, of soft speech; tracks last as long around a piece
JOINED_SECONDS = 0.5  # a shorter pause between two segments with their margins is heard as it is
SILENCE_SECONDS = 1.0  # between two stretches, or as long as the pause: enough to end a sentence

Note = Callable[[str], None]
Hear = Callable[[Blocks, Note], Iterator[Word]]  # the words of blocks (1, n) at a recogniser's rate


@dataclass(frozen=True)
class Stretch:
    """A stretch of a recording that a recogniser hears, in samples."""

    start: int  # in the recording
    end: int
    heard: int  # its start in all that is heard of the person

    @property
    def heard_end(self) -> int:
        """Its end in all that is heard of the person."""
        return self.heard + self.end - self.start


def words_of_people(
    track: Track,
    separator: Separator,
    only: str | None,
    recognizer: tuple[int, Hear],
    progress: Progress | None,
    diagnostics: Diagnostics,
) -> Iterator[Word]:
    """The words of all people of a recording, or `only` of one, sentence by sentence; their `voice` is the person.

    `recognizer` is its sample rate and how it hears. Channels are mixed before people are separated, whose tracks wait
    in a temporary file: 64 kB for a second of each at 16 kHz.

    Raises:
        AudioError: the disk for temporary files is full, or the person is not found.
        UsageError: the separator does not follow people, or gives no track for each.
    """
    check_follows_people(separator.spec, separator.options)
    if separator.options.remove or not separator.options.tracks:
        raise UsageError("People are transcribed from a track of each one; leave the options remove and tracks out.")
    rate, hear = recognizer
    mixed = dataclasses.replace(track, channels=1, blocks=lambda: _clean(track))
    half = None if progress is None else lambda done, total: progress(done / 2, total)
    with spooled_stems() as spool:
        samples = _store(separator.separated(mixed, half, diagnostics), (track.sample_rate, rate), spool)
        assert diagnostics.conversation is not None
        plans = {
            name: stretches_of([s for s in diagnostics.conversation.segments if s.speaker == name], rate, samples)
            for name in diagnostics.conversation.speakers
        }
        if only not in (None, *plans):
            there = ", ".join(plans)
            raise AudioError(f"{only} was not found, only {there}; leave that choice out for all people.")
        spoken = {name: plan for name, plan in plans.items() if plan and only in (None, name)}
        meter = _Meter(progress, samples / rate, sum(plan[-1].heard_end for plan in spoken.values()) / rate)

        def heard(name: str, plan: Sequence[Stretch]) -> Iterator[Word]:
            audio = meter.over(_audio(spool, list(plans).index(name), plan, rate), rate)
            return returned(hear(audio, lambda text: diagnostics.note(f"{name}: {text}")), plan, rate)

        yield from merged({name: heard(name, plan) for name, plan in spoken.items()}, SENTENCES)
        meter.finish()


def stretches_of(segments: Sequence[Segment], rate: int, samples: int) -> list[Stretch]:
    """The stretches that are heard of a person, of all segments of that person, in order of time.

    They are those segments with margins; where a short pause lies between two, they are one.
    """
    margin, joined, silence = (round(seconds * rate) for seconds in (MARGIN_SECONDS, JOINED_SECONDS, SILENCE_SECONDS))
    found: list[Stretch] = []
    for segment in sorted(segments):
        start = max(0, round(segment.start * rate) - margin)
        end = min(samples, round(segment.end * rate) + margin)
        if found and start - found[-1].end < joined:
            found[-1] = dataclasses.replace(found[-1], end=max(end, found[-1].end))
        elif start < end:
            heard = found[-1].heard_end + min(silence, start - found[-1].end) if found else 0
            found.append(Stretch(start, end, heard))
    return found


def returned(words: Iterator[Word], stretches: Sequence[Stretch], rate: int) -> Iterator[Word]:
    """Words with their times in the recording, of times in what was heard.

    Each is in the stretch that is nearest to its middle, and no longer than that.
    """
    turns = [(one.heard_end + two.heard) / 2 / rate for one, two in itertools.pairwise(stretches)]
    for word in words:
        stretch = stretches[bisect.bisect(turns, (word.start + word.end) / 2)]
        low, high, later = stretch.heard / rate, stretch.heard_end / rate, (stretch.start - stretch.heard) / rate
        start, end = (min(max(time, low), high) + later for time in (word.start, word.end))
        yield dataclasses.replace(word, start=start, end=end)


def _clean(track: Track) -> Blocks:
    """The blocks of a track, its channels mixed, without DC offset and rumble."""
    return without_rumble(Downmix(track.sample_rate).blocks(track.blocks()), track.sample_rate)


def _store(tracks: Iterator[dict[str, FloatArray]], rates: tuple[int, int], spool: Spool) -> int:
    """Write the tracks {name: (1, n)} of people as (K, 1, n), from one rate at another; the number of samples."""
    samples, people = 0, (_people(stems) for stems in tracks)
    for block in resampled(people, *rates):
        spool.write(block)
        samples += block.shape[-1]
    return samples


def _people(stems: dict[str, FloatArray]) -> FloatArray:
    """The tracks (K, 1, n) of people, without the residual."""
    return np.stack([stem for name, stem in stems.items() if name != "residual"])


def _audio(spool: Spool, person: int, stretches: Sequence[Stretch], rate: int) -> Blocks:
    """All that is heard of a person, in blocks (1, n)."""
    most, reached = round(BLOCK_SECONDS * rate), 0
    for stretch in stretches:
        yield np.zeros((1, stretch.heard - reached), np.float32)
        for first in range(stretch.start, stretch.end, most):
            yield spool.part(first, min(most, stretch.end - first))[person]
        reached = stretch.heard_end


class _Meter:
    """Reports the progress of the second half of the work, in which people are heard."""

    def __init__(self, progress: Progress | None, seconds: float, speech_seconds: float) -> None:
        """`seconds` is the length of the recording, `speech_seconds` that of all that is heard."""
        self._progress, self._seconds, self._speech = progress, seconds, speech_seconds
        self._done = 0.0

    def over(self, blocks: Blocks, rate: int) -> Blocks:
        """The blocks (1, n) of a person."""
        for block in blocks:
            yield block
            self._done += block.shape[-1] / rate
            self._tell(0.5 + 0.5 * self._done / self._speech)

    def finish(self) -> None:
        """All is heard."""
        self._tell(1.0)

    def _tell(self, share: float) -> None:
        if self._progress:
            self._progress(share * self._seconds, self._seconds)
