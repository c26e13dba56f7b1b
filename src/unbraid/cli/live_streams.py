"""Live audio between two pipes, and what it has in common with that of devices."""

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from unbraid.audio.live_wav import LiveFormat, read_header
from unbraid.cli.console import notice
from unbraid.dsp.arrays import FloatArray
from unbraid.errors import UsageError
from unbraid.tasks.live import LiveSeparator
from unbraid.tasks.separation.options import check_stem

PIPE_BYTES = 1 << 16  # read at most at once
PIPES = "pipe audio in and out (arecord … | unbraid live - | aplay)"


@dataclasses.dataclass(frozen=True)
class Devices:
    """Names or numbers of devices; None: the system's default."""

    microphone: str | None = None
    speakers: str | None = None

    @property
    def pair(self) -> tuple[int | str | None, int | str | None]:
        """As sounddevice takes them."""
        both = [int(name) if name and name.isdigit() else name for name in (self.microphone, self.speakers)]
        return both[0], both[1]


@dataclasses.dataclass(frozen=True)
class LiveRequest:
    """What was asked for on the command line."""

    model: str
    rate: int | None
    channels: int
    stem: str | None
    devices: Devices
    quiet: bool

    def open(self, rate: int | None, channels: int, *, delayed: bool) -> LiveSeparator:
        """The model for a stream.

        Raises:
            UsageError: it has no such stem, among others.
        """
        live = LiveSeparator(self.model, sample_rate=rate, channels=channels, delayed=delayed)
        if self.stem is not None:
            check_stem(self.stem, live.stems, live.spec.name)
        return live

    def chosen(self, live: LiveSeparator, stems: FloatArray) -> FloatArray:
        """The stems (S, C, n) that were asked for, on channels one after the other (S·C, n)."""
        if self.stem is not None:
            at = live.stems.index(self.stem)
            stems = stems[at : at + 1]
        sources, channels, samples = stems.shape
        return stems.reshape(sources * channels, samples)

    def outputs(self, live: LiveSeparator) -> int:
        """The channels of `chosen`."""
        return live.channels * (1 if self.stem is not None else len(live.stems))


def run_pipe(request: LiveRequest) -> None:
    """From standard input to standard output, in the format of the input, until it ends.

    Raises:
        AudioError: the input does not begin like a WAV file, and no rate was given.
        UsageError: one of them is a terminal, or closed.
    """
    pipe, out = _standard_streams()
    is_raw = request.rate is not None
    found = LiveFormat(request.rate, request.channels) if request.rate is not None else read_header(pipe.read)
    with request.open(found.sample_rate, found.channels, delayed=False) as live:
        written = dataclasses.replace(found, channels=request.outputs(live))
        out.write(b"" if is_raw else written.header())
        with until_interrupted():
            for data in _whole_frames(pipe, found.frame_bytes):
                out.write(written.encoded(request.chosen(live, pushed(live, found.decoded(data)))))
                out.flush()
        repaired = live.repaired_samples
        out.write(written.encoded(request.chosen(live, live.flush())))
        out.flush()
        tell_repaired(repaired)


def _standard_streams() -> tuple[BinaryIO, BinaryIO]:
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(f"Standard input is no pipe; {PIPES}, or leave - out for the microphone.")
    if sys.stdout is None or sys.stdout.isatty():
        raise UsageError(f"Standard output is no pipe; {PIPES}, or write it to a file with >.")
    return sys.stdin.buffer, sys.stdout.buffer


def _whole_frames(pipe: Any, frame_bytes: int) -> Iterator[bytes]:
    """The bytes of whole frames as they come; a part of one at the very end is dropped."""
    rest = b""
    while data := pipe.read1(PIPE_BYTES):
        rest += data
        whole = len(rest) - len(rest) % frame_bytes
        if whole:
            yield rest[:whole]
            rest = rest[whole:]


def pushed(live: LiveSeparator, block: FloatArray) -> FloatArray:
    """The stems of a block; the first bad samples are told at once."""
    before = live.repaired_samples
    made = live.push(block)
    if live.repaired_samples and not before:
        notice("warning: the input has samples that are NaN, infinite or far too loud; they are heard as silence.")
    return made


def tell_repaired(count: int) -> None:
    """Say at the end how many bad samples there were, where there was more than one."""
    if count > 1:
        notice(f"warning: {count} such samples in all.")


@contextmanager
def until_interrupted() -> Iterator[None]:
    """Ctrl-C is how live audio ends."""
    try:
        yield
    except KeyboardInterrupt:
        return
