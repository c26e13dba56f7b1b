"""The output contract, for any rate, channels and length: same shape, same level, and stems that add up."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine_fakes import Fake, bands, copies, even_and_odd, music_fake, music_spec, noise, snr, speech_fake, speech_spec
from unbraid.hub.spec import Windows
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator

RATES = st.one_of(st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000]), st.integers(8000, 192000))
LENGTHS = st.one_of(st.integers(1, 40), st.integers(41, 4000))
MODELS = ("speech-1", "speech-2", "speech-3", "music-2", "music-5", "wiener")
KINDS = ("noise", "silence", "one silent channel", "dc", "anti-phase", "click", "loud", "identical")
SUM_DB = 100.0  # the contract asks for 60


def separator(model: str, model_rate: int = 8000, **options: object) -> Separator:
    """A separator around a fake of some model."""
    kind, _, count = model.partition("-")
    if kind == "speech":
        spec = speech_spec(int(count), model_rate, Windows(0.03, 0.01))
        return Separator.over(speech_fake(copies(int(count))), spec, Options(**options))  # type: ignore[arg-type]
    stems = int(count or 2)
    if kind == "wiener":
        options["wiener"] = 1
    return Separator.over(music_fake(bands(stems)), music_spec(stems, model_rate), Options(**options))  # type: ignore[arg-type]


def signal(kind: str, channels: int, samples: int) -> np.ndarray:
    x = noise(channels, samples)
    if kind == "silence":
        x[:] = 0
    elif kind == "one silent channel":
        x[0] = 0
    elif kind == "dc":
        x[:] = 0.5
    elif kind == "anti-phase":
        x[1::2] = -x[0]
    elif kind == "click":
        x[:] = 0
        x[-1, samples // 2] = 1
    elif kind == "loud":
        x *= 100
    elif kind == "identical":
        x[:] = x[0]
    return x


@given(
    model=st.sampled_from(MODELS),
    model_rate=st.sampled_from([8000, 16000, 44100]),
    kind=st.sampled_from(KINDS),
    rate=RATES,
    channels=st.integers(1, 6),
    samples=LENGTHS,
)
@example("music-2", 44100, "noise", 8000, 2, 1)
@example("speech-2", 8000, "noise", 192000, 6, 1)
@example("wiener", 44100, "silence", 44100, 3, 3000)
@example("speech-3", 8000, "anti-phase", 8000, 4, 4000)
@settings(max_examples=150, deadline=None)
def test_shape_kind_and_sum(model: str, model_rate: int, kind: str, rate: int, channels: int, samples: int) -> None:
    engine, x = separator(model, model_rate), signal(kind, channels, samples)
    kept = x.copy()
    stems = engine(x, rate)
    np.testing.assert_array_equal(x, kept)  # the input is not touched
    assert tuple(stems) == engine.stems()
    for stem in stems.values():
        assert stem.shape == x.shape
        assert stem.dtype == np.float32
        assert np.isfinite(stem).all()
    total = np.sum([stem.astype(np.float64) for stem in stems.values()], axis=0)
    if x.any():
        assert snr(x, total) > SUM_DB
    silent = ~x.any(axis=1)  # silence in, silence out
    assert not any(stem[silent].any() for stem in stems.values())


@given(
    model=st.sampled_from(("speech-2", "speech-1", "music-2")),
    gain=st.sampled_from([0.25, 0.5, 4.0, 8.0]),
    rate=st.sampled_from([8000, 44100]),
    samples=st.integers(50, 3000),
)
@settings(max_examples=40, deadline=None)
def test_level_is_kept(model: str, gain: float, rate: int, samples: int) -> None:
    """No hidden normalising: twice the input is twice the output."""
    x = noise(2, samples)
    quiet, loud = separator(model)(x, rate), separator(model)((gain * x).astype(np.float32), rate)
    for name, stem in quiet.items():
        np.testing.assert_allclose(loud[name], gain * stem, atol=2e-5 * gain)


@pytest.mark.parametrize("model", MODELS)
def test_a_residual_is_what_is_left_over(model: str) -> None:
    engine, x = separator(model, residual=True), noise(3, 3000)
    stems = engine(x, 22050)
    assert engine.has_residual
    assert list(stems) == [*engine.spec.stems, "residual"]
    np.testing.assert_allclose(sum(stems.values()), x, atol=1e-6)


def test_a_model_of_one_source_always_has_a_residual() -> None:
    def half(mixture: np.ndarray) -> np.ndarray:
        return even_and_odd(mixture)[:, :1]

    x = noise(1, 2000)
    stems = Separator.over(speech_fake(half), speech_spec(1))(x, 8000)
    assert list(stems) == ["speech", "residual"]
    expected = even_and_odd(x)
    assert snr(expected[0, 0], stems["speech"][0]) > 50
    assert snr(expected[0, 1], stems["residual"][0]) > 50


def test_a_silent_stem_stays_silent_and_is_there() -> None:
    def one_of_two(mixture: np.ndarray) -> np.ndarray:
        return np.stack((mixture * 0.3, 0 * mixture), axis=1)

    x = noise(2, 3000)
    stems = Separator.over(speech_fake(one_of_two), speech_spec())(x, 44100)
    assert not stems["voice2"].any()
    np.testing.assert_allclose(stems["voice1"], x, atol=1e-6)


# --- bands ---


def tones(rate: int) -> tuple[np.ndarray, np.ndarray]:
    t = np.arange(rate) / rate
    return tuple(0.3 * np.sin(2 * np.pi * f * t)[None].astype(np.float32) for f in (500, 7000))  # type: ignore[return-value]


@pytest.mark.parametrize("model", ["speech-2", "music-2"])
def test_what_lies_above_the_models_band_is_shared_or_dropped(model: str) -> None:
    low, high = tones(44100)
    shared, dropped = (separator(model, high_band=option)(low + high, 44100) for option in ("share", "drop"))
    middle = slice(3000, -3000)
    assert snr((low + high)[:, middle], sum(shared.values())[:, middle]) > SUM_DB
    assert snr(low[:, middle], sum(dropped.values())[:, middle]) > 60


def test_dropping_means_nothing_where_the_model_hears_everything() -> None:
    x = noise(1, 3000)
    for rate in (8000, 16000):
        stems = separator("speech-2", 16000, high_band="drop")(x, rate)
        assert snr(x, sum(stems.values())) > SUM_DB


# --- channels ---


def shapes(engine: Separator) -> list[tuple[int, ...]]:
    assert isinstance(engine._executor, Fake)
    return engine._executor.shapes


def test_a_mono_model_hears_every_distinct_channel_once() -> None:
    engine, x = separator("speech-2"), noise(3, 200)
    stems = engine(x[[0, 1, 0, 2, 1]], 8000)
    assert shapes(engine) == [(2, 200), (1, 200)]  # two at a time: more only take memory
    for stem in stems.values():
        np.testing.assert_array_equal(stem[[0, 1]], stem[[2, 4]])


def test_a_stereo_model_hears_mono_twice_and_more_channels_in_pairs() -> None:
    def channels_differ(magnitude: np.ndarray) -> np.ndarray:
        gains = np.array([[1.0, 3.0], [1.0, 1.0]], np.float32)  # (S, C)
        return magnitude[:, None] * gains[..., None, None]

    def run(x: np.ndarray) -> tuple[dict[str, np.ndarray], Fake]:
        fake = music_fake(channels_differ)
        return Separator.over(fake, music_spec())(x, 8000), fake

    x = noise(3, 2000)
    mono, fake = run(x[:1])
    assert {shape[:2] for shape in fake.shapes} == {(1, 2)}
    np.testing.assert_allclose(mono["vocals"], x[:1] * (1 / 2 + 9 / 10) / 2, atol=1e-4)  # the mean of both masks
    three, fake = run(x)
    assert {shape[:2] for shape in fake.shapes} == {(1, 2)}
    np.testing.assert_allclose(three["vocals"][:2], run(x[:2])[0]["vocals"], atol=1e-6)
    np.testing.assert_allclose(three["vocals"][2:], run(x[2:])[0]["vocals"], atol=1e-6)


def test_a_voice_is_the_same_one_in_every_channel_and_window() -> None:
    """The network numbers voices anew for every channel of every window."""
    random = np.random.default_rng(0)

    def network(mixture: np.ndarray) -> np.ndarray:
        return np.stack([item[random.permutation(2)] for item in even_and_odd(mixture)])

    dry = even_and_odd(noise(1, 8000))[0]  # (S, T)
    truth = dry[:, None] * np.array([[1.0, 0.3, -0.8], [0.5, 0.9, 0.4]], np.float32)[..., None]
    stems = Separator.over(speech_fake(network), speech_spec())(truth.sum(0), 8000)
    found = np.stack(list(stems.values()))
    assert max(snr(truth, found), snr(truth, found[::-1])) > 50


# --- raw ---


def test_raw_speech_is_the_networks_own_output_in_one_window() -> None:
    fake, x = speech_fake(lambda mixture: 7 * even_and_odd(mixture)), noise(1, 5000)
    stems = Separator.over(fake, speech_spec(), Options(raw=True))(x, 8000)
    assert fake.shapes == [(1, 5000)]
    np.testing.assert_array_equal(np.stack(list(stems.values()))[:, 0], 7 * even_and_odd(x)[0])


@pytest.mark.parametrize("model", ["speech-1", "speech-2", "music-2"])
def test_raw_is_at_the_models_rate(model: str) -> None:
    engine = separator(model, 8000, raw=True)
    stems = engine(noise(2, 4410), 44100)
    assert engine.output_rate(44100) == 8000
    assert list(stems) == list(engine.spec.stems)
    assert {stem.shape for stem in stems.values()} == {(2, 800)}


def test_raw_music_is_stereo_and_stops_at_the_last_bin() -> None:
    engine = separator("music-2", raw=True)
    x = noise(1, 8000)
    stems = engine(x, 8000)
    assert engine.output_channels(1) == 2
    total = sum(stems.values())
    assert total.shape == (2, 8000)
    power = np.abs(np.fft.rfft(total[0] * np.hanning(8000))) ** 2  # 1 Hz a bin
    wall = 64 * 8000 // 256  # Hz: the network sees 64 bins of frames of 256
    assert power[wall + 150 :].sum() < 1e-6 * power.sum()
    assert power[wall - 300 : wall - 150].sum() > 1e-2 * power.sum()
