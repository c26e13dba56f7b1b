"""Files whose audio does not just begin at zero and go on: late, with gaps, overlaps, edits, several tracks, damage."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

RATE = 16000
_FRAME = {"aac": 1024, "libmp3lame": 576, "libopus": 320, "mp2": 1152}


@dataclass(frozen=True)
class AudioTrack:
    """Samples (T,) and when each block of them is said to be, in seconds after its place among the samples."""

    samples: np.ndarray
    delay: Callable[[int], float] = lambda first_sample: 0.0
    tags: tuple[tuple[str, str], ...] = ()


def tone(seconds: float, rate: int = RATE, hertz: float = 440.0) -> np.ndarray:
    """A sine, never silent for long."""
    return (0.4 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def mux(
    path: Path,
    tracks: Sequence[AudioTrack],
    codec: str = "pcm_s16le",
    *,
    rate: int = RATE,
    film_seconds: float = 0.0,
    **options: str,
) -> Path:
    """A file of audio tracks, and of a picture from zero on if there is to be one."""
    import av

    packets = []
    with av.open(str(path), "w", container_options=options) as output:
        for track in tracks:
            stream = output.add_stream(codec, rate=rate, layout="mono")
            stream.metadata.update(dict(track.tags))
            kind, size = stream.codec_context.codec.audio_formats[0].name, _FRAME.get(codec, 800)
            for first in range(0, len(track.samples), size):
                frame = av.AudioFrame.from_ndarray(_as(track.samples[first : first + size], kind), kind, "mono")
                frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
                frame.pts = first + round(track.delay(first) * rate)
                packets += stream.encode(frame)
            packets += stream.encode(None)
        if film_seconds:
            packets += _film(output, film_seconds)
        for packet in sorted(packets, key=lambda packet: float(packet.dts * packet.time_base)):
            output.mux(packet)
    return path


def spoil(path: Path, size: int = 1500, at: float = 0.5) -> Path:
    """Zeros over a part of a file; `at` is a share of its length."""
    data = bytearray(path.read_bytes())
    first = int(len(data) * at)
    data[first : first + size] = bytes(size)
    path.write_bytes(data)
    return path


def edit(path: Path, *edits: tuple[int, int]) -> Path:
    """Other edits in an MP4 that has an edit list of as many: (duration in the movie's time, first sample, or -1)."""
    data = bytearray(path.read_bytes())
    at = data.find(b"elst")
    assert data[at + 4] == 0 and struct.unpack(">I", data[at + 8 : at + 12])[0] == len(edits)
    for number, (duration, first) in enumerate(edits):
        data[at + 12 + 12 * number : at + 20 + 12 * number] = struct.pack(">Ii", duration, first)
    path.write_bytes(data)
    return path


def silent_stretches(samples: np.ndarray, least: int = 500) -> list[tuple[int, int]]:
    """Where there are zeros for long: (first sample, how many)."""
    sounds = np.flatnonzero(np.concatenate([[True], np.abs(samples) > 1e-3, [True]]))
    lengths = np.diff(sounds) - 1
    return [(int(sounds[k]), int(lengths[k])) for k in np.flatnonzero(lengths >= least)]


def _film(output, seconds: float) -> list:  # type: ignore[no-untyped-def,type-arg]
    import av

    picture = output.add_stream("mpeg4", rate=10)
    picture.width = picture.height = 32
    picture.pix_fmt = "yuv420p"
    packets = []
    for number in range(round(seconds * 10)):
        frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), number % 256, np.uint8), format="rgb24")
        frame.pts = number
        packets += picture.encode(frame)
    return packets + picture.encode(None)


def _as(samples: np.ndarray, kind: str) -> np.ndarray:
    if kind.startswith("s16"):
        return np.rint(samples[None] * 32767).astype(np.int16)
    if kind.startswith("s32"):
        return np.rint(samples[None] * np.float64(2**31 - 1)).astype(np.int32)
    return samples[None].astype(np.float32)
