"""Stem files for DJ programs: a recording and its four stems as AAC tracks of one MP4 file.

Native Instruments' format (Traktor; Mixxx reads it too): the first track is the mix and the only one that is enabled,
so that other players play it; four stereo tracks follow. A box `stem` in the file's user data (moov/udta/stem) has JSON
with the names and colours of the stems, and settings of a compressor and a limiter, which are off here.

FFmpeg cannot write that box. It puts the index (moov) behind the sound, where it can be written anew with the box
inside: nothing else in the file moves.
"""

import json
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from unbraid.audio.encode import AAC_FRAME, Sink
from unbraid.audio.formats import OutputFormat, check_format
from unbraid.audio.info import Audio
from unbraid.audio.read import Reader
from unbraid.audio.signals import undisturbed
from unbraid.audio.tags import canonical
from unbraid.errors import AudioError, refused

CHANNELS = 2
STEMS = 4
_COLOURS = {"drums": "#009E73", "bass": "#D55E00", "other": "#CC79A7", "vocals": "#56B4E9"}  # as DJ programs have them
_ORDER = tuple(_COLOURS)
_HEADER = 8  # bytes of a box's size and name
_BLOCK_FRAMES = 16 * AAC_FRAME


def stem_order(stems: tuple[str, ...]) -> tuple[str, ...]:
    """Four stems in the order of stem files: drums, bass, other, vocals, as far as these are among them."""
    known = [stem for stem in _ORDER if stem in stems]
    return (*known, *(stem for stem in stems if stem not in known))


def manifest(stems: tuple[str, ...]) -> bytes:
    """The JSON of the box `stem`."""
    spare = [colour for stem, colour in _COLOURS.items() if stem not in stems]
    colours = [_COLOURS.get(stem) or spare.pop(0) for stem in stems]
    compressor = {
        "enabled": False, "ratio": 3, "attack": 0.003, "release": 0.3, "threshold": 0, "input_gain": 0.5,
        "output_gain": 0.5, "hp_cutoff": 300, "dry_wet": 50,
    }  # fmt: skip
    limiter = {"enabled": False, "threshold": 0, "ceiling": -0.35, "release": 0.05}
    values = {
        "mastering_dsp": {"compressor": compressor, "limiter": limiter},
        "stems": [{"name": stem.capitalize(), "color": colour} for stem, colour in zip(stems, colours, strict=True)],
        "version": 1,
    }
    return json.dumps(values).encode()


