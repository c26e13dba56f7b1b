"""Reading audio, whole or in blocks, from any format of libsndfile or FFmpeg.

    with Reader("interview.m4a", Excerpt(start=60, duration=30)) as reader:
        for block in reader.blocks(65536): ...        # float32 (C, n), constant memory
        for block in reader.blocks(65536): ...        # a second pass, from the start again

libsndfile is tried first and FFmpeg after it; `read` is exactly the concatenation of the blocks.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import numpy as np

from unbraid.audio.arrays import LOUDEST
from unbraid.audio.info import BLOCK_FRAMES, MOST_HERTZ, Audio, AudioInfo, Decoder
from unbraid.audio.opening import Opening
from unbraid.audio.options import Excerpt
from unbraid.audio.source import Source, label, localize
from unbraid.errors import AudioError


class Reader:
    """An excerpt of one audio track. `blocks` may be called again and again; each call starts at the range's start."""

    info: AudioInfo  # of the whole track
    frames: int | None  # in the range; None where only decoding can tell
    notices: tuple[str, ...] = ()  # warnings about the file, from the last pass

    def __init__(self, source: Source, excerpt: Excerpt = Excerpt()) -> None:
        start, duration = excerpt.start, excerpt.duration
        self._name, self._reading = label(source), excerpt.reading
        self._kept = ExitStack()
        self._source = localize(source, self._kept)
        try:
            self._opening = Opening(self._source, self._name, excerpt.track, excerpt.reading)
            decoder = self._opened()
            self.info, readable, self._is_cut = decoder.info, decoder.readable, decoder.is_cut
            self._obstacle = decoder.obstacle
            decoder.close()
            if self.info.sample_rate > MOST_HERTZ:
                raise AudioError(
                    f"{self._name} states a sample rate of {self.info.sample_rate} Hz, which no recording has; the "
                    f"highest read is {MOST_HERTZ} Hz. Correct its header."
                )
            self._start = round(start * self.info.sample_rate)
            self._limit = None if duration is None else round(duration * self.info.sample_rate)
            self.frames = self._range_frames()
            self._check_readable(readable)
            if self._is_cut and self._reaches(self.info.frames):
                raise self._end_missing()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Delete the temporary file, if the source was a pipe."""
        self._kept.close()

    def blocks(self, frames: int = BLOCK_FRAMES) -> Iterator[Audio]:
        """The range as float32 blocks (C, n); all but the last have n = frames."""
        decoder = self._opened()
        try:
            if (reached := decoder.skip(self._start)) < self._start:
                raise self._starts_late(reached)
            wanted = self.frames if self.frames is not None else self._limit
            done = 0
            while wanted is None or done < wanted:
                size = frames if wanted is None else min(frames, wanted - done)
                block = decoder.read(size)  # (C, n)
                self._check_samples(block, self._start + done)
                done += block.shape[1]
                if block.shape[1]:
                    yield block
                if block.shape[1] < size:
                    break
            self._check_end(done)
            self._note(decoder)
        finally:
            decoder.close()
            self.notices = tuple(notice.text for notice in decoder.notices)

    def read(self) -> Audio:
        """The range as one array (C, T).

        Raises:
            AudioError: the range does not fit into memory, or cannot be decoded.
        """
        if self.frames is None:
            return np.concatenate(list(self.blocks()), axis=1)
        try:
            audio = np.empty((self.info.channels, self.frames), np.float32)
        except (MemoryError, ValueError):
            seconds = self.frames / self.info.sample_rate
            raise AudioError(
                f"{self._name} states {seconds:.0f} s of audio, too much for memory. Read it in blocks, "
                f"or pass a duration."
            ) from None
        done = 0
        for block in self.blocks():
            audio[:, done : done + block.shape[1]] = block
            done += block.shape[1]
        return audio

    def _opened(self) -> Decoder:
        """A decoder at the start of the track."""
        decoder = self._opening.decoder()
        try:
            self._note(decoder)
        except BaseException:
            decoder.close()
            raise
        return decoder

    def _note(self, decoder: Decoder) -> None:
        """Take over the decoder's warnings so far; a strict reader refuses wrong headers."""
        self.notices = tuple(notice.text for notice in decoder.notices)
        wrong = next((notice.text for notice in decoder.notices if notice.is_wrong_header), None)
        if wrong and self._reading.strict:
            raise AudioError(f"{self._name}: {wrong}. Get an intact copy, or turn strict reading off.")

    def _range_frames(self) -> int | None:
        if self.info.frames == 0:
            raise self._empty()
        if self._limit == 0:
            raise AudioError(f"The duration asked of {self._name} is shorter than one sample. Ask for more.")
        if self.info.frames is None:
            return None
        if self._start >= self.info.frames:
            raise self._starts_late(self.info.frames)
        left = self.info.frames - self._start
        return left if self._limit is None else min(left, self._limit)

    def _check_readable(self, readable: int | None) -> None:
        """Refuse a file that is known to be incomplete."""
        if readable is not None and self.frames is not None and self._start + self.frames > readable:
            raise self._obstacle or self._cut_short(readable)

    def _reaches(self, end: int | None) -> bool:
        """Whether the requested range goes beyond this frame of the track (None: before its unknown end)."""
        return self._limit is None or (end is not None and self._start + self._limit > end)

    def _check_end(self, done: int) -> None:
        if self.frames is not None and done < self.frames:
            raise self._cut_short(self._start + done)
        if self._is_cut and self._reaches(self._start + done):
            raise self._end_missing()
        if done == 0:
            raise self._starts_late(self._start) if self._start else self._empty()

    def _check_samples(self, block: Audio, position: int) -> None:
        sound = np.abs(block) <= LOUDEST  # NaN is not
        if not sound.all():
            frame = int(np.argmin(sound.all(axis=0)))
            channel = int(np.argmin(sound[:, frame]))
            seconds = (position + frame) / self.info.sample_rate
            value = block[channel, frame]
            what = (
                "NaN" if np.isnan(value) else f"a sample of {value:.3g}" if np.isfinite(value) else "an infinite sample"
            )
            raise AudioError(
                f"{self._name} holds {what} at {seconds:.3f} s (channel {channel + 1}). "
                f"Repair it, or choose start and duration so that it is left out."
            )

    def _empty(self) -> AudioError:
        return AudioError(f"{self._name} holds no samples. Name a file with audio in it.")

    def _starts_late(self, frames: int) -> AudioError:
        start, length = self._start / self.info.sample_rate, frames / self.info.sample_rate
        return AudioError(f"{self._name} is {length:.3f} s long; there is nothing at the start of {start:.3f} s.")

    def _end_missing(self) -> AudioError:
        return AudioError(
            f"{self._name} is cut short: its end is missing. "
            f"Get a complete copy, or pass a duration that ends before the cut."
        )

    def _cut_short(self, readable: int) -> AudioError:
        assert self.info.frames is not None
        there, stated = readable / self.info.sample_rate, self.info.frames / self.info.sample_rate
        return AudioError(
            f"{self._name} is cut short: its header states {stated:.3f} s, {there:.3f} s could be read. "
            f"Get a complete copy, or pass a duration that ends before the cut."
        )


def read(source: Source, excerpt: Excerpt = Excerpt()) -> tuple[Audio, int]:
    """The samples as float32 (C, T), and the sample rate."""
    with Reader(source, excerpt) as reader:
        return reader.read(), reader.info.sample_rate


def probe(source: Source, excerpt: Excerpt = Excerpt()) -> AudioInfo:
    """The facts of a track's header, without decoding (except to find a track that is not silent)."""
    with ExitStack() as kept:
        decoder = Opening(localize(source, kept), label(source), excerpt.track, excerpt.reading).decoder()
        decoder.close()
        return decoder.info
