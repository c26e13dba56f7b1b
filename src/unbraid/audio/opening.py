"""A file that is surveyed once and can be opened many times: first with libsndfile, else with FFmpeg."""

import functools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from unbraid.audio import headerless
from unbraid.audio.headerless import Headerless
from unbraid.audio.info import AudioInfo, Decoder, Unreadable
from unbraid.audio.joined import JoinedDecoder
from unbraid.audio.options import ReadOptions, TrackChoice
from unbraid.audio.parts import Part, Survey
from unbraid.audio.signals import undisturbed
from unbraid.audio.survey import survey
from unbraid.errors import AudioError

_SETTLED_SECONDS = 2.0  # after which another change shows in the file's time


class Opening:
    """A file, its survey, and a factory of its decoders."""

    def __init__(self, source: Path | BinaryIO, name: str, track: TrackChoice, reading: ReadOptions) -> None:
        self._source, self._name, self._reading = source, name, reading
        self._track = track
        self._extension = Path(source if isinstance(source, Path) else name).suffix.lower()
        asked = headerless.parse(reading.input_format) if reading.input_format else None
        self._survey = _surveyed(source, name, self._extension, asked)
        self._infos: Sequence[AudioInfo] | None = None

    def decoder(self) -> Decoder:
        """A decoder at the start of the track."""
        parts = self._survey.parts
        if len(parts) == 1:
            decoder = self._open(parts[0])
        else:
            joined = JoinedDecoder([functools.partial(self._open, part) for part in parts], self._name, self._infos)
            self._infos, decoder = joined.infos, joined
        decoder.notices[:0] = self._survey.notices
        return decoder

    def _open(self, part: Part) -> Decoder:
        """A part in libsndfile, and behind damage in FFmpeg; or in FFmpeg alone, which is loaded only then."""
        from unbraid.audio.recovery import RecoveringDecoder
        from unbraid.audio.sndfile import SndfileDecoder

        reason: Unreadable | str = "left to FFmpeg"
        if not part.needs_ffmpeg:
            try:
                first = SndfileDecoder(self._source, self._name, self._number, part)
                other = functools.partial(self._by_ffmpeg, part, 0)
                return RecoveringDecoder(first, other, skips_damage=self._reading.skip_damage)
            except Unreadable as unreadable:
                reason = unreadable
        try:
            return self._by_ffmpeg(part, self._number) if self._track != "auto" else self._sounding(part)
        except Unreadable as second:
            raise AudioError(
                f"{self._name} is not audio that can be read (libsndfile: {reason}; FFmpeg: {second}). "
                f"If it should be, it is damaged or cut off: get an intact copy, or convert it to wav or flac."
                f"{headerless.advice(self._extension)}"
            ) from None

    @property
    def _number(self) -> int:
        return 0 if self._track == "auto" else self._track

    def _sounding(self, part: Part) -> Decoder:
        """Choose the first track that is not silent."""
        from unbraid.audio.streams import first_audible_track

        first = self._by_ffmpeg(part, 0)
        if first.info.tracks == 1:
            return first
        first.close()
        self._track = first_audible_track(first.info.tracks, functools.partial(self._by_ffmpeg, part))
        return self._by_ffmpeg(part, self._track)

    def _by_ffmpeg(self, part: Part, track: int) -> Decoder:
        from unbraid.audio.ffmpeg import FfmpegDecoder

        return undisturbed(functools.partial(FfmpegDecoder, self._source, self._name, track, self._reading, part))


def _surveyed(source: Path | BinaryIO, name: str, extension: str, asked: Headerless | None) -> Survey:
    if not isinstance(source, Path):
        return survey(source, name, extension, asked)
    about = source.stat()
    look = _survey_of if time.time() - about.st_mtime > _SETTLED_SECONDS else _survey_of.__wrapped__
    return look(source, (about.st_ino, about.st_size, about.st_mtime_ns), name, extension, asked)


@functools.lru_cache(maxsize=4096)
def _survey_of(
    path: Path, version: tuple[int, int, int], name: str, extension: str, asked: Headerless | None
) -> Survey:
    """The survey of a version of a file; training opens each file many times."""
    with path.open("rb") as file:
        return survey(file, name, extension, asked)
