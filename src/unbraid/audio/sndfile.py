"""Decoding through libsndfile: wav, RF64, W64, aiff, flac, ogg, opus and its many older formats.

survey.py corrects files that libsndfile would misread, or leaves them to FFmpeg: Ogg files with gaps or damage, which
libsndfile would ignore, and mp3, because mpg123 inside libsndfile writes to standard error.
"""

import contextlib
import math
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile

from unbraid.audio import mpeg_frames, ogg
from unbraid.audio.headerless import Headerless
from unbraid.audio.info import Audio, AudioInfo, Decoder, Notice, Unreadable, damaged, drop, no_such_track
from unbraid.audio.parts import WHOLE, Part
from unbraid.audio.signals import directly, undisturbed
from unbraid.audio.tags import canonical
from unbraid.audio.view import opened
from unbraid.files.printable import is_utf8

_LOSSY = ("ULAW", "ALAW", "ADPCM", "GSM", "G72", "NMS", "VOX", "VORBIS", "OPUS", "MPEG")
# Seeking lands on the sample in these; in the last page of a Vorbis or Opus file libsndfile 1.2.2 misses it.
_EXACT_SEEK = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW")
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
        """Close it once. soundfile marks it as closed only afterwards: a signal in between would free it twice."""
        if not self._is_closing:
            self._is_closing = True
            super().close()
            self.__class__ = _Closed


class _Closed(soundfile.SoundFile):  # type: ignore[misc]
    """A file after its end. That of soundfile ends in Python code, and where a signal raises there it is lost."""

    __del__ = staticmethod(int)  # anything in C


def close_for_good(sound: soundfile.SoundFile) -> None:
    """Close a file that nothing is done with afterwards."""
    sound.close()
    sound.__class__ = _Closed


class SndfileDecoder(Decoder):
    """A file open in libsndfile."""

    def __init__(
        self,
        source: Path | BinaryIO,
        name: str,
        track: int = 0,
        part: Part = WHOLE,
    ) -> None:
        self.notices: list[Notice] = []
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(opened(source, part.pieces))
            path = source if isinstance(source, Path) and _may_be_named(source, part) else None
            self._call = directly if path else undisturbed  # by its name, C code reads a file on its own
            self._file = stack.enter_context(self._call(partial(_open, file, path, part.headerless)))
            if track != 0:
                raise no_such_track(name, track, 1)
            self.info, self.readable = _describe(self._file, part), self._file.frames
            self.is_cut = part.is_cut or _holds_more(part.link, self._file)
            self._closing = stack.pop_all()
        self._name = name
        self._position = 0
        reorder = self._file.subtype in ("VORBIS", "OPUS") and VORBIS_ORDER.get(self.info.channels)
        self._order = list(reorder) if reorder else None

    def skip(self, frames: int) -> int:
        """Jump ahead where libsndfile lands on the sample, else decode and drop."""
        if not self._file.subtype.startswith(_EXACT_SEEK):
            return drop(self, frames)
        start = self._position
        target = min(start + frames, self._file.frames)
        self._position = self._checked(lambda: self._file.seek(target))
        return self._position - start

    def read(self, frames: int) -> Audio:
        """The next frames (C, n)."""
        block = self._checked(lambda: self._file.read(frames, dtype="float32", always_2d=True))  # (n, C)
        self._position += len(block)
        audio = np.ascontiguousarray(block.T)  # (C, n)
        return audio[self._order] if self._order else audio

    def _checked(self, call: Callable[[], Any]) -> Any:
        """The result of a call of libsndfile, whose error is damage at this position."""
        try:
            return self._call(call)
        except soundfile.LibsndfileError as error:
            raise damaged(self._name, self._position / self.info.sample_rate, error.error_string) from error

    def close(self) -> None:
        """Close the file, unless the caller owns it."""
        self._closing.close()


def _may_be_named(path: Path, part: Part) -> bool:
    """Whether libsndfile may open a file by its name: it takes those in .mp3 for mp3, and complains about others."""
    return part.is_known and part.pieces is None and path.suffix.lower() != ".mp3" and is_utf8(path)


def _open(file: BinaryIO, path: Path | None, coding: Headerless | None) -> soundfile.SoundFile:
    """The file in libsndfile, by its name if there is one, or Unreadable."""
    file.seek(0)
    try:
        if coding is not None:
            rate, channels = coding.sample_rate, coding.channels
            return _Sequential(file, "r", rate, channels, coding.subtype, coding.byte_order, "RAW")
        if mpeg_frames.is_mpeg(file):
            raise Unreadable("MPEG audio is left to FFmpeg")
        file.seek(0)
        sound = _Sequential(path or file)
    except (soundfile.LibsndfileError, TypeError, ValueError, OverflowError) as error:
        reason = error.error_string if isinstance(error, soundfile.LibsndfileError) else str(error)
        raise Unreadable(reason.strip().rstrip(".")) from None
    if sound.subtype.startswith("MPEG"):
        sound.close()
        raise Unreadable("MPEG audio is left to FFmpeg")
    if sound.frames > 1 << 60:  # a flac stream that was piped: libsndfile cannot seek in it
        sound.close()
        raise Unreadable("no length in the header")
    return sound


def _describe(sound: soundfile.SoundFile, part: Part) -> AudioInfo:
    """The facts of the header."""
    subtype = sound.subtype
    lossy = subtype.startswith(_LOSSY) or "ADPCM" in subtype
    is_float = subtype in ("FLOAT", "DOUBLE")
    digits = re.search(r"\d+", subtype)
    bits = None if lossy else {"FLOAT": 32, "DOUBLE": 64}.get(subtype) or int(digits[0] if digits else 8)
    frame_bytes = sound.channels * bits / 8 if bits else max(1.0, part.there / max(sound.frames, 1))
    frames = sound.frames + math.ceil(part.missing / frame_bytes)
    return AudioInfo(
        sample_rate=sound.samplerate,
        channels=sound.channels,
        frames=frames,
        duration=frames / sound.samplerate,
        container="wav" if sound.format in ("RAW", "WAVEX") else sound.format.lower(),
        codec=subtype.lower(),
        bits=bits,
        is_float=is_float,
        lossy=lossy,
        tags=canonical(sound.copy_metadata()),
    )


def _holds_more(link: ogg.Link | None, sound: soundfile.SoundFile) -> bool:
    """Whether an Ogg file has more in it than libsndfile found."""
    rate = 48000 if sound.subtype == "OPUS" else sound.samplerate
    return link is not None and ogg.holds_more(link, sound.frames / sound.samplerate, rate)
