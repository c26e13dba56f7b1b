"""Separate conversations as a user would, from file to blocks, and score the tracks and the segments as they come.

Time is that of the separation alone, reading included. Memory does not grow with the length of a conversation, but for
a few numbers for each second.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from unbraid.audio import Reader
from unbraid.corpora.conversations import Conversation
from unbraid.corpora.rttm import overlap_share
from unbraid.dsp.arrays import FloatArray
from unbraid.errors import AudioError
from unbraid.evaluation.conversation.segments import (
    SegmentScores,
    active_segments,
    has_diarization_metrics,
    score_segments,
)
from unbraid.evaluation.conversation.tracks import STEP_SECONDS, SpeakingTimes, TrackScores, TrackStatistics
from unbraid.evaluation.conversation.transcripts import WordScores
from unbraid.evaluation.run import TimedResult
from unbraid.tasks.conversation.activity import Levels
from unbraid.tasks.results import Run

RESIDUAL = "residual"


class Separates(Protocol):
    """A separator, or a fake in a test. Who speaks when is in the diagnostics of a run, if it tells that."""

    def blocks(self, source: Path) -> Run[dict[str, FloatArray]]:
        """Tracks of people {name: (C, n)}, block by block."""
        ...


@dataclass(frozen=True)
class ConversationResult(TimedResult):
    """The scores of a conversation."""

    people: int
    found: int
    tracks: TrackScores
    segments: SegmentScores | None  # None: pyannote.metrics is not installed
    overlap: float  # share of the time of speech
    overlap_found: float
    segments_by_level: bool  # the model does not say who speaks when; its tracks' levels do
    words: WordScores | None = None  # where it was transcribed


def separate_and_score(separator: Separates, conversation: Conversation) -> ConversationResult:
    """Separate one conversation and score it.

    Raises:
        AudioError: a file cannot be read, or the tracks end too soon.
    """
    run, watch = separator.blocks(conversation.mixture), Stopwatch()
    statistics = TrackStatistics()
    with ExitStack() as opened:
        readers = [opened.enter_context(Reader(conversation.reference(name))) for name in conversation.speakers]
        rate = readers[0].info.sample_rate
        levels, references = Levels(rate), zip(*(reader.blocks(STEP_SECONDS * rate) for reader in readers), strict=True)
        speaking, names = SpeakingTimes(conversation.segments, conversation.speakers, rate), tuple[str, ...]()
        for tracks, blocks in zip(in_steps(watch.over(run), STEP_SECONDS * rate), references, strict=False):
            names, voices = tuple(tracks), np.concatenate(blocks)  # (R, n)
            sound = np.stack([track.mean(0) for track in tracks.values()])  # (E, n)
            start, end = statistics.samples, statistics.samples + voices.shape[-1]
            if sound.shape[-1] != voices.shape[-1]:
                break
            statistics.add(voices, sound, speaking.between(start, end))
            levels.add(sound[:, None])
    if statistics.samples != round(conversation.seconds * rate):
        raise AudioError(f"The tracks of {conversation.name} have another length than its references.")
    told = run.diagnostics.conversation
    segments = list(told.segments) if told else active_segments(levels.finish(), names)
    people, seconds = len(conversation.speakers), statistics.samples / rate
    by = score_segments(conversation.segments, segments, seconds) if has_diarization_metrics() else None
    return ConversationResult(
        conversation.name, seconds, watch.wall, watch.cpu, people, len(names), statistics.scores(), by,
        overlap_share(conversation.segments), overlap_share(segments), told is None,
    )  # fmt: skip


class Stopwatch:
    """The time that an iterator takes, without that of its user."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0  # seconds

    def over(self, blocks: Iterator[dict[str, FloatArray]]) -> Iterator[dict[str, FloatArray]]:
        """The same blocks."""
        while True:
            wall, cpu = time.perf_counter(), time.process_time()
            block = next(blocks, None)
            self.wall, self.cpu = self.wall + time.perf_counter() - wall, self.cpu + time.process_time() - cpu
            if block is None:
                return
            yield block


def in_steps(blocks: Iterator[dict[str, FloatArray]], samples: int) -> Iterator[dict[str, FloatArray]]:
    """Tracks {name: (C, n)} without the residual in blocks of so many samples; the last may be shorter."""
    waiting: list[dict[str, FloatArray]] = []
    count = 0
    for block in blocks:
        tracks = {name: track for name, track in block.items() if name != RESIDUAL}
        waiting.append(tracks)
        count += next(iter(tracks.values())).shape[-1]
        if count < samples:
            continue
        whole = {name: np.concatenate([part[name] for part in waiting], axis=-1) for name in tracks}
        for start in range(0, count - samples + 1, samples):
            yield {name: track[:, start : start + samples] for name, track in whole.items()}
        waiting = [{name: track[:, count - count % samples :] for name, track in whole.items()}]
        count %= samples
    if count:
        yield {name: np.concatenate([part[name] for part in waiting], axis=-1) for name in waiting[0]}
