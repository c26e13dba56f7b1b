"""A DC offset and rumble below 20 Hz: no network hears them, and the stems add up to the input with them."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine_fakes import Fake, bands, music_fake, music_spec, noise, speech_fake, speech_spec
from recognizer_fakes import RATE, ears, say
from unbraid.dsp.rumble import has_rumble, split
from unbraid.hub.spec import Windows
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.transcription.transcriber import Transcriber

SAMPLES = 3 * RATE + 77
TIME = np.arange(SAMPLES) / RATE
X = (noise(2, SAMPLES) * (np.sin(2 * np.pi * 3 * TIME) > -0.5)).astype(np.float32)


def wave(hertz: float, level: float = 0.3, phase: float = 0.0) -> np.ndarray:
    return level * np.cos(2 * np.pi * hertz * TIME + phase)


RUMBLE = {
    "an offset": 0.3 + 0 * TIME,
    "a negative offset": -0.1 + 0 * TIME,
    "a small offset": 0.03 + 0 * TIME,
    "drift": 0.2 * TIME,
    "2 Hz": wave(2),
    "8 Hz": wave(8),
    "17 Hz": wave(17),
    "both": 0.2 + wave(11, 0.1),
}


def halves(sources: int = 2):
    """A network whose first output is the mixture's louder samples, the second the others: no offset fools it."""
    return lambda mixture: np.stack([mixture * (np.abs(mixture) > 0.1), mixture * (np.abs(mixture) <= 0.1)], 1)


def speech(network=None, **options: object) -> tuple[Separator, Fake]:
    fake = speech_fake(network or halves())
    spec = speech_spec(2, RATE, Windows(0.5, 0.1))
    return Separator.over(fake, spec, Options(**options)), fake  # type: ignore[arg-type]


