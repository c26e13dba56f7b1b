"""A file surveyed once, and opened as often as it is read: libsndfile tries first, FFmpeg after it."""

import contextlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from unbraid.audio import headerless
from unbraid.audio.calls import undisturbed
from unbraid.audio.headerless import Headerless
from unbraid.audio.info import Audio, AudioInfo, Decoder, Unreadable
from unbraid.audio.joined import JoinedDecoder
from unbraid.audio.options import ReadOptions, TrackChoice
from unbraid.audio.survey import Part, Survey, survey
from unbraid.audio.view import open_view
from unbraid.errors import AudioError


class Opening:
    """A file, what was found out about it, and how its decoders are made."""

    def __init__(self, source: Path | BinaryIO, name: str, track: TrackChoice, reading: ReadOptions) -> None:
        self._source, self._name, self._reading = source, name, reading
        self._track = 0 if track == "auto" else track
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
            joined = JoinedDecoder([partial(self._open, part) for part in parts], self._name, self._infos)
            self._infos, decoder = joined.infos, joined
        decoder.notices[:0] = self._survey.notices
        return decoder

    def _open(self, part: Part) -> Decoder:
        from unbraid.audio.sndfile import SndfileDecoder

        first: Unreadable | str = "not asked"
        if not part.needs_ffmpeg:
            try:
                return SndfileDecoder(self._source, self._name, self._track, self._reading, part)
            except Unreadable as reason:
                first = reason
        try:
            return undisturbed(partial(self._by_ffmpeg, part))
        except Unreadable as second:
            raise AudioError(
                f"{self._name} is not audio that can be read (libsndfile: {first}; FFmpeg: {second}). "
                f"If it should be, it is damaged or cut off: get an intact copy, or convert it to wav or flac."
                f"{headerless.advice(self._extension)}"
            ) from None

    def _by_ffmpeg(self, part: Part) -> Decoder:
        from unbraid.audio.ffmpeg import FfmpegDecoder

        with contextlib.ExitStack() as stack:
            content = self._source
            if part.pieces is not None:
                file = stack.enter_context(content.open("rb")) if isinstance(content, Path) else content
                content = open_view(file, part.pieces)
            decoder = FfmpegDecoder(content, self._name, self._track, self._reading)
            decoder.is_cut |= part.is_cut or part.missing > 0
            stack.callback(decoder.close)
            return _Owning(decoder, stack.pop_all())


def _surveyed(source: Path | BinaryIO, name: str, extension: str, asked: Headerless | None) -> Survey:
    if not isinstance(source, Path):
        return survey(source, name, extension, asked)
    with source.open("rb") as file:
        return survey(file, name, extension, asked)


class _Owning:
    """A decoder with the file that was opened for it."""

    def __init__(self, decoder: Decoder, closing: contextlib.ExitStack) -> None:
        self._decoder, self._closing = decoder, closing
        self.info, self.readable, self.is_cut = decoder.info, decoder.readable, decoder.is_cut
        self.obstacle, self.notices = decoder.obstacle, decoder.notices

    def skip(self, frames: int) -> int:
        return self._decoder.skip(frames)

    def read(self, frames: int) -> Audio:
        return self._decoder.read(frames)

    def close(self) -> None:
        self._closing.close()
