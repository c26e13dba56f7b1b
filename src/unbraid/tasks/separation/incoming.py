"""Audio that comes block by block and only once: from a pipe, a microphone, or a program.

A network that takes one pass gives its first stems when the first window is full. For more passes, as of a Wiener
filter or to follow people, the blocks are first kept in a temporary file.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from unbraid.audio import ArrayLike, Excerpt, OutputFormat, as_audio, checked_rate, open_writer
from unbraid.dsp.arrays import Blocks, FloatArray
from unbraid.errors import AudioError
from unbraid.files.workdir import temporary_folder
from unbraid.tasks.results import Diagnostics, Run
from unbraid.tasks.separation.stream import Track

_FLOAT = OutputFormat("wav", "32f")


def incoming_run(
    arrays: Iterator[ArrayLike],
    sample_rate: int,
    passes: int,
    separated: Callable[[Track], Generator[dict[str, FloatArray], None, None]],
    diagnostics: Diagnostics,
) -> Run[dict[str, FloatArray]]:
    """A run over arrays (C, n) as they come, through a temporary file where they are read in several passes."""

    def blocks() -> Generator[dict[str, FloatArray], None, None]:
        track = incoming_track(arrays, sample_rate)
        if passes == 1:
            yield from separated(track)
            return
        with spooled_track(track) as file:
            yield from Run.over_file(file, Excerpt(), separated, diagnostics)

    return Run(blocks(), diagnostics)


def incoming_track(arrays: Iterator[ArrayLike], sample_rate: int) -> Track:
    """A track of arrays (C, n) as they come, which can be read once.

    Raises:
        AudioError: there are no arrays, or the first is none of real numbers (C, n).
    """
    first = next(arrays, None)
    if first is None:
        raise AudioError("There are no blocks of audio; give at least one array (channels, samples).")
    begun = as_audio(first)
    unread = [_checked(begun, arrays)]

    def blocks() -> Blocks:
        if not unread:
            raise AudioError("Blocks of audio come only once, and were read already; give them again.")
        yield from unread.pop()

    return Track(checked_rate(sample_rate), len(begun), None, blocks)


@contextmanager
def spooled_track(track: Track) -> Iterator[Path]:
    """A temporary file with the samples of a track, exactly, to be read as often as needed.

    Raises:
        AudioError: the temporary folder is full.
    """
    with temporary_folder() as folder:
        file = folder / "incoming.wav"
        with open_writer(file, track.sample_rate, track.channels, _FLOAT) as writer:
            for block in track.blocks():
                writer.write(block)
        yield file


def _checked(first: FloatArray, others: Iterator[ArrayLike]) -> Blocks:
    for block in chain((first,), map(as_audio, others)):
        if len(block) != len(first):
            raise AudioError(f"A block has {len(block)} channels, the first one {len(first)}; give all the same.")
        yield block
