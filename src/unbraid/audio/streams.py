"""The audio tracks of a file open in FFmpeg: their descriptions, their clocks, and the choice of one."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.container import InputContainer

from unbraid.audio.demuxers import FROM_ZERO, TIMED, names_of
from unbraid.audio.facts import Facts
from unbraid.audio.info import BLOCK_FRAMES, AudioInfo, Decoder, Unreadable, no_such_track
from unbraid.audio.tags import canonical
from unbraid.errors import AudioError

LOOK_SECONDS = 300.0  # searched in each track before it counts as silent
SILENCE = 1e-4  # -80 dB
LIVE_SECONDS = 3600.0  # a file that begins later than this was cut out of a live stream
_START_SECONDS = 0.01  # a track may begin this much later without being late
_TICK_SECONDS = 0.002  # edits are rounded to milliseconds
_LOSSLESS = ("pcm_", "alac", "flac", "wavpack", "tta", "ape", "wmalossless", "truehd", "mlp", "shorten", "tak")
_BITS = {"u8": 8, "s16": 16, "s32": 24, "s64": 32, "flt": 32, "dbl": 64}  # s32 carries 20 and 24 bit codecs too
_LOCKED = ("drms", "drmi", "aavd", "enca")  # codec tags of protected MP4 tracks
_NAMED = 8  # tracks in a warning
_NAME_LETTERS = 40


@dataclass(frozen=True)
class Clock:
    """When a track begins on the clock of its file, in seconds."""

    origin: Fraction  # the start of the file
    start: float  # of the track after it


def find_track(container: InputContainer, name: str, track: int) -> av.AudioStream:
    """The asked-for audio stream.

    Raises:
        Unreadable: it is not audio, or of an unknown coding.
        AudioError: there is no such track, or it is protected.
    """
    streams = container.streams.audio
    if not streams:
        if not container.streams.video:
            raise Unreadable(f"it looks like {container.format.name}")
        raise AudioError(f"{name} is a video without an audio track. Name a file that has sound.")
    if not 0 <= track < len(streams):
        raise no_such_track(name, track, len(streams))
    stream = streams[track]
    context = stream.codec_context
    protection = {key.lower() for key in (*stream.metadata, *container.metadata)} & {"asf_protection_type"}
    if (context is not None and _codec_tag(context) in _LOCKED) or protection:
        raise protected(name)
    if context is None or not context.sample_rate or not context.layout.nb_channels:
        raise Unreadable("its audio coding is unknown here")
    return stream


def protected(name: str) -> AudioError:
    """The error for a track that is encrypted."""
    return AudioError(f"{name} is encrypted or copy protected (DRM). Name a copy without protection.")


def clock_of(container: InputContainer, stream: av.AudioStream) -> Clock:
    """When the track begins: after the earliest of the file, or after zero where time begins there."""
    names = names_of(container.format.name)
    starts = [
        Fraction(other.start_time) * other.time_base
        for other in (*container.streams.audio, *container.streams.video)
        if other.start_time is not None and other.time_base
    ]
    if not names & TIMED or not starts or stream.start_time is None or not stream.time_base:
        return Clock(Fraction(0), 0.0)
    origin = min(starts)
    if names & FROM_ZERO and 0 < origin <= LIVE_SECONDS:
        origin = Fraction(0)
    start = float(stream.start_time * stream.time_base - origin)
    return Clock(origin, start if start > _START_SECONDS else 0.0)


def describe(container: InputContainer, stream: av.AudioStream, clock: Clock, facts: Facts) -> AudioInfo:
    """The description of a track, from its header."""
    context = stream.codec_context
    rate, codec = context.sample_rate, context.name
    kind = context.format.name.removesuffix("p") if context.format else "s16"
    lossy = not codec.startswith(_LOSSLESS)
    names = names_of(container.format.name)
    frames, seconds = None, None
    if stream.duration and stream.time_base:
        stated = stream.duration * stream.time_base
        if (edited := facts.edited_seconds.get(stream.id)) is None or abs(float(stated) - edited) > _TICK_SECONDS:
            stated += Fraction(clock.start)  # else it is in it
        seconds = float(stated)
        if "mp4" in names or facts.mp3_packets is not None or names == {"flac"}:
            frames = round(stated * rate)
    elif container.duration:
        seconds = container.duration / av.time_base
    return AudioInfo(
        sample_rate=rate,
        channels=context.layout.nb_channels,
        frames=frames,
        duration=seconds,
        container=container.format.name,
        codec={"mp3float": "mp3", "mp2float": "mp2", "mp1float": "mp1"}.get(codec, codec),
        bits=None if lossy else _BITS.get(kind, 24),
        is_float=not lossy and kind in ("flt", "dbl"),
        lossy=lossy,
        tags=canonical({**stream.metadata, **container.metadata}),
        tracks=len(container.streams.audio),
        track=container.streams.audio.index(stream),
        start_seconds=clock.start,
    )


def several(container: InputContainer, track: int) -> str:
    """The warning about a file with several audio tracks: their names, and the one that is read."""
    streams = container.streams.audio
    called = [f"{number}{_called(stream)}" for number, stream in enumerate(streams[:_NAMED])]
    more = ", …" if len(streams) > _NAMED else ""
    hint = (
        "; choose another one with --track N, or the first that is not silent with --track auto" if track == 0 else ""
    )
    return f"it has {len(streams)} audio tracks ({', '.join(called)}{more}), of which track {track} is read{hint}"


def first_audible_track(tracks: int, opened: Callable[[int], Decoder]) -> int:
    """The first track that is not silent in its first LOOK_SECONDS; track 0 if all are silent."""
    for track in range(tracks):
        try:
            decoder = opened(track)
        except (Unreadable, AudioError):  # unknown codec, or protected
            continue
        try:
            if _is_audible(decoder):
                return track
        except AudioError:  # damaged, and silent up to there
            continue
        finally:
            decoder.close()
    return 0


def _is_audible(decoder: Decoder) -> bool:
    """Whether a track is louder than SILENCE anywhere in its first minutes."""
    rate = decoder.info.sample_rate
    decoder.skip(round(decoder.info.start_seconds * rate))
    for _ in range(0, round(LOOK_SECONDS * rate), BLOCK_FRAMES):
        block = decoder.read(BLOCK_FRAMES)
        if np.abs(block).max(initial=0.0) > SILENCE:
            return True
        if block.shape[1] < BLOCK_FRAMES:
            break
    return False


def _called(stream: av.AudioStream) -> str:
    """The language and title of a track, where present."""
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    language = tags.get("language", "und")
    title = "".join(letter if letter.isprintable() else " " for letter in tags.get("title", ""))[:_NAME_LETTERS]
    words = [word for word in (language if language != "und" else "", f'"{title}"' if title.strip() else "") if word]
    return f": {' '.join(words)}" if words else ""


def _codec_tag(context: av.AudioCodecContext) -> str:
    """The four letters of a coding in its container; none where they are no letters, as in WAV and AVI."""
    try:
        return context.codec_tag
    except UnicodeDecodeError:
        return ""
