"""Separate transcription of channels, for calls with one speaker per channel."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Literal

from unbraid.dsp.arrays import Blocks
from unbraid.tasks.separation.stream import PassProgress, Progress, Track

Channels = Literal["mix", "apart"]


def channels_of(track: Track, progress: Progress | None) -> Iterator[Track]:
    """Each channel of a track as a track of its own."""
    passes = PassProgress(progress, track.channels, track)

    def one(channel: int) -> Blocks:
        return (block[channel : channel + 1] for block in passes.reported(track.blocks()))

    for channel in range(track.channels):
        yield dataclasses.replace(track, channels=1, blocks=functools.partial(one, channel))
