"""A track for each person of a recording, in two passes over it; the network runs in the first.

Who has which output when is known only at the end of the recording, so the stems wait on disk until then. The second
pass reads the recording again and takes them from there in step with it.

Where somebody is active, the tracks add up to the recording: what the network left is shared among the active ones, in
proportion to their local power. What nobody claims, such as music between turns, is the residual.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from unbraid.dsp.arrays import Blocks, FloatArray
from unbraid.hub.spec import ModelSpec
from unbraid.tasks.conversation.activity import frame_samples
from unbraid.tasks.conversation.conversation import Conversation
from unbraid.tasks.conversation.timeline import Timeline
from unbraid.tasks.conversation.tracking import Embedder, Tracker, Wanted
from unbraid.tasks.results import Diagnostics
from unbraid.tasks.separation.fronts import WaveformFront, speech_stems
from unbraid.tasks.separation.high_band import shared_among
from unbraid.tasks.separation.spool import Spool, spooled_stems
from unbraid.tasks.separation.stream import Feed, Progress, Track, Waiting, with_rumble

WORK = (19, 1)  # how long the two passes take, relative to each other


@dataclass
class Followed:
    """A network on waveforms, whose voices are followed through a recording."""

    speech: WaveformFront
    spec: ModelSpec
    embedder: Embedder
    wanted: Wanted
    diagnostics: Diagnostics  # gets the conversation before the first tracks come
    timeline: Timeline | None = None  # known from then on

    def conversation(self, track: Track, progress: Progress | None) -> Iterator[Conversation]:
        """Who speaks when in a track, in one pass; an iterator over this one result."""
        feed = Feed(track, self.spec.sample_rate, progress=progress, rumble=Waiting())
        with spooled_stems() as spool:
            yield self.listen(feed.low(), spool)[1]

    def separated(self, feed: Feed, rumble: Waiting, *, residual: bool) -> Blocks:
        """The tracks (K, C, n) of people in a feed, and the residual, where it is wanted.

        DC offset and rumble are put back into the residual, or else into the tracks.
        """
        rate = feed.track.sample_rate
        stems = self.with_residual(feed.run(self.tracks), rate)
        wanted = stems if residual else (block[:-1] for block in stems)
        return with_rumble(wanted, rumble, rate, residual=residual, strength=1.0)

    def tracks(self, open_blocks: Callable[[], Blocks]) -> Blocks:
        """What the network has of each person: (K, C, n) at the model's rate.

        Raises:
            AudioError: the disk for temporary files is full.
        """
        with spooled_stems() as spool:
            self.timeline, _ = self.listen(open_blocks(), spool)
            first, cell = 0, frame_samples(self.spec.sample_rate)
            for block in open_blocks():
                samples = block.shape[-1]
                gates = self.timeline.gates(first, samples, cell)  # (K, S, n)
                yield np.einsum("ksn,scn->kcn", gates, spool.read(samples))
                first += samples

    def outputs(self, open_blocks: Callable[[], Blocks]) -> Blocks:
        """The network's outputs (S, C, n), whoever speaks on them."""
        with spooled_stems() as spool:
            self.listen(open_blocks(), spool)
            for block in open_blocks():
                yield spool.read(block.shape[-1])

    def listen(self, blocks: Blocks, spool: Spool) -> tuple[Timeline, Conversation]:
        """Run the network over blocks (C, n), and find the people."""
        tracker = Tracker(self.spec.sample_rate)
        for stems in speech_stems(self.speech, blocks, self.diagnostics.agreement_db, tracker.seams):
            spool.write(stems)
            tracker.add(stems)
        timeline, conversation = tracker.finish(spool, self.embedder, self.wanted)
        self.diagnostics.conversation = conversation
        self.diagnostics.voices_found = len(conversation.speakers)
        return timeline, conversation

    def with_residual(self, pairs: Iterator[tuple[FloatArray, FloatArray]], sample_rate: int) -> Blocks:
        """Tracks (K, C, n) and their residual, which add up to the recording (C, n) that comes with each of them."""
        cell = frame_samples(self.spec.sample_rate) * sample_rate / self.spec.sample_rate
        waiting = Waiting()

        def claimed() -> Iterator[tuple[FloatArray, FloatArray]]:
            first = 0
            for whole, tracks in pairs:
                waiting.put(whole)
                assert self.timeline is not None
                total, claim = tracks.sum(0), self.timeline.claim(first, whole.shape[-1], cell)
                first += whole.shape[-1]
                yield total + claim * (whole - total), tracks

        tracks = shared_among(self.spec, claimed(), sample_rate, to_silent=False)
        for whole, block in waiting.pair(tracks):
            yield np.concatenate((block, (whole - block.sum(0))[None]))
