"""The mix of a job's tracks as the player has set it: volume, place between left and right, and muted passages.

It is made of the whole files while it is sent, as float32, which never clips. A track is placed as the page does it,
by the formula of the StereoPannerNode for stereo (Web Audio API, section 1.30): its power stays the same, and what is
moved to one side is added to what is there.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, StreamingResponse

from unbraid.audio import Reader
from unbraid.audio.riff import WavLayout, header
from unbraid.dsp.arrays import FloatArray
from unbraid.errors import UsageError, quoted
from unbraid.service.jobs import Job
from unbraid.service.problems import Problem, responses
from unbraid.service.routes import own_job, service_of

router = APIRouter(prefix="/v1", tags=["jobs"], responses=responses(401, 403, 404, 409, 421, 422))
MOST_GAIN = 4.0
FADE_SECONDS = 0.005  # at the edges of a muted passage
_FORMATS = (".flac", ".wav", ".mp3", ".opus", ".m4a")
_MOST = 100  # tracks, or passages


@dataclass(frozen=True)
class MixTrack:
    """A track of a mix."""

    path: Path
    gain: float = 1.0
    pan: float = 0.0  # -1 left, 1 right
    muted: tuple[tuple[float, float], ...] = ()  # (start, end) of passages, in seconds


@router.get("/jobs/{job}/mix", response_class=StreamingResponse)
def get_mix(
    request: Request,
    job: str,
    track: Annotated[
        list[str] | None,
        Query(max_length=_MOST, description="NAME:GAIN:PAN of each track; without any, all", examples=["vocals:0.5:0"]),
    ] = None,
    mute: Annotated[
        list[str] | None,
        Query(max_length=_MOST, description="NAME:START:END of each muted passage", examples=["vocals:12.5:20"]),
    ] = None,
) -> StreamingResponse:
    """A mix of the tracks of a job that is done, as WAV of float32."""
    found = own_job(request, job)
    files = _tracks_of(request, found)
    if not files:
        raise Problem(409, f"The job is {found.state} and has no tracks to mix.")
    chosen = mix_of(files, track or [f"{name}:1:0" for name in files], mute or [])
    layout, frames = _layout(chosen)
    size = len(header(layout, frames)) + frames * layout.frame_bytes
    name = FileResponse(chosen[0].path, filename=f"{PurePath(found.name).stem} mix.wav").headers["content-disposition"]
    headers = {"Content-Disposition": name, "Content-Length": str(size)}
    return StreamingResponse(mixed(chosen, layout, frames), media_type="audio/wav", headers=headers)


def _tracks_of(request: Request, job: Job) -> dict[str, Path]:
    """The tracks of a job by their names."""
    storage = service_of(request).storage
    names = [file.name for file in job.files if file.role == "result" and PurePath(file.name).suffix in _FORMATS]
    return {PurePath(name).stem: storage.file(job, name) for name in names}


def mix_of(files: dict[str, Path], tracks: Sequence[str], muted: Sequence[str]) -> list[MixTrack]:
    """The tracks of a mix, of NAME:GAIN:PAN each, and NAME:START:END of each muted passage.

    Raises:
        UsageError: there is no such track, or a number is out of range.
    """
    passages: dict[str, list[tuple[float, float]]] = {name: [] for name in files}
    for text in muted:
        name, start, end = _numbers(text, files, "START:END in seconds, such as 12.5:20")
        if not 0 <= start < end:
            raise UsageError(f"A muted passage begins before it ends, and not before 0: {quoted(text)} does not.")
        passages[name].append((start, end))
    found = []
    for text in tracks:
        name, gain, pan = _numbers(text, files, "GAIN:PAN, such as 1:0")
        if not (0 <= gain <= MOST_GAIN and -1 <= pan <= 1):
            raise UsageError(f"The gain is 0 to {MOST_GAIN:g}, and the pan -1 (left) to 1 (right): {quoted(text)}.")
        found.append(MixTrack(files[name], gain, pan, tuple(passages[name])))
    return found


def _numbers(text: str, files: dict[str, Path], form: str) -> tuple[str, float, float]:
    """NAME:NUMBER:NUMBER."""
    name, *numbers = text.rsplit(":", 2)
    if name not in files:
        raise UsageError(f"The job has no track {quoted(name)}; its tracks are {', '.join(files)}.")
    try:
        first, second = map(float, numbers)
    except ValueError:
        raise UsageError(f"Behind the name of a track is {form}, not {quoted(text)}.") from None
    return name, first, second


def _layout(tracks: Sequence[MixTrack]) -> tuple[WavLayout, int]:
    """The layout of the mix, and its length: the tracks of a job have one length and rate."""
    with Reader(tracks[0].path) as reader:
        info, frames = reader.info, reader.frames
        if frames is None:  # as in MP3: it is counted
            frames = sum(block.shape[1] for block in reader.blocks())
    is_panned = any(track.pan for track in tracks)
    if is_panned and info.channels > 2:
        raise UsageError(f"Tracks of {info.channels} channels are not moved to the left or right; leave the pan at 0.")
    return WavLayout(info.sample_rate, max(info.channels, 2 if is_panned else 1), 32), frames


def mixed(tracks: Sequence[MixTrack], layout: WavLayout, frames: int) -> Iterator[bytes]:
    """The pieces of a WAV file: the sum of the tracks."""
    yield header(layout, frames)
    done = 0
    with ExitStack() as opened:
        readers = [opened.enter_context(Reader(track.path)) for track in tracks]
        for blocks in zip(*(reader.blocks() for reader in readers), strict=False):
            whole = np.zeros((layout.channels, blocks[0].shape[1]), np.float32)
            for track, block in zip(tracks, blocks, strict=True):
                audible = block * (track.gain * envelope(track.muted, done, block.shape[1], layout.sample_rate))
                placed = panned(audible, track.pan) if layout.channels == 2 else audible
                whole[:, : placed.shape[1]] += placed[:, : whole.shape[1]]
            whole = whole[:, : frames - done]
            done += whole.shape[1]
            yield whole.T.astype("<f4").tobytes()
    yield bytes((frames - done) * layout.frame_bytes)


def envelope(muted: Sequence[tuple[float, float]], start: int, count: int, sample_rate: int) -> FloatArray:
    """The gain (count,) from sample START on: 0 in muted passages, with a fade inside each edge."""
    times = np.arange(start, start + count) / sample_rate
    gain = np.ones(count)
    for first, last in muted:
        outside = np.maximum(first + FADE_SECONDS - times, times - last + FADE_SECONDS) / FADE_SECONDS
        gain = np.minimum(gain, outside.clip(0, 1))
    return gain.astype(np.float32)


def panned(block: FloatArray, pan: float) -> FloatArray:
    """Audio (1 or 2, n) -> (2, n), moved to the left (-1) or right (1)."""
    left, right = block if len(block) == 2 else (block[0], block[0])
    angle = (pan + 1 if pan <= 0 else pan) * math.pi / 2
    if pan <= 0:
        return np.stack((left + right * math.cos(angle), right * math.sin(angle))).astype(np.float32)
    return np.stack((left * math.cos(angle), right + left * math.sin(angle))).astype(np.float32)
