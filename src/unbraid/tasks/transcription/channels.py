"""Separate transcription of channels, for calls with one speaker per channel."""

import dataclasses
import functools
import heapq
from collections.abc import Iterator, Sequence
from typing import Literal

from unbraid.dsp.arrays import Blocks
from unbraid.tasks.separation.stream import PassProgress, Progress, Track
from unbraid.tasks.transcription.subtitles import lines_of
from unbraid.tasks.transcription.transcript import Word

Channels = Literal["mix", "apart"]


def channels_of(track: Track, progress: Progress | None) -> Iterator[Track]:
    """Each channel of a track as a track of its own."""
    passes = PassProgress(progress, track.channels, track)

    def one(channel: int) -> Blocks:
        return (block[channel : channel + 1] for block in passes.reported(track.blocks()))

    for channel in range(track.channels):
        yield dataclasses.replace(track, channels=1, blocks=functools.partial(one, channel))


def merged(channels: Sequence[Sequence[Word]]) -> Iterator[Word]:
    """The words of several channels in the order of their lines' start times, each with its channel as its voice."""
    lines = [lines_of(words, f"channel {number}") for number, words in enumerate(channels, 1)]
    for line in heapq.merge(*lines, key=lambda line: line.start):
        yield from (dataclasses.replace(word, voice=line.voice) for word in line.words)
