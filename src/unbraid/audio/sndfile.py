"""Decoding through libsndfile: wav, RF64, W64, aiff, flac, ogg, opus, mp3 and its many older formats.

Three kinds of file that libsndfile would misread are caught here: WAV streams without a length (opened as raw
samples behind their header), mp3 files without an index (libsndfile guesses their length from the bit rate and
stops there: left to FFmpeg), and files cut short, whose missing part it only mentions in its log.
"""

import contextlib
import math
import re
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from unbraid.audio import ends, riff
from unbraid.audio.calls import directly, undisturbed
from unbraid.audio.info import BLOCK_FRAMES, Audio, AudioInfo, Unreadable, damaged, no_such_track
from unbraid.audio.tags import canonical
from unbraid.printable import is_utf8

_LOSSY = ("ULAW", "ALAW", "ADPCM", "GSM", "G72", "NMS", "VOX", "VORBIS", "OPUS", "MPEG")
# Seeking lands on the sample in these; in the last page of a Vorbis or Opus file libsndfile 1.2.2 misses it.
_EXACT_SEEK = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW", "MPEG")
# An mp3 frame may need bits of up to nine frames before it (the bit reservoir); libsndfile makes zeros without them.
_RESERVOIR_FRAMES = 10 * 1152
_SHORT_BYTES = re.compile(r"(?:data|SSND|riff|Data Size)\s*: (\d+) \(should be (\d+)\)")
_SHORT_FRAMES = re.compile(r"frame count (\d+) does not match value from 'ds64' chunk of (\d+)")
# Vorbis and Opus order surround channels their own way: wave[k] = vorbis[order[k]] (Vorbis I specification, 4.3.9).
VORBIS_ORDER = {
    3: (0, 2, 1),
    5: (0, 2, 1, 3, 4),
    6: (0, 2, 1, 5, 3, 4),
    7: (0, 2, 1, 6, 5, 3, 4),
    8: (0, 2, 1, 7, 5, 6, 3, 4),
}


class _Sequential(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file whose reads just go on: soundfile seeks after each one, which spoils the end of Opus files."""

    _is_closing = False

    def seekable(self) -> bool:
        """No, as far as reading is concerned."""
        return False

    def close(self) -> None:
        """Close it once. soundfile notes that it has after it has: a signal between would have it freed twice."""
        if not self._is_closing:
            self._is_closing = True
            super().close()


class SndfileDecoder:
    """A file open in libsndfile; see info.Decoder."""

    def __init__(self, source: Path | BinaryIO, name: str, track: int = 0) -> None:
        with contextlib.ExitStack() as stack:
            own = stack.enter_context(source.open("rb")) if isinstance(source, Path) else None
            file = own or source
            assert not isinstance(file, Path)
            path = source if isinstance(source, Path) and _may_be_named(file, source) else None
            self._call = directly if path else undisturbed  # by its name, C code reads a file on its own
            self._file = stack.enter_context(self._call(partial(_open, file, path)))
            if track != 0:
                raise no_such_track(name, track, 1)
            self.info, self.readable = _describe(self._file)
            self.is_cut = self._file.format == "OGG" and _is_cut(file, self._file)
            self._closing = stack.pop_all()
        self._name = name
        self._position = 0
        reorder = self._file.subtype in ("VORBIS", "OPUS") and VORBIS_ORDER.get(self.info.channels)
        self._order = list(reorder) if reorder else None

    def skip(self, frames: int) -> int:
        """Jump ahead where libsndfile lands on the sample, else decode and drop."""
        if not self._file.subtype.startswith(_EXACT_SEEK):
            return self._drop(frames)
        start = self._position
        target = min(start + frames, self._file.frames)
        entry = target - _RESERVOIR_FRAMES if self._file.subtype.startswith("MPEG") else target
        if entry > start:
            try:
                self._position = self._call(lambda: self._file.seek(entry))
            except soundfile.LibsndfileError as error:
                raise damaged(self._name, self._position / self.info.sample_rate, error.error_string) from error
        self._drop(target - self._position)
        return self._position - start

    def _drop(self, frames: int) -> int:
        dropped = 0
        while dropped < frames and (n := self.read(min(frames - dropped, BLOCK_FRAMES)).shape[1]):
            dropped += n
        return dropped

    def read(self, frames: int) -> Audio:
        """The next frames (C, n)."""
        try:
            block = self._call(lambda: self._file.read(frames, dtype="float32", always_2d=True))  # (n, C)
        except soundfile.LibsndfileError as error:
            raise damaged(self._name, self._position / self.info.sample_rate, error.error_string) from error
        self._position += len(block)
        audio = np.ascontiguousarray(block.T)  # (C, n)
        return audio[self._order] if self._order else audio

    def close(self) -> None:
        """Close the file, unless the caller owns it."""
        self._closing.close()


class _Tail:
    """A seekable file without its first bytes."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._file, self._start = file, start
        file.seek(start)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset + self._start if whence == 0 else offset, whence) - self._start

    def tell(self) -> int:
        return self._file.tell() - self._start

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)


