"""Reads the lyrics of a song off its vocals: a given text is aligned, or else a recogniser transcribes.

Only the sung passages are heard, since recognisers write words that nobody sings where they hear music. A transcript
is made of the vocals with the rest of the song behind them, 6 dB softer: recognisers bear music better than what
separation does to a voice (docs/analysis.md).
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from unbraid.dsp.arrays import Blocks, FloatArray
from unbraid.errors import AudioError
from unbraid.tasks.alignment.aligner import Aligner
from unbraid.tasks.alignment.lines import AlignedLine
from unbraid.tasks.analysis.lyrics import Lyrics
from unbraid.tasks.separation.spool import Spool, spooled_stems
from unbraid.tasks.separation.stream import Track
from unbraid.tasks.transcription.subtitles import lines_of
from unbraid.tasks.transcription.transcriber import Transcriber

NOBODY, NOTHING = "nobody sings in it", "no word is heard in it"
MARGIN_SECONDS = 0.3  # before and after a sung passage, of soft consonants
REST_GAIN = 0.5  # of all but the vocals where it is transcribed
RATE = 16000  # of what waits on disk: 460 MB for an hour

Passages = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Reader:
    """What reads lyrics, and what it hears."""

    read: Callable[[Track], Lyrics]
    rest_gain: float  # of all but the vocals


def transcribing(transcriber: Transcriber) -> Reader:
    """Lyrics as a recogniser hears them."""

    def read(track: Track) -> Lyrics:
        transcript = transcriber.of_track(track)
        lines = enumerate(lines_of(transcript.words), 1)
        found = tuple(AlignedLine(line.text, line.words, number) for number, line in lines)
        reason = None if found else NOTHING
        return Lyrics(found, transcript.model, notice=transcript.notice, reason=reason)

    return Reader(read, REST_GAIN)


def aligning(aligner: Aligner, text: str) -> Reader:
    """Lyrics that are given, with their times."""

    def read(track: Track) -> Lyrics:
        alignment = aligner.of_track(text, track)
        return Lyrics(alignment.lines, alignment.model, given=True, notice=alignment.notice)

    return Reader(read, 0.0)


class KeptVocals:
    """The vocals and the recording around them at `RATE`, on disk until it is known where somebody sings."""

    def __init__(self, spool: Spool) -> None:
        self._spool, self.samples = spool, 0

    def push(self, vocals: FloatArray, recording: FloatArray) -> None:
        """Add samples (n,) of both."""
        if len(vocals):
            self._spool.write(np.stack((vocals, recording))[:, None])
            self.samples += len(vocals)

    def lyrics(self, passages: Passages, reader: Reader) -> Lyrics:
        """The lyrics of these sung passages; where none can be found, their reason says why."""
        if not passages:
            return Lyrics(reason=NOBODY)
        try:
            return reader.read(Track(RATE, 1, self.samples, lambda: self._sung(passages, reader.rest_gain)))
        except AudioError as error:
            return Lyrics(reason=str(error))

    def _sung(self, passages: Passages, rest_gain: float) -> Blocks:
        """What is heard, in blocks (1, n) of a second, silent outside the passages."""
        spans = [(start - MARGIN_SECONDS, end + MARGIN_SECONDS) for start, end in passages]
        for first in range(0, self.samples, RATE):
            count = min(RATE, self.samples - first)
            vocals, recording = self._spool.part(first, count)  # (1, n) each
            times = (first + np.arange(count)) / RATE
            inside = [span for span in spans if span[0] < times[-1] and times[0] < span[1]]
            heard = np.any([(start <= times) & (times < end) for start, end in inside], axis=0) if inside else False
            yield np.where(heard, vocals + np.float32(rest_gain) * (recording - vocals), np.float32(0))


@contextlib.contextmanager
def kept_vocals() -> Iterator[KeptVocals]:
    """A place for vocals, which is deleted afterwards.

    Raises:
        AudioError: the temporary folder is not writable.
    """
    with spooled_stems() as spool:
        yield KeptVocals(spool)