def parted(x: np.ndarray, cut: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    blocks = iter([x]) if cut is None else (x[:, i : i + cut] for i in range(0, x.shape[1], cut))
    pairs = [(clean, np.zeros_like(clean) if rumble is None else rumble) for clean, rumble in split(blocks, RATE)]
    clean, rumble = (np.concatenate(parts, axis=1) for parts in zip(*pairs, strict=True))
    return clean, rumble


@pytest.mark.parametrize("name", RUMBLE)
def test_rumble_is_taken_out_and_what_is_heard_is_not(name: str) -> None:
    y = (X + RUMBLE[name]).astype(np.float32)
    clean, rumble = parted(y)
    inside = slice(RATE // 4, -RATE // 4)
    np.testing.assert_allclose(clean + rumble, y, atol=1e-6)
    plain = parted((X + 100.0).astype(np.float32))[0]  # what there is without it
    left = np.sqrt(np.mean(np.square(clean - plain)[:, inside]))
    assert left < 0.02 * np.sqrt(np.mean(np.square(RUMBLE[name])))
    for cut in (101, RATE, 2 * RATE):
        np.testing.assert_array_equal(parted(y, cut)[0], clean)


@pytest.mark.parametrize("hertz", [31, 41, 55, 100])
def test_low_notes_are_no_rumble(hertz: float) -> None:
    y = wave(hertz)[None].astype(np.float32)
    np.testing.assert_array_equal(parted(y)[0], y)
    clean = parted((y + 0.5).astype(np.float32))[0]
    assert np.abs(clean - y)[:, RATE // 4 : -RATE // 4].max() < 2e-3 * 0.3


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("seconds", [0.001, 0.1, 0.3, 1.0])
def test_noise_and_silence_have_none(rate: int, seconds: float) -> None:
    for seed in range(20):
        assert not has_rumble(noise(1, max(1, round(seconds * rate)), seed), rate)
    assert not has_rumble(np.zeros((1, rate), np.float32), rate)


@pytest.mark.parametrize("name", RUMBLE)
@pytest.mark.parametrize("rate", [RATE, 11025])
def test_a_separator_hears_none_and_gives_it_back(name: str, rate: int) -> None:
    y = (X + RUMBLE[name]).astype(np.float32)
    shown: list[np.ndarray] = []

    def network(mixture: np.ndarray) -> np.ndarray:
        shown.append(mixture)
        return halves()(mixture)

    separator, _ = speech(network)
    stems = separator(y, rate)
    assert np.abs(np.concatenate([part.mean(-1) for part in shown])).max() < 0.02
    np.testing.assert_allclose(sum(stems.values()), y, atol=2e-6)


def test_a_clean_recording_is_separated_bit_for_bit_as_if_nothing_looked(tmp_path: Path) -> None:
    separator, fake = speech()
    found = separator(X, RATE)
    raw, _ = speech(raw=True, force=True)
    assert fake.shapes and found["voice1"].shape == X.shape
    soundfile.write(tmp_path / "x.wav", X.T, RATE, subtype="FLOAT")
    blocks = list(separator.blocks(tmp_path / "x.wav"))
    for stem, whole in found.items():
        np.testing.assert_array_equal(np.concatenate([block[stem] for block in blocks], axis=1), whole)
    offset = (X + 0.25).astype(np.float32)
    np.testing.assert_array_equal(raw(offset, RATE)["voice1"], (offset * (np.abs(offset) > 0.1)))


@pytest.mark.parametrize("name", RUMBLE)
def test_files_and_arrays_are_the_same(name: str, tmp_path: Path) -> None:
    y = (X + RUMBLE[name]).astype(np.float32)
    soundfile.write(tmp_path / "y.wav", y.T, RATE, subtype="FLOAT")
    separator, _ = speech()
    whole = separator(y, RATE)
    blocks = list(separator.blocks(tmp_path / "y.wav"))
    for stem in whole:
        np.testing.assert_array_equal(np.concatenate([block[stem] for block in blocks], axis=1), whole[stem])


def test_a_silent_stem_stays_silent_and_shares_are_slow() -> None:
    separator, _ = speech(lambda mixture: np.stack((mixture, np.zeros_like(mixture)), 1))
    stems = separator((X + 0.3).astype(np.float32), RATE)
    assert np.abs(stems["voice2"]).max() < 1e-6
    separator, _ = speech()
    for stem in separator((X + 0.3).astype(np.float32), RATE).values():
        given, plain = stem.mean(-1), X.mean(-1)
        assert np.all(given > plain)  # both sound, so both have some of it


def test_a_residual_takes_it() -> None:
    spec = speech_spec(1, RATE, Windows(0.5, 0.1))
    y = (X + 0.3).astype(np.float32)
    for strength in (1.0, 0.25):
        separator = Separator.over(speech_fake(lambda mixture: mixture[:, None]), spec, Options(strength=strength))
        stems = separator(y, RATE)
        np.testing.assert_allclose(stems["speech"] + stems["residual"], y, atol=1e-6)
        np.testing.assert_allclose(stems["speech"].mean(), (1 - strength) * 0.3, atol=0.01)


@pytest.mark.parametrize("options", [{}, {"wiener": 1}, {"residual": True}])
def test_songs_add_up_with_it(options: dict) -> None:
    y = (X + 0.3 + wave(7, 0.1)).astype(np.float32)
    separator = Separator.over(music_fake(bands(2)), music_spec(2, RATE), Options(**options))
    np.testing.assert_allclose(sum(separator(y, RATE).values()), y, atol=1e-4)


@pytest.mark.parametrize("level", [0.05, 0.4])
@pytest.mark.parametrize("hertz", [0.0, 5.0, 15.0])
def test_a_recogniser_hears_words_and_no_rumble(level: float, hertz: float) -> None:
    said = say(3, 1, 4)
    time = np.arange(said.shape[1]) / RATE
    y = said + level * np.cos(2 * np.pi * hertz * time)
    shown: list[np.ndarray] = []
    recognizer = ears()
    run = recognizer._network.run
    recognizer._network.run = lambda inputs: shown.append(inputs["waveform"][0]) or run(inputs)  # type: ignore[method-assign]
    assert Transcriber.over(recognizer)(y.astype(np.float32), RATE).text == "3 1 4"
    assert np.abs(shown[0].mean()) < 0.01
