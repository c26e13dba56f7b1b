"""Keeps those outputs of a network that hold a voice, in two passes over a recording; the network runs in the first.

Which outputs these are is known only at the end of the recording, so the stems wait on disk until then. The second
pass reads the recording again and takes them from there in step with it.
"""

from collections.abc import Callable

from unbraid.dsp.arrays import Blocks
from unbraid.hub.spec import ModelSpec
from unbraid.tasks.results import Diagnostics
from unbraid.tasks.separation.counting import Activity, Levels
from unbraid.tasks.separation.fronts import WaveformFront, speech_stems
from unbraid.tasks.separation.spool import spooled_stems

WORK = (19, 1)  # how long the two passes take, relative to each other


def counted_voices(
    speech: WaveformFront,
    open_blocks: Callable[[], Blocks],
    spec: ModelSpec,
    speakers: int | None,
    diagnostics: Diagnostics,
) -> Blocks:
    """The stems (S, C, n) that hold a voice, or as many as there are `speakers`, the one that speaks first in front.

    The number of voices that were found is in the diagnostics before the first stems come.

    Raises:
        AudioError: the disk for temporary files is full.
    """
    levels, activity = Levels(spec.sample_rate), Activity(len(spec.stems))
    with spooled_stems() as spool:
        for stems in speech_stems(speech, open_blocks(), diagnostics.agreement_db):
            spool.write(stems)
            activity.add(levels.add(stems))
        activity.add(levels.finish())
        kept = activity.voices()
        diagnostics.voices_found = len(kept)
        if speakers is not None:
            kept = activity.longest(speakers)
        for block in open_blocks():
            yield spool.read(block.shape[-1])[kept]
