"""Live separation: the stated latency is the measured one, and blocks of any size give the same bits."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from engine_fakes import LIVE, live_spec, noise, snr, speech_spec, write_model
from unbraid.audio import read
from unbraid.errors import AudioError, UsageError
from unbraid.tasks.live import LiveSeparator
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator

EXAMPLES = Path(__file__).parents[2] / "examples"
HOP = LIVE.hop_samples
RATES = [8000, 16000, 44100, 48000, 7999, 4000]


class Delay:
    """A causal network that changes nothing: each source is the mixture, one hop late. Its state is that hop."""

    device, reason = "fake", "a test asked for it"

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        mixture, state = inputs["mixture"], inputs["state"].copy()
        both = np.concatenate((state[:, :HOP], mixture), 1)
        state[:, :HOP] = both[:, -HOP:]
        return {"sources": np.repeat(both[:, None, :-HOP], LIVE.sources, 1), "state_out": state}

    def close(self) -> None:
        pass


def through(live: LiveSeparator, x: np.ndarray, sizes: list[int]) -> np.ndarray:
    """A whole stream in blocks of these sizes, over and over, and its end."""
    made, start, turn = [], 0, 0
    while start < x.shape[1]:
        made.append(live.push(x[:, start : start + sizes[turn % len(sizes)]]))
        start, turn = start + sizes[turn % len(sizes)], turn + 1
    return np.concatenate([*made, live.flush()], -1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx")
    place = tmp_path_factory.mktemp("live") / "model"
    write_model(place, live_spec())
    return place


@pytest.mark.parametrize("rate", RATES)
def test_a_click_comes_out_after_the_stated_latency(rate: int) -> None:
    live = LiveSeparator.over(Delay(), live_spec(), sample_rate=rate)
    t = np.arange(rate // 2)
    click = np.exp(-(((t - 1000) / (rate / 1500)) ** 2)).astype(np.float32)[None]  # narrow, and below the cut-off
    made = through(live, click, [64])
    assert made.shape == (2, 1, click.shape[1] + live.latency_samples)
    assert (made.argmax(-1) == 1000 + live.latency_samples).all()
    if rate == 8000:
        np.testing.assert_array_equal(made[0, 0, live.latency_samples :], click[0])
    else:
        np.testing.assert_allclose(made[0, 0, live.latency_samples :], click[0], atol=2e-3)


@pytest.mark.parametrize("rate", RATES)
def test_no_latency_could_be_stated_that_is_much_shorter(rate: int) -> None:
    """Every push has its samples in time, and hardly any are ever left over."""
    live, left = LiveSeparator.over(Delay(), live_spec(), sample_rate=rate), []
    for _ in range(3000):
        assert live.push(np.zeros((1, 1), np.float32)).shape == (2, 1, 1)
        left.append(live._ready.shape[-1])
    assert 0 <= min(left) <= 2 + 2 * max(1, rate // 8000)


@pytest.mark.parametrize("rate", [8000, 44100])
def test_blocks_of_any_size_give_the_same_bits(folder: Path, rate: int) -> None:
    x, random = noise(2, 4001), np.random.default_rng(rate)
    with LiveSeparator(folder, sample_rate=rate, channels=2) as live:
        whole = through(live, x, [4001])
        assert whole.any()
        for sizes in ([1], [HOP], [1024, 3], list(random.integers(0, 300, 40) + 1)):
            np.testing.assert_array_equal(through(live, x, sizes), whole)


def test_without_the_delay_it_is_as_long_as_the_input_and_as_a_file_gives_it(folder: Path) -> None:
    x = noise(1, 3333)
    with LiveSeparator(folder, delayed=False) as live, Separator(folder, options=Options(raw=True)) as separator:
        made = through(live, x, [100])
        stems = np.stack(list(separator(x, 8000).values()))
    assert made.shape == (2, 1, 3333)
    np.testing.assert_allclose(made, stems, atol=1e-5)


def test_a_new_stream_begins_after_a_flush(folder: Path) -> None:
    with LiveSeparator(folder) as live:
        np.testing.assert_array_equal(through(live, noise(1, 999), [50]), through(live, noise(1, 999), [999]))


def test_bad_samples_are_heard_as_silence_and_counted(folder: Path) -> None:
    x = noise(1, 2000)
    bad, silent = x.copy(), x.copy()
    bad[0, [500, 501, 700, 900]] = np.nan, np.inf, -np.inf, 1e30
    silent[0, [500, 501, 700, 900]] = 0
    with LiveSeparator(folder) as live:
        expected = through(live, silent, [64])
        assert live.repaired_samples == 0
        np.testing.assert_array_equal(through(live, bad, [64]), expected)
        assert live.repaired_samples == 4
        live.reset()
        assert live.repaired_samples == 0


def test_integers_are_scaled_by_their_type(folder: Path) -> None:
    x = np.round(noise(1, 1000) * 3000).astype(np.int16)
    with LiveSeparator(folder) as live:
        np.testing.assert_array_equal(through(live, x, [64]), through(live, (x / 32768).astype(np.float32), [64]))


@pytest.mark.parametrize(
    ("block", "told"),
    [
        (np.zeros((2, 10), np.float32), r"A block of this stream has the shape \(1, samples\), not \(2, 10\)\."),
        (np.zeros(10, np.float32), r"A block of this stream has the shape \(1, samples\), not \(10,\)\."),
        (np.zeros((1, 10), complex), "A block must be real numbers"),
    ],
)
def test_a_block_of_another_kind_is_refused_and_the_stream_goes_on(block: np.ndarray, told: str) -> None:
    live, x = LiveSeparator.over(Delay(), live_spec()), noise(1, 300)
    first = live.push(x[:, :100])
    with pytest.raises(AudioError, match=told):
        live.push(block)
    made = np.concatenate((first, live.push(x[:, 100:]), live.flush()), -1)
    np.testing.assert_array_equal(made[0, :, live.latency_samples :], x)


def test_an_empty_block_gives_an_empty_one() -> None:
    live = LiveSeparator.over(Delay(), live_spec(), channels=2)
    assert live.push(np.zeros((2, 0), np.float32)).shape == (2, 2, 0)
    assert live.flush().shape == (2, 2, live.latency_samples)


def test_nothing_grows() -> None:
    live = LiveSeparator.over(Delay(), live_spec(), sample_rate=44100)
    sizes = []
    for _ in range(500):
        live.push(np.zeros((1, 441), np.float32))
        held = (live._ready, live._down._held, live._up._held)
        sizes.append(sum(part.size if part.base is None else part.base.size for part in held))
    assert max(sizes[100:]) <= max(sizes[:100])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"sample_rate": 3000}, "Live audio has 4000 to 192000 Hz, not 3000; resample it."),
        ({"channels": 0}, "Live audio has 1 to 32 channels, not 0."),
    ],
)
def test_streams_have_limits(options: dict[str, int], told: str) -> None:
    with pytest.raises(UsageError, match=f"^{told}$"):
        LiveSeparator.over(Delay(), live_spec(), **options)


def test_a_model_that_looks_ahead_is_refused() -> None:
    with pytest.raises(UsageError, match="tiny-speech hears a recording before it answers"):
        LiveSeparator.over(Delay(), speech_spec())


def test_the_spec_states_the_latency() -> None:
    assert live_spec().latency_seconds == 32 / 8000
    assert speech_spec().latency_seconds is None
    live = LiveSeparator.over(Delay(), live_spec(), sample_rate=48000)
    assert live.latency_seconds == live.latency_samples / 48000 == pytest.approx(32 / 8000 + 2 * 16 / 8000, abs=1e-4)


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("samples", [1, 100, 70 * HOP, 2001])
def test_the_output_contract_of_files(folder: Path, rate: int, samples: int) -> None:
    x = noise(2, samples)
    with Separator(folder) as separator:
        stems = separator(x, rate)
    assert all(stem.shape == x.shape for stem in stems.values())
    np.testing.assert_allclose(sum(stem.astype(np.float64) for stem in stems.values()), x, atol=1e-5)


def test_windows_do_not_apply(folder: Path) -> None:
    with pytest.raises(UsageError, match="tiny-live is causal and has no windows"):
        Separator(folder, options=Options(window_seconds=4.0))


def test_one_source_has_a_residual_and_a_strength(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    write_model(tmp_path / "model", live_spec(dataclasses.replace(LIVE, sources=1)))
    x = noise(1, 1000)
    with Separator(tmp_path / "model", options=Options(strength=0.0)) as separator:
        stems = separator(x, 8000)
    assert list(stems) == ["speech", "residual"]
    np.testing.assert_allclose(stems["speech"], x, atol=1e-6)


def test_the_model_in_the_package_leaves_a_voice_and_takes_hiss() -> None:
    voice, rate = read(EXAMPLES / "voices_ref1.flac")
    hiss = 0.01 * noise(1, 4 * 8000, seed=3) / noise(1, 4 * 8000, seed=3).std()
    with LiveSeparator(sample_rate=rate, delayed=False) as live:
        assert live.spec.latency_seconds == 0.032
        assert live.stems == ("speech",)
        assert snr(voice, through(live, voice, [480])[0]) > 12
    with LiveSeparator(delayed=False) as live:
        left = through(live, hiss, [128])[0, :, 16000:]
    assert np.std(left) < 0.1 * np.std(hiss)