def _may_be_named(file: BinaryIO, path: Path) -> bool:
    """Whether libsndfile may open the file by its name."""
    # by a name in .mp3, it would take anything for one, and complain about it on standard error
    return riff.open_ended(file) is None and path.suffix.lower() != ".mp3" and is_utf8(path)


def _open(file: BinaryIO, path: Path | None) -> soundfile.SoundFile:
    """The file in libsndfile, by its name if there is one, or Unreadable."""
    stream = None if path else riff.open_ended(file)
    try:
        if stream is not None:
            tail = _Tail(file, stream.start)
            rate, channels = stream.sample_rate, stream.channels
            return _Sequential(tail, "r", rate, channels, stream.subtype, "LITTLE", "RAW")
        if _is_mp3_without_index(file):
            raise Unreadable("mp3 without an index")
        file.seek(0)
        sound = _Sequential(path or file)
    except (soundfile.LibsndfileError, TypeError, ValueError) as error:
        reason = error.error_string if isinstance(error, soundfile.LibsndfileError) else str(error)
        raise Unreadable(reason.strip().rstrip(".")) from None
    if sound.frames > 1 << 60:  # a flac stream that was piped: libsndfile cannot seek in it
        sound.close()
        raise Unreadable("no length in the header")
    return sound


def _is_mp3_without_index(file: BinaryIO) -> bool:
    """Whether this is an mp3 whose first frame has no Xing/Info table that counts the frames."""
    file.seek(0)
    head = file.read(10)
    start = 0
    if head[:3] == b"ID3" and len(head) == 10:
        start = 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])
    file.seek(start)
    frame = file.read(4096)
    sync = frame.find(b"\xff")
    is_mpeg = start > 0 or (len(frame) > 3 and sync == 0 and frame[1] & 0xE0 == 0xE0 and frame[1] & 0x06 != 0)
    if not is_mpeg:
        return False
    for mark in (b"Xing", b"Info"):
        at = frame.find(mark)
        if at >= 0 and len(frame) >= at + 12 and frame[at + 7] & 1 and frame[at + 8 : at + 12] != bytes(4):
            return False
    return frame[:4] != b"fLaC"  # some flac files carry an ID3 block in front


def _describe(sound: soundfile.SoundFile) -> tuple[AudioInfo, int | None]:
    """What the header says, and how many frames are there."""
    subtype = sound.subtype
    lossy = subtype.startswith(_LOSSY) or "ADPCM" in subtype
    is_float = subtype in ("FLOAT", "DOUBLE")
    digits = re.search(r"\d+", subtype)
    bits = None if lossy else {"FLOAT": 32, "DOUBLE": 64}.get(subtype) or int(digits[0] if digits else 8)
    frames = _promised(sound, bits)
    info = AudioInfo(
        sample_rate=sound.samplerate,
        channels=sound.channels,
        frames=frames,
        duration=frames / sound.samplerate,
        container="wav" if sound.format in ("RAW", "WAVEX") else sound.format.lower(),
        codec={"MPEG_LAYER_III": "mp3"}.get(subtype, subtype.lower()),
        bits=bits,
        is_float=is_float,
        lossy=lossy,
        tags=canonical(sound.copy_metadata()),
    )
    return info, sound.frames


def _is_cut(file: BinaryIO, sound: soundfile.SoundFile) -> bool:
    position = file.tell()  # libsndfile may be reading the same file
    rate = 48000 if sound.subtype == "OPUS" else sound.samplerate
    try:
        return ends.ogg_is_cut(file, sound.frames / sound.samplerate, rate)
    finally:
        file.seek(position)


def _promised(sound: soundfile.SoundFile, bits: int | None) -> int:
    """Frames that the header states: more than libsndfile found, where the file was cut off."""
    log, frames = sound.extra_info, int(sound.frames)
    if (match := _SHORT_BYTES.search(log)) and sound.format != "RAW":
        stated, there = int(match[1]), int(match[2])
        if stated > there and not riff.is_bogus(stated):
            frame_bytes = sound.channels * bits / 8 if bits else max(1.0, there / max(frames, 1))
            return frames + math.ceil((stated - there) / frame_bytes)
    if (match := _SHORT_FRAMES.search(log)) and int(match[2]) > int(match[1]):
        return int(match[2])
    return frames