def write_stem_file(
    path: Path,
    mix: Path,
    stems: Mapping[str, Path],
    fmt: OutputFormat,
    *,
    gain: float = 1.0,
    tags: Mapping[str, str] | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> None:
    """Write a stem file from the files of the mix and of its four stems, all of one rate and length.

    A mono signal is written to both channels. `gain` applies to all five, and `progress` is told the seconds written.

    Raises:
        AudioError: a file cannot be read, or the disk refuses.
    """
    names = stem_order(tuple(stems))
    if len(names) != STEMS:
        raise AudioError(f"A stem file has {STEMS} stems, not {len(names)}.")
    with ExitStack() as opened:
        readers = [opened.enter_context(Reader(source)) for source in (mix, *(stems[name] for name in names))]
        rate = readers[0].info.sample_rate
        check_format(fmt, rate, CHANNELS)
        with _in_words(path), open(path, "wb+") as file:
            sink = Sink(file)
            tracks = undisturbed(partial(_Tracks, sink, rate, fmt.kbps(CHANNELS), ("Mix", *names), tags or {}))
            try:
                for blocks in zip(*(reader.blocks(_BLOCK_FRAMES) for reader in readers), strict=True):
                    undisturbed(partial(tracks.write, [_stereo(block, gain) for block in blocks]))
                    sink.check()
                    progress(tracks.frames / rate)
            finally:
                undisturbed(tracks.close)
            sink.check()
            add_user_data(file, b"stem", manifest(names))


def add_user_data(file: BinaryIO, name: bytes, content: bytes) -> None:
    """Add a box to the user data of an MP4 file whose index is its last box.

    Raises:
        AudioError: it is not, or too large.
    """
    end = file.seek(0, os.SEEK_END)
    found = [box for box in _boxes(file, 0, end) if box[0] == b"moov"]
    if not found or found[0][2] != end:
        raise AudioError("The index of this MP4 file is not its last box, so that nothing can be added to it.")
    _, at, _ = found[0]
    file.seek(at + _HEADER)
    children = file.read()
    added = _box(name, content)
    inside = next(((start, stop) for kind, start, stop in _inner(children) if kind == b"udta"), None)
    start, stop = inside or (len(children), len(children))
    data = _box(b"udta", children[start + _HEADER : stop] + added)
    file.seek(at)
    file.write(_box(b"moov", children[:start] + data + children[stop:]))
    file.truncate()


class _Tracks:
    """The tracks of an MP4 file, written side by side."""

    def __init__(
        self, sink: Sink, sample_rate: int, kbps: int, names: tuple[str, ...], tags: Mapping[str, str]
    ) -> None:
        import av

        self._frame = av.AudioFrame
        # as for m4a: the brand of an iPod's files, and an edit list that is exact at the sample rate
        self._container = av.open(sink, "w", format="ipod", container_options={"movie_timescale": str(sample_rate)})
        self._container.metadata.update(canonical(tags))
        self._streams: list[Any] = []
        for name in names:
            stream = self._container.add_stream("aac", rate=sample_rate, layout="stereo")
            stream.bit_rate = kbps * 1000
            stream.metadata["handler_name"] = name.capitalize()
            self._streams.append(stream)
        self._rate, self._next = sample_rate, -AAC_FRAME
        self._rest: list[Audio] = []
        self._encode([np.zeros((CHANNELS, AAC_FRAME), np.float32)] * len(names))  # as for m4a: before the start

    @property
    def frames(self) -> int:
        """Samples of each track so far."""
        return self._next + (self._rest[0].shape[1] if self._rest else 0)

    def write(self, blocks: list[Audio]) -> None:
        """Encode whole frames of the codec, one block (C, n) for each track, and keep the rest."""
        if self._rest:
            blocks = [np.concatenate(pair, axis=1) for pair in zip(self._rest, blocks, strict=True)]
        whole = blocks[0].shape[1] - blocks[0].shape[1] % AAC_FRAME
        for start in range(0, whole, AAC_FRAME):
            self._encode([block[:, start : start + AAC_FRAME] for block in blocks])
        self._rest = [block[:, whole:].copy() for block in blocks]

    def close(self) -> None:
        """Encode the last, shorter frames and write the index."""
        if self._rest and self._rest[0].shape[1]:
            self._encode(self._rest)
        for stream in self._streams:
            self._container.mux(stream.encode(None))
        self._container.close()

    def _encode(self, blocks: list[Audio]) -> None:
        for stream, block in zip(self._streams, blocks, strict=True):
            packed = np.ascontiguousarray(np.clip(block, -1, 1).T).reshape(1, -1)  # (1, n * C)
            frame = self._frame.from_ndarray(packed, format="flt", layout="stereo")
            frame.sample_rate, frame.pts = self._rate, self._next
            self._container.mux(stream.encode(frame))
        self._next += blocks[0].shape[1]


def _stereo(block: Audio, gain: float) -> Audio:
    """A block (1 or 2, n) as (2, n), turned down."""
    return np.broadcast_to(block * np.float32(gain), (CHANNELS, block.shape[1]))


def _box(name: bytes, content: bytes) -> bytes:
    if len(content) + _HEADER >= 1 << 32:
        raise AudioError(f"The box {name.decode()} of this MP4 file would be larger than a box can be.")
    return struct.pack(">I4s", len(content) + _HEADER, name) + content


def _inner(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The boxes inside a box: name, start and end of each in its content."""
    at = 0
    while at + _HEADER <= len(content):
        size, name = struct.unpack_from(">I4s", content, at)
        yield name, at, at + size
        at += max(size, _HEADER)


def _boxes(file: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes of a file: name, start and end."""
    while at + _HEADER <= end:
        file.seek(at)
        size, name = struct.unpack(">I4s", file.read(_HEADER))
        if size == 1:  # a box of more than 4 GB
            (size,) = struct.unpack(">Q", file.read(8))
        yield name, at, at + size
        at += max(size, _HEADER)


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """Failures of the disk as sentences."""
    try:
        yield
    except OSError as error:
        raise AudioError(refused(str(path), error)) from error
