"""Memory does not grow with length: an hour peaks where three minutes do.

Rates are low and networks fake, so that an hour passes in seconds; what is kept is a matter of seconds, not of
samples. Memory is what Python and NumPy have allocated at most.
"""

import dataclasses
import gc
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from engine_fakes import (
    FILMS,
    HTDEMUCS,
    ROFORMER,
    Fake,
    bands,
    even_and_odd,
    htdemucs_spec,
    music_fake,
    music_spec,
    noise,
    roformer_spec,
    speech_fake,
    speech_spec,
    tiger_spec,
)
from unbraid.dsp.arrays import Blocks
from unbraid.hub.spec import ModelSpec, Spectral, Windows
from unbraid.tasks.results import Diagnostics
from unbraid.tasks.separation import stream
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.separation.stream import Track
from unbraid.tasks.transcription.people import words_of_people
from unbraid.tasks.transcription.transcript import Word
from voice_fakes import by_turns, counting_spec

MINUTE = 60
BLOCK_SECONDS = 10
KEPT_BYTES = 10_000_000  # of an hour: levels, pieces and embeddings, and the likeness of a thousand pieces at once
SONG = Spectral(frame_samples=256, hop_samples=128, frames=128, bins=64)


class EvenOrOdd:
    """Embeddings of the voices of `by_turns`: whether the even samples are louder than the odd ones."""

    least_samples = 100

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec

    def embed(self, pieces: Sequence[np.ndarray]) -> np.ndarray:
        louder = [np.square(piece[::2]).sum() > np.square(piece[1::2]).sum() for piece in pieces]
        return np.eye(2, dtype=np.float32)[np.array(louder, int)]

    def close(self) -> None:
        pass


class TwiceTheMixture:
    """A Hybrid Transformer Demucs whose two stems are its input, as waveform and as spectrum."""

    device, reason = "fake", "a test asked for it"

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"waves": np.tile(inputs["mixture"], (1, 2, 1)), "spectra": np.tile(inputs["spectrum"], (1, 2, 1, 1))}

    def close(self) -> None:
        pass


def engine(kind: str, rate: int) -> Separator:
    """A separator around a fake that keeps no diary."""
    if kind == "speech":
        fake, spec, options = speech_fake(even_and_odd), speech_spec(2, rate, Windows(12.0, 3.0)), Options()
    elif kind == "counting":
        fake, spec, options = speech_fake(by_turns), counting_spec(Windows(12.0, 3.0), rate), Options()
    elif kind.startswith("roformer"):
        geometry = dataclasses.replace(ROFORMER, frame_samples=256, hop_samples=64, widths=(29, 50, 50))
        options = Options(raw=kind.endswith("raw"))
        fake, spec = Fake(lambda seen: 0.5 * seen[:, None], "masks"), roformer_spec(geometry, rate, Windows(8.0, 4.0))
    elif kind.startswith("tiger"):
        geometry = dataclasses.replace(FILMS, frame_samples=256, hop_samples=64, widths=(29, 50, 50))
        options = Options(raw=kind.endswith("raw"))
        fake, spec = (
            Fake(lambda seen: 0.5 * np.stack((seen,) * 3, 1), "masks"),
            tiger_spec(geometry, rate, Windows(12.0, 8.0)),
        )
    elif kind.startswith("htdemucs"):
        geometry = dataclasses.replace(HTDEMUCS, segment_samples=8 * rate)
        spec, options = (
            htdemucs_spec(geometry, rate),
            Options(raw=kind.endswith("raw"), shifts=2 * kind.endswith("shifts")),
        )
        fake = TwiceTheMixture()
    else:
        options = Options(wiener=1 if kind == "wiener" else 0)
        fake, spec = music_fake(bands(2)), music_spec(2, rate, SONG)
    if isinstance(fake, Fake):
        fake.shapes = deque(maxlen=1)  # type: ignore[assignment]
    return Separator.over(fake, spec, options, EvenOrOdd(spec))


Run = Callable[[Separator, Track], int]  # the samples of a track that has run through


def separate(separator: Separator, track: Track) -> int:
    return sum(stems.shape[-1] for stems in separator._parts(track, None, Diagnostics("fake")))


def transcribe(separator: Separator, track: Track) -> int:
    """With a recogniser that hears a word in each second of a person, and nothing without them."""

    def hear(blocks: Blocks, _: object) -> Iterator[Word]:
        return (Word("word", i, i + 0.5, 1.0) for i, block in enumerate(blocks) if block.any())

    diagnostics = Diagnostics("fake")
    ears = track.sample_rate // 2, hear
    words = sum(1 for _ in words_of_people(track, separator, None, ears, None, diagnostics))
    assert words >= track.frames // track.sample_rate // 2
    return track.frames


def peak_bytes(run: Run, separates: Separator, rate: int, minutes: int) -> int:
    """The most that is allocated while a generated track of so many minutes runs through."""
    channels, seconds = separates.spec.channels, minutes * MINUTE
    block = noise(channels, BLOCK_SECONDS * rate)

    def blocks() -> Iterator[np.ndarray]:
        for i in range(seconds // BLOCK_SECONDS):
            if i % 100 == 0:
                gc.collect()  # Python's lists of free objects would count as growth
            yield block.copy()

    tracemalloc.start()
    try:
        track = Track(rate, channels, seconds * rate, blocks)
        assert run(separates, track) == seconds * rate
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("kind", "rate", "model_rate"),
    [
        ("speech", 2000, 2000),
        ("music", 1200, 1000),
        ("wiener", 1000, 1000),
        ("counting", 2000, 2000),
        ("roformer", 1200, 1000),
        ("roformer, raw", 1000, 1000),
        ("htdemucs", 1200, 1000),
        ("htdemucs, raw", 1000, 1000),
        ("htdemucs, shifts", 1000, 1000),
        ("tiger", 1200, 1000),
        ("tiger, raw", 1000, 1000),
    ],
)
def test_an_hour_takes_no_more_than_three_minutes(kind: str, rate: int, model_rate: int) -> None:
    short = peak_bytes(separate, engine(kind, model_rate), rate, 3)
    long = peak_bytes(separate, engine(kind, model_rate), rate, 60)
    kept = KEPT_BYTES if kind == "counting" else 0
    assert long <= 1.1 * short + kept


def test_transcribing_everybody_for_half_an_hour_takes_no_more_than_three_minutes() -> None:
    short, long = (peak_bytes(transcribe, engine("counting", 2000), 2000, minutes) for minutes in (3, 30))
    assert long <= 1.1 * short + KEPT_BYTES


def test_a_block_is_a_matter_of_seconds() -> None:
    assert stream.BLOCK_SECONDS < BLOCK_SECONDS  # so what is measured here is more than what is used
