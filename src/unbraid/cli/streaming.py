"""Standard input to standard output while it comes: the first stem is written when the first window is full.

Only a WAV can be read so, and only by what reads its input once; the rest is copied to disk first (see `pipes`).
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from unbraid.audio import Audio, Excerpt, StreamWriter
from unbraid.audio.live_wav import LiveFormat, read_start
from unbraid.cli.pipes import Pushback
from unbraid.cli.progress import Meter
from unbraid.cli.report import StemsResult
from unbraid.cli.request import SeparationRequest
from unbraid.errors import AudioError
from unbraid.tasks.separation.separator import Separator

BLOCK_BYTES = 1 << 16  # read at once
_CHUNK = 8  # bytes of the name and length of a part of a WAV


def why_spooled(request: SeparationRequest, separator: Separator) -> str | None:
    """Why all of standard input must be there before the first stem; None where it need not."""
    if separator.follows_people:
        return f"{separator.spec.name} follows people, and has to hear all of it before it knows them"
    if separator.options.raw:
        return "--raw takes the whole recording at once"
    if request.excerpt != Excerpt():
        return "an excerpt, a track or a format of its own was asked for"
    return "the Wiener filter reads it more than once" if separator.passes > 1 else None


@dataclass(frozen=True)
class IncomingWav:
    """A WAV in a pipe, read to where its samples begin."""

    pipe: Pushback
    format: LiveFormat
    bytes: int | None  # of the samples, if the header knows

    @classmethod
    def of(cls, pipe: Pushback) -> "IncomingWav | None":
        """None where the pipe holds something else; then nothing of it is lost."""
        seen: list[bytes] = []

        def read(size: int) -> bytes:
            seen.append(pipe.read(size))
            return seen[-1]

        try:
            return cls(pipe, *read_start(read))
        except AudioError:
            pipe.unread(b"".join(seen))
            return None

    def blocks(self) -> Iterator[Audio]:
        """The samples (C, n) as they come; parts of the file behind them are left out.

        Raises:
            AudioError: there are fewer than the header states.
        """
        frame, left = self.format.frame_bytes, self.bytes
        size = max(frame, BLOCK_BYTES // frame * frame)
        while data := self.pipe.read(size if left is None else min(size, left)):
            if left is not None:
                left -= len(data)
            if whole := len(data) // frame * frame:
                yield self.format.decoded(data[:whole])
            if left == 0:
                if not (more := self.pipe.read(_CHUNK)) or _begins_a_part(more):
                    return
                self.pipe.unread(more)  # a recorder has written on without correcting the header
                left = None
        if left:
            missing = left // frame / self.format.sample_rate
            raise AudioError(f"standard input is cut short: {missing:.3f} s are missing that its header states.")


def _begins_a_part(data: bytes) -> bool:
    """Whether these bytes are the name of a part of a WAV and its length: LIST, id3, …"""
    return data[:4].isascii() and data[:4].decode("ascii", "replace").isprintable() and data[:4].strip() != b""


def write_incoming(
    separator: Separator, stem: str, label: str, wav: IncomingWav, stream: BinaryIO, meter: Meter
) -> StemsResult:
    """Write one stem of a WAV as float32 WAV while it comes."""
    started, rate, channels = time.monotonic(), wav.format.sample_rate, wav.format.channels
    run = separator.blocks(wav.blocks(), sample_rate=rate, progress=meter)
    with StreamWriter(stream, separator.output_rate(rate), separator.output_channels(channels)) as writer:
        for block in run:
            writer.write(block[stem])
            stream.flush()
        seconds = writer.frames / separator.output_rate(rate)
    return StemsResult(
        label, "done", notices=run.diagnostics.notices, seconds=seconds, elapsed_seconds=time.monotonic() - started
    )
