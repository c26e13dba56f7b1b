"""Separators that follow people: a track for each who was found, and with the residual they are the recording."""

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine_fakes import Fake, snr, speech_fake, speech_spec
from unbraid import separate
from unbraid.errors import AudioError, Cancelled, SpecError, UsageError
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator
from voice_fakes import RATE, by_band, counting, counting_spec, voices

TWO = voices((2, 0, 3), (0, 2, 5), seconds=5)
ONE = voices((1, 0, 5), seconds=5)
ALL = voices((1, 0, 5), (0, 1, 5), (2, 2, 5), seconds=5)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of temporary files, which is empty in the end."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    yield tmp_path / "tmp"
    assert list((tmp_path / "tmp").iterdir()) == []


def total(stems: dict[str, np.ndarray]) -> np.ndarray:
    return sum(stem.astype(np.float64) for stem in stems.values())


@pytest.mark.parametrize(("spoken", "order"), [(ONE, [1]), (TWO, [2, 0]), (ALL, [1, 0, 2])])
def test_the_voices_come_in_the_order_in_which_they_begin(spoken: np.ndarray, order: list[int]) -> None:
    mixture = spoken.sum(0)
    stems = counting()(mixture, RATE)
    assert list(stems) == [f"speaker{i + 1}" for i in range(len(order))]
    for stem, voice in zip(stems.values(), order, strict=True):
        assert snr(spoken[voice], stem) > 20
    assert snr(mixture, total(stems)) > 100


