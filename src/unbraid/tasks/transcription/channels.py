"""Separate transcription of channels, for calls with one speaker per channel."""

import dataclasses
import functools
import heapq
from collections.abc import Iterator, Sequence
from typing import Literal

from unbraid.dsp import Blocks
from unbraid.tasks.separation.stream import Progress, Track
from unbraid.tasks.transcription.subtitles import lines_of
from unbraid.tasks.transcription.transcript import Word

Channels = Literal["mix", "apart"]


def reported(track: Track, progress: Progress | None, done_share: float = 0.0, share: float = 1.0) -> Blocks:
    """The blocks of a track; progress is reported as a share of the whole work."""
    total = None if track.frames is None else track.frames / track.sample_rate
    done = 0
    for block in track.blocks():
        yield block
        done += block.shape[1]
        if progress:
            before = 0.0 if total is None else done_share * total
            progress(before + share * done / track.sample_rate, total)


def channels_of(track: Track, progress: Progress | None) -> Iterator[Track]:
    """Each channel of a track as a track of its own."""

    def one(channel: int) -> Blocks:
        count = track.channels
        return (block[channel : channel + 1] for block in reported(track, progress, channel / count, 1 / count))

    for channel in range(track.channels):
        yield dataclasses.replace(track, channels=1, blocks=functools.partial(one, channel))


def merged(channels: Sequence[Sequence[Word]]) -> Iterator[Word]:
    """The words of several channels in the order of their lines' start times, each with its channel as its voice."""
    lines = [lines_of(words, f"channel {number}") for number, words in enumerate(channels, 1)]
    for line in heapq.merge(*lines, key=lambda line: line.start):
        yield from (dataclasses.replace(word, voice=line.voice) for word in line.words)
