"""Writing audio block by block, to a file or as a stream of float WAV into a pipe.

    with open_writer("voice1.flac", 44100, 2, choose_format("flac"), tags=info.tags) as writer:
        writer.write(block)                          # float32 (C, n)
    writer.peak                                      # largest |sample|: the caller may need a common gain

A writer writes to the given path itself (temporary names and renaming are the caller's), and removes the file if
anything fails, including closing it.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np

from unbraid.audio import riff
from unbraid.audio.arrays import ArrayLike, as_audio, numbers_of
from unbraid.audio.encode import Encoder, Sink, open_encoder, pcm_bytes
from unbraid.audio.formats import OutputFormat, check_format
from unbraid.audio.info import Audio
from unbraid.audio.signals import directly, undisturbed
from unbraid.audio.source import label
from unbraid.errors import AudioError, refused


class _Metered:
    """Common to all writers: count blocks, check that they are audio, and close at the end of `with`."""

    def __init__(self, name: str, sample_rate: int, channels: int) -> None:
        self.name, self.sample_rate, self.channels = name, sample_rate, channels
        self.frames = 0  # written so far
        self.peak = 0.0  # the largest |sample| so far, before any clipping

    def close(self) -> None:
        """Complete the file."""

    def abort(self) -> None:
        """Give up."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _take(self, block: Audio) -> Audio:
        """The block as float32 (C, n)."""
        block = numbers_of(block, f"The samples for {self.name}")
        if block.ndim != 2 or block.shape[0] != self.channels:
            raise AudioError(f"{self.name} takes blocks of shape ({self.channels}, n), not {block.shape}.")
        audio = np.asarray(block, dtype=np.float32)
        peak = float(np.abs(audio).max(initial=0.0))
        if not np.isfinite(peak):
            seconds = (self.frames + int(np.argmin(np.isfinite(audio).all(axis=0)))) / self.sample_rate
            raise AudioError(f"The samples for {self.name} hold NaN or infinity at {seconds:.3f} s.")
        self.frames += audio.shape[1]
        self.peak = max(self.peak, peak)
        return audio


class Writer(_Metered):
    """A file being written in float32 blocks; `frames`, if known, lets a WAV do without room for 64-bit lengths."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        sample_rate: int,
        channels: int,
        fmt: OutputFormat,
        *,
        tags: Mapping[str, str] | None = None,
        frames: int | None = None,
    ) -> None:
        check_format(fmt, sample_rate, channels)
        super().__init__(str(path), sample_rate, channels)
        self.path, self.format = Path(path), fmt
        with _in_words(self.name):
            self._file = self.path.open("wb")
        self._sink = Sink(self._file)
        self._closed = False
        self._call = directly if fmt.name == "wav" else undisturbed  # all others are written by C code
        with self._guarded():
            opening = partial(open_encoder, self._sink, sample_rate, channels, fmt, tags or {}, frames)
            self._encoder: Encoder = self._call(opening)

    def write(self, block: Audio) -> None:
        """Append a block (C, n)."""
        with self._guarded():
            self._call(partial(self._encoder.write, self._take(block)))

    def close(self) -> None:
        """Complete the file. Only after this is it all on disk.

        Raises:
            AudioError: no samples were written, or the file cannot be completed.
        """
        if self._closed:
            return
        with self._guarded():
            if self.frames == 0:
                raise AudioError(f"No samples were written to {self.path}; there is no such audio file.")
            self._call(self._encoder.close)
            self._sink.check()
            self._file.close()
            self._closed = True

    def abort(self) -> None:
        """Give up: close and remove the file."""
        if self._closed:
            return
        self._closed = True
        try:
            with contextlib.suppress(Exception):
                self._call(self._encoder.close)
        finally:
            with contextlib.suppress(OSError):
                self._file.close()
            if self.path.is_file():  # never a device
                self.path.unlink()

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Any failure removes the file; failures of the disk become sentences."""
        try:
            with _in_words(self.name):
                try:
                    yield
                finally:
                    self._sink.check()  # first: an error of the disk may have caused that of the codec
        except BaseException:
            self.abort()
            raise


open_writer = Writer


def write(
    path: str | os.PathLike[str],
    audio: ArrayLike,
    sample_rate: int,
    fmt: OutputFormat,
    *,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Write a whole array (C, T); it may be a tensor or lists of numbers, and integers are scaled by their type."""
    audio = as_audio(audio)
    with Writer(path, sample_rate, audio.shape[0], fmt, tags=tags, frames=audio.shape[1]) as writer:
        writer.write(audio)


class StreamWriter(_Metered):
    """Float32 WAV of unknown length into a binary stream, such as standard output.

    The header holds 0xFFFFFFFF where lengths belong, which ffmpeg, sox, libsndfile and we read as "to the end".
    A reader that has closed the pipe raises BrokenPipeError.
    """

    def __init__(
        self, stream: BinaryIO, sample_rate: int, channels: int, *, tags: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(label(stream), sample_rate, channels)
        self._stream = stream
        self._send(riff.header(riff.WavLayout(sample_rate, channels, 32), None, tags))

    def write(self, block: Audio) -> None:
        """Append a block (C, n)."""
        self._send(pcm_bytes(self._take(block), 32))

    def close(self) -> None:
        """Flush; the stream stays open."""
        with _in_words(self.name):
            self._stream.flush()

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        with _in_words(self.name):
            while view:  # an unbuffered stream may take only part
                view = view[self._stream.write(view) :]


@contextlib.contextmanager
def _in_words(name: str) -> Iterator[None]:
    """Failures of the disk as sentences; a closed pipe is left to the caller."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise AudioError(refused(name, error)) from error
