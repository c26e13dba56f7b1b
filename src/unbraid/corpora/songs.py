"""Songs and their parts: one file or more for each part, read on demand from any position.

A corpus has parts, a model has stems. `stems_of` maps one to the other, so that one folder serves models of
two, four and five stems. A part that a song lacks is silent.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unbraid.audio import resample
from unbraid.corpora.levels import Array
from unbraid.corpora.mixtures import Clip, frames_in, opened
from unbraid.errors import AudioError

PARTS = ("vocals", "drums", "bass", "piano", "other")  # into which corpora divide songs
SLACK_SECONDS = 0.1  # recordings of one song may differ by so much in length; the rest of a shorter one is silence
MOST_CHANNELS = 2
_MARGIN_SECONDS = 0.05  # context of the resampler before and after a piece, so that pieces fit together


@dataclass(frozen=True)
class Song:
    """A song, and the recordings of its parts."""

    name: str
    parts: Mapping[str, tuple[Clip, ...]]  # part: the recordings that add up to it; a part that is missing is silent
    mixture: Clip | None = None  # None: the sum of all parts


def stems_of(song: Song, stems: Sequence[str]) -> dict[str, tuple[Clip, ...]]:
    """The recordings that add up to each stem of a model; a stem that the song lacks is not there.

    A part goes to the stem of its name, else to "accompaniment" or "instrumental" (never vocals), else to "other", else
    nowhere.
    """
    found: dict[str, tuple[Clip, ...]] = {}
    for part, clips in song.parts.items():
        places = (part, "other") if part == "vocals" else (part, "accompaniment", "instrumental", "other")
        if stem := next((place for place in places if place in stems), None):
            found[stem] = found.get(stem, ()) + tuple(clips)
    return {stem: found[stem] for stem in stems if stem in found}


def song_seconds(song: Song) -> float:
    """The length of a song in seconds: that of its longest recording.

    Raises:
        AudioError: a recording is unreadable or has more than two channels, or two differ by more than a tenth of a
            second in length.
    """
    clips = [clip for part in song.parts.values() for clip in part]
    return _common_seconds([*clips, song.mixture] if song.mixture else clips)


def read_stereo(
    clips: Sequence[Clip], sample_rate: int, start_seconds: float = 0.0, seconds: float | None = None
) -> Array:
    """The sum (2, T) of recordings, or the piece of it that is asked for; levels are as stored.

    With `seconds`, T = round(seconds · sample_rate) wherever the piece begins, and recordings are silent after their
    end; without, the piece ends with the longest recording. A mono recording is heard on both channels. At another
    rate than the file's, a piece equals that of the resampled whole within -90 dB.

    Raises:
        AudioError: a recording is unreadable or has more than two channels, or two differ by more than a tenth of a
            second in length.
    """
    if len(clips) > 1 or seconds is None:
        length = _common_seconds(clips)
        seconds = max(0.0, length - start_seconds) if seconds is None else seconds
    start, samples = round(start_seconds * sample_rate), round(seconds * sample_rate)
    audio = np.zeros((MOST_CHANNELS, samples), np.float32)  # (2, T)
    for clip in clips:
        piece = _piece(clip, sample_rate, start, samples)  # (1 or 2, ≤ T)
        audio[:, : piece.shape[1]] += piece
    return audio


def _common_seconds(clips: Sequence[Clip]) -> float:
    """The length of recordings that belong together; 0 if there are none."""
    if not clips:
        return 0.0
    lengths = {clip: clip_seconds(clip) for clip in clips}
    longest, shortest = (choose(lengths, key=lengths.__getitem__) for choose in (max, min))
    if lengths[longest] - lengths[shortest] > SLACK_SECONDS:
        raise AudioError(
            f"{longest.path} lasts {lengths[longest]:.3f} s but {shortest.path} {lengths[shortest]:.3f} s; the "
            f"recordings of a song may differ by {SLACK_SECONDS:g} s. Make them equally long, or take the song out."
        )
    return lengths[longest]


def clip_seconds(clip: Clip) -> float:
    """The length of a recording, from its header if stated there."""
    with opened(clip, MOST_CHANNELS) as reader:
        return frames_in(reader) / reader.info.sample_rate


def _piece(clip: Clip, sample_rate: int, start: int, samples: int) -> Array:
    """(C, ≤ samples) of a recording from the sample `start` on, fewer if it ends earlier.

    Reading begins and ends at multiples of 1 / gcd s, where both rates have whole samples, so that a piece has the
    phase of the whole; at another rate, with a margin.
    """
    with opened(clip, MOST_CHANNELS) as reader:
        rate, frames = reader.info.sample_rate, frames_in(reader)
        channels = reader.info.channels
    grid = math.gcd(rate, sample_rate)
    margin = 0 if rate == sample_rate else math.ceil(_MARGIN_SECONDS * grid)
    first = max(0, start * grid // sample_rate - margin)
    last = -(-(start + samples) * grid // sample_rate) + margin
    begin, end = first * (rate // grid), min(last * (rate // grid), frames)
    if begin >= end:
        return np.zeros((channels, 0), np.float32)
    with opened(clip.part(begin / rate, (end - begin) / rate), MOST_CHANNELS) as reader:
        audio = resample(reader.read(), rate, sample_rate)  # (C, T)
    at = start - first * (sample_rate // grid)
    return audio[:, at : at + samples]