@pytest.mark.parametrize("speakers", [1, 2, 3])
@pytest.mark.parametrize("spoken", [ONE, TWO, ALL])
def test_a_number_is_forced(speakers: int, spoken: np.ndarray) -> None:
    separator = counting(Options(speakers=speakers))
    stems = separator(spoken.sum(0), RATE)
    assert tuple(stems) == separator.stems() == ("speaker1", "speaker2", "speaker3")[:speakers]
    assert snr(spoken.sum(0), total(stems)) > 100


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("samples", [1, 257, 90_001])
def test_rate_length_channels_and_sum_are_kept(rate: int, channels: int, samples: int) -> None:
    x = np.random.default_rng(samples).normal(0, 0.1, (channels, samples)).astype(np.float32)
    x[:, samples // 2 :] += 0.3  # and an offset
    for options in (Options(), Options(speakers=2), Options(high_band="drop"), Options(residual=True)):
        stems = counting(options)(x, rate)
        assert all(stem.shape == x.shape and stem.dtype == np.float32 for stem in stems.values())
        if options.residual:
            assert snr(x, total(stems)) > 100


def test_silence_is_one_silent_voice() -> None:
    stems = counting()(np.zeros((2, 9000), np.float32), RATE)
    assert list(stems) == ["speaker1"]
    assert not stems["speaker1"].any()


def test_a_file_gives_the_same_in_blocks(tmp_path: Path) -> None:
    mixture = np.concatenate((TWO.sum(0), 0.5 * TWO.sum(0)))
    soundfile.write(tmp_path / "x.wav", mixture.T, RATE, subtype="FLOAT")
    run = counting().blocks(tmp_path / "x.wav")
    blocks = list(run)
    assert run.diagnostics.voices_found == 2
    assert max(block["speaker1"].shape[-1] for block in blocks) < mixture.shape[-1]
    for name, stem in counting()(mixture, RATE).items():
        np.testing.assert_allclose(np.concatenate([block[name] for block in blocks], -1), stem, atol=1e-6)


def test_the_network_runs_once() -> None:
    alone, counted = speech_fake(by_band), speech_fake(by_band)
    Separator.over(alone, speech_spec(3, RATE, counting_spec().windows))(TWO.sum(0), RATE)
    counting(fake=counted)(TWO.sum(0), RATE)
    assert counted.shapes == alone.shapes


def test_progress_ends_with_the_recording() -> None:
    seen: list[tuple[float, float | None]] = []
    counting()(TWO.sum(0), RATE, progress=lambda done, whole: seen.append((done, whole)))
    times = [done for done, _ in seen]
    assert times == sorted(times)
    assert seen[-1] == (pytest.approx(5), 5)
    assert sum(done < 4.8 for done in times) >= 4  # nearly all the work is in the first pass


def test_raw_gives_all_outputs() -> None:
    stems = counting(Options(raw=True))(TWO.sum(0), RATE)
    assert list(stems) == ["voice1", "voice2", "voice3"]
    assert snr(TWO[0], stems["voice1"]) > 20


def test_removal_counts_too() -> None:
    stems = counting(Options(remove=("speaker1",)))(TWO.sum(0), RATE)
    assert list(stems) == ["no-speaker1"]
    assert snr(TWO[0], stems["no-speaker1"]) > 20
    assert snr(TWO.sum(0), counting(Options(remove=("speaker3",)))(TWO.sum(0), RATE)["no-speaker3"]) > 100
    with pytest.raises(AudioError, match="^Without speaker1 nothing is left of the voices found; remove fewer stems"):
        counting(Options(remove=("speaker1",)))(ONE.sum(0), RATE)


@pytest.mark.parametrize("limit", [2.0, 4.9])
def test_cancelling_leaves_nothing_on_disk(tmp_path: Path, limit: float) -> None:
    soundfile.write(tmp_path / "x.wav", TWO.sum(0).T, RATE)

    def stop(done: float, _: float | None) -> None:
        if done > limit:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        list(counting().blocks(tmp_path / "x.wav", progress=stop))


def test_stopping_leaves_nothing_on_disk(temporary: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", TWO.sum(0).T, RATE)
    run = counting().blocks(tmp_path / "x.wav")
    next(run)
    assert len(list(temporary.iterdir())) == 1
    run.close()
    assert list(temporary.iterdir()) == []


def test_a_network_that_fails_leaves_nothing_on_disk() -> None:
    def failing(mixture: np.ndarray) -> np.ndarray:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="^no$"):
        counting(fake=Fake(failing, "sources"))(TWO.sum(0), RATE)


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        (counting_spec(), Options(speakers=0), "tiny-voices tells 1 to 20 speakers apart, not 0; give a number, or "),
        (counting_spec(), Options(speakers=21), "tiny-voices tells 1 to 20 speakers apart, not 21; give a number, or"),
        (counting_spec(), Options(speakers=(5, 2)), "tiny-voices tells 1 to 20 speakers apart, not 5-2; give a num"),
        (counting_spec(), Options(speakers=2, raw=True), "tiny-voices gives 3 voices with raw, not 2; leave "),
        (
            counting_spec(),
            Options(remove=("speaker3",), speakers=2),
            "tiny-voices has no stem 'speaker3', only speaker1, sp",
        ),
        (speech_spec(2), Options(speakers=3), "tiny-speech gives 2 voices of every recording, not 3"),
    ],
)
def test_numbers_that_a_model_cannot_give_are_refused(spec, options: Options, message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}"):
        Separator.over(speech_fake(by_band), spec, options)


def test_the_number_that_a_model_always_gives_is_accepted() -> None:
    separator = Separator.over(speech_fake(by_band), speech_spec(3, RATE), Options(speakers=3))
    assert separator.options.speakers is None
    assert list(separator(TWO.sum(0), RATE)) == ["voice1", "voice2", "voice3"]
    assert counting(Options(speakers=3, raw=True)).stems() == ("voice1", "voice2", "voice3")


def test_songs_have_no_speakers() -> None:
    with pytest.raises(UsageError, match="^music-2 separates songs"):
        separate(TWO.sum(0), "music-2", sample_rate=RATE, speakers=2)


@pytest.mark.parametrize("changes", [{"level": "fitted"}, {"stems": ("speaker1",)}])
def test_silent_outputs_need_a_level_and_others(changes: dict[str, object]) -> None:
    with pytest.raises(SpecError):
        dataclasses.replace(counting_spec(), **changes)
