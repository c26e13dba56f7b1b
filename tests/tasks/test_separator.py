"""Separator: blocks and wholes, what is refused, progress, and letting go of files."""

import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine_fakes import bands, even_and_odd, music_fake, music_spec, noise, snr, speech_fake, speech_spec, text_spec
from side_fakes import EVERY, side_spec
from unbraid import Cancelled, UsageError
from unbraid.audio import Excerpt, read
from unbraid.errors import AudioError
from unbraid.hub.spec import ModelSpec, Windows
from unbraid.tasks import loading
from unbraid.tasks.separation import fronts, stream
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator


def speech(**options: object) -> Separator:
    return Separator.over(speech_fake(even_and_odd), speech_spec(), Options(**options))  # type: ignore[arg-type]


def music(**options: object) -> Separator:
    return Separator.over(music_fake(bands(2)), music_spec(), Options(**options))  # type: ignore[arg-type]


def joined(engine: Separator, source: object, **how: object) -> dict[str, np.ndarray]:
    blocks = list(engine.blocks(source, **how))  # type: ignore[arg-type]
    return {name: np.concatenate([block[name] for block in blocks], axis=1) for name in engine.stems()}


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    """Three seconds of stereo at 22.05 kHz, in float."""
    path = tmp_path / "in.wav"
    soundfile.write(path, noise(2, 66150).T, 22050, subtype="FLOAT")
    return path


ENGINES = {
    "speech": speech,
    "music": music,
    "wiener": lambda: music(wiener=2),
    "residual": lambda: music(residual=True),
    "drop": lambda: speech(high_band="drop"),
    "raw": lambda: music(raw=True),
    "removed": lambda: music(remove=("drums",)),
    "exponent": lambda: music(mask_exponent=1.0),
}


# --- blocks ---


@pytest.mark.parametrize("kind", ENGINES)
def test_block_by_block_is_the_whole(kind: str, wav: Path) -> None:
    audio, rate = read(wav)
    expected = ENGINES[kind]()(audio, rate)
    found = joined(ENGINES[kind](), wav)
    assert list(found) == list(expected)
    for name, stem in expected.items():
        np.testing.assert_array_equal(found[name], stem)


@pytest.mark.parametrize("kind", ENGINES)
def test_the_size_of_blocks_does_not_matter(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = noise(2, 50000)
    expected = ENGINES[kind]()(x, 22050)
    for seconds in (0.013, 0.3, 100.0):
        monkeypatch.setattr(stream, "BLOCK_SECONDS", seconds)
        for name, stem in ENGINES[kind]()(x, 22050).items():
            assert snr(expected[name], stem) > 90


def test_a_range_of_a_file(wav: Path) -> None:
    audio, rate = read(wav, Excerpt(0.5, 1.25))
    expected = speech()(audio, rate)
    found = joined(speech(), wav, start=0.5, duration=1.25)
    np.testing.assert_array_equal(found["voice1"], expected["voice1"])


def test_a_file_object(wav: Path) -> None:
    expected = joined(music(), wav)
    found = joined(music(), io.BytesIO(wav.read_bytes()))
    np.testing.assert_array_equal(found["drums"], expected["drums"])


def test_a_separator_can_be_used_again(tmp_path: Path) -> None:
    engine = speech()
    soundfile.write(tmp_path / "x.wav", noise(1, 6000)[0], 8000, subtype="FLOAT")
    first, second = engine.blocks(tmp_path / "x.wav"), engine.blocks(tmp_path / "x.wav")
    for one, again in zip(first, second, strict=True):
        np.testing.assert_array_equal(one["voice2"], again["voice2"])
    assert first.diagnostics.agreement_db == second.diagnostics.agreement_db
    assert len(first.diagnostics.agreement_db) == 9


def test_a_file_no_longer_than_a_window_is_as_the_whole() -> None:
    spec, x = speech_spec(windows=Windows(1.0, 0.2)), noise(1, 8000)
    fake = speech_fake(even_and_odd)
    Separator.over(fake, spec)(x, 8000)
    assert fake.shapes == [(1, 8000)]


def test_windows_can_be_chosen() -> None:
    fake = speech_fake(even_and_odd)
    Separator.over(fake, speech_spec(), Options(window_seconds=0.5, overlap_seconds=0.1))(noise(1, 8000), 8000)
    assert fake.shapes == [(1, 4000)] * 3


# --- removing, and harder masks ---


@pytest.mark.parametrize(
    "options", [{}, {"wiener": 1}, {"raw": True}, {"raw": True, "wiener": 2}, {"residual": True}, {"high_band": "drop"}]
)
def test_what_is_left_without_a_stem_is_the_sum_of_the_others(options: dict[str, object]) -> None:
    def four(**more: object) -> dict[str, np.ndarray]:
        fake = music_fake(bands(4))
        return Separator.over(fake, music_spec(4), Options(**options, **more))(x, 22050)  # type: ignore[arg-type]

    x = noise(2, 9000)
    stems, without = four(), four(remove=("bass", "vocals"))
    assert list(without) == ["no-vocals-bass"]  # in the model's order
    others = [stem for name, stem in stems.items() if name not in ("bass", "vocals")]
    np.testing.assert_allclose(without["no-vocals-bass"], sum(others), atol=1e-6)


def test_without_its_one_source_a_model_leaves_the_residual() -> None:
    def half(mixture: np.ndarray) -> np.ndarray:
        return even_and_odd(mixture)[:, :1]

    x = noise(1, 2000)
    (left,) = Separator.over(speech_fake(half), speech_spec(1), Options(remove=("speech",)))(x, 8000).values()
    assert snr(even_and_odd(x)[0, 1], left[0]) > 50


@pytest.mark.parametrize("level", [1e-5, 1.0, 1e6])
def test_masks_of_any_exponent_are_ratios_at_any_level(level: float) -> None:
    """Two stems of which one is twice as loud get 2^x to 1, however loud they are."""

    def network(magnitude: np.ndarray) -> np.ndarray:
        return np.stack((2 * magnitude, magnitude), axis=1)

    x = level * noise(2, 4000)
    for exponent in (0.5, 1.0, 2.0, 20.0, 300.0):
        options = Options(mask_exponent=exponent)
        vocals = Separator.over(music_fake(network), music_spec(), options)(x, 8000)["vocals"]
        assert snr(x / (1 + 2**-exponent), vocals) > 60


def test_the_models_own_exponent_is_what_is_not_asked_for() -> None:
    x = noise(2, 4000)
    own, two = music()(x, 8000), music(mask_exponent=2.0)(x, 8000)
    assert all(snr(own[stem], two[stem]) > 60 for stem in own)


# --- closing ---


def test_leaving_closes_the_network() -> None:
    with speech() as engine:
        assert (engine.device, engine.device_reason) == ("fake", "a test asked for it")
    assert engine._executor.closed  # type: ignore[attr-defined]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="open files are listed in /proc")
def test_stopping_early_lets_go_of_the_file(wav: Path) -> None:
    def is_open() -> bool:
        held = Path("/proc/self/fd")
        return any(os.path.realpath(held / fd) == os.path.realpath(wav) for fd in os.listdir(held))

    for engine in (speech(), music(wiener=1)):
        blocks = engine.blocks(wav)
        next(blocks)
        assert is_open()
        blocks.close()
        assert not is_open()


def test_a_pipes_copy_is_deleted_when_stopping_early(
    wav: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    (tmp_path / "spool").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "spool"))
    blocks = speech().blocks(Pipe(wav.read_bytes()))
    next(blocks)
    assert len(os.listdir(tmp_path / "spool")) == 1
    blocks.close()
    assert os.listdir(tmp_path / "spool") == []


# --- progress ---


@pytest.mark.parametrize("kind", ENGINES)
def test_progress_only_grows_and_ends_at_the_total(kind: str, wav: Path) -> None:
    told: list[tuple[float, float | None]] = []
    for _ in ENGINES[kind]().blocks(wav, progress=lambda *now: told.append(now)):
        pass
    done = [now for now, _ in told]
    assert done == sorted(done)
    assert done[-1] == pytest.approx(3.0)
    assert {total for _, total in told} == {3.0}


@pytest.mark.parametrize("kind", ["speech", "wiener"])
def test_cancelled_stops_the_work(kind: str, wav: Path) -> None:
    def stop(done: float, total: float | None) -> None:
        if done > 1:
            raise Cancelled("That is enough.")

    audio, rate = read(wav)
    with pytest.raises(Cancelled, match=r"^That is enough\.$"):
        ENGINES[kind]()(audio, rate, progress=stop)
    with pytest.raises(Cancelled):
        list(ENGINES[kind]().blocks(wav, progress=stop))


# --- what is refused ---

BAD_AUDIO = [
    (np.zeros(5, np.float32), "Audio must be an array (channels, samples), got shape (5,); for mono use audio[None]."),
    (np.zeros((1, 2, 3), np.float32),
     "Audio must be an array (channels, samples), got shape (1, 2, 3); for mono use audio[None]."),
    (np.zeros((2, 5), np.complex64),
     "Audio must be real numbers, not complex numbers (complex64); give floats from -1 to 1."),
    (np.zeros((2, 0), np.float32), "Audio of shape (2, 0) is empty."),
    (np.zeros((0, 5), np.float32), "Audio of shape (0, 5) is empty."),
    (np.zeros((8000, 2), np.float32), "Audio of shape (8000, 2) looks like (samples, channels); pass audio.T."),
    (np.full((1, 5), np.nan, np.float32),
     "Audio holds NaN at sample 0 of channel 0, counted from 0; repair it first."),
    (np.full((1, 5), -np.inf, np.float32),
     "Audio holds an infinite value at sample 0 of channel 0, counted from 0; repair it first."),
    (np.full((1, 5), 1e300), "Audio holds samples above 1e+09, where full scale is 1; scale it down first."),
]  # fmt: skip


@pytest.mark.parametrize(("audio", "message"), BAD_AUDIO, ids=[message[-30:] for _, message in BAD_AUDIO])
def test_arrays_that_are_no_audio_are_refused(audio: np.ndarray, message: str) -> None:
    with pytest.raises(AudioError) as caught:
        speech()(audio, 8000)
    assert str(caught.value) == message


@pytest.mark.parametrize("rate", [0, -8000, 44100.5, True, float("nan"), "8000"])
def test_rates_that_are_no_rates_are_refused(rate: object) -> None:
    with pytest.raises(AudioError) as caught:
        speech()(noise(1, 100), rate)  # type: ignore[arg-type]
    assert str(caught.value) == f"The sample rate must be a whole number of Hz above 0, got {rate!r}."


def test_a_whole_rate_may_be_a_float() -> None:
    x = noise(1, 300)
    for one, other in zip(speech()(x, 8000).values(), speech()(x, 8000.0).values(), strict=True):  # type: ignore[arg-type]
        np.testing.assert_array_equal(one, other)


def test_samples_far_beyond_full_scale_are_refused() -> None:
    with pytest.raises(
        AudioError, match="^Audio holds samples above 1e.09, where full scale is 1; scale it down first.$"
    ):
        speech()(noise(1, 100) * np.float32(1e19), 8000)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"high_band": "loud"}, "high_band is one of share, drop, not 'loud'."),
        ({"window_seconds": 0.0}, "An overlap of 0.025 s does not fit windows of 0 s; at most half may overlap."),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        speech(**options)
    assert str(caught.value) == message


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats_are_taken(dtype: type) -> None:
    x = noise(2, 1000).astype(dtype)
    stems = speech()(x, 8000)
    assert stems["voice1"].dtype == np.float32
    np.testing.assert_allclose(sum(stems.values()), x, atol=1e-6)


BAD_OPTIONS = [
    ("music", {"remove": ("vocals", "piano")},
     "tiny-music has no stem 'piano', only vocals, drums; it is in music-5, spleeter:5stems, spleeter:5stems-16kHz, "
     "htdemucs_6s."),
    ("music", {"remove": ("drums", "vocals")},
     "Without vocals, drums nothing is left of tiny-music; remove fewer stems."),
    ("speech", {"remove": ("residual",)},
     "tiny-speech has no stem 'residual', only voice1, voice2; no model has it."),
    ("music", {"mask_exponent": 0.0}, "Masks take an exponent above 0 (Spleeter's is 2), got 0."),
    ("music", {"mask_exponent": 1.0, "wiener": 1},
     "The Wiener filter has masks of its own; leave it out, or the exponent of the masks."),
    ("speech", {"mask_exponent": 1.0}, "Exponents of masks are for music models; tiny-speech is a sepformer."),
    ("music", {"wiener": -1}, "Iterations of the Wiener filter are counted from 0, got -1."),
    ("speech", {"wiener": 1}, "The Wiener filter is for music models; tiny-speech is a sepformer."),
    ("speech", {"raw": True, "residual": True}, "Raw returns just what the network gives: it has no residual."),
    ("speech", {"window_seconds": 1.0, "overlap_seconds": 0.6},
     "An overlap of 0.6 s does not fit windows of 1 s; at most half may overlap."),
    ("speech", {"overlap_seconds": -0.1},
     "An overlap of -0.1 s does not fit windows of 0.1 s; at most half may overlap."),
    ("speech", {"window_seconds": -1.0},
     "An overlap of 0.025 s does not fit windows of -1 s; at most half may overlap."),
    ("speech", {"window_seconds": 1e-6, "overlap_seconds": 0.0},
     "Windows of 1e-06 s are too short; they must hold a kernel of the network, 0.002 s."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "options", "message"), BAD_OPTIONS, ids=[message[:30] for _, _, message in BAD_OPTIONS]
)
def test_options_that_do_not_fit_are_refused(kind: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        ENGINES[kind].__call__(**options)  # type: ignore[call-arg]
    assert str(caught.value) == message


def test_a_long_raw_run_of_speech_needs_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fronts, "RAW_LIMIT_SECONDS", 60.0)
    x = noise(1, 120 * 100)
    gigabytes = 120 * fronts.RAW_BYTES_PER_8000 / 1e9
    told = (
        f"Raw runs the whole file in one window: 2 minutes take about {gigabytes:.0f} GB of memory. "
        "Use --force (force=True) to do it all the same, or leave raw out."
    )
    fake = speech_fake(even_and_odd)
    with pytest.raises(UsageError) as caught:
        Separator.over(fake, speech_spec(), Options(raw=True))(x, 100)
    assert str(caught.value) == told
    assert fake.shapes == []
    assert Separator.over(fake, speech_spec(), Options(raw=True, force=True))(x, 100)
    assert Separator.over(fake, speech_spec(), Options(raw=True))(x[:, : 60 * 100], 100)


# --- from a folder ---


def test_loading_by_folder(speech_folder: Path, music_folder: Path) -> None:
    x = noise(2, 5000)
    with Separator(speech_folder, device="cpu", threads=1) as engine:
        stems = engine(x, 16000)
        assert list(stems) == ["voice1", "voice2"]
        assert (engine.device, engine.device_reason) == ("cpu", "asked for")
        np.testing.assert_allclose(sum(stems.values()), x, atol=1e-6)
    with Separator(str(music_folder), wiener=True) as engine:
        assert engine.options.wiener == 1
        np.testing.assert_allclose(sum(engine(x, 44100).values()), x, atol=1e-6)
    with Separator(music_folder, wiener=3, raw=True, options=Options(high_band="drop")) as engine:
        assert engine.options == Options(wiener=3, raw=True, high_band="drop")


def test_torch_and_onnx_runtime_separate_alike(speech_folder: Path, music_folder: Path) -> None:
    pytest.importorskip("torch")
    x = noise(2, 9000)
    for folder in (speech_folder, music_folder):
        one, two = (Separator(folder, device=device)(x, 8000) for device in ("cpu", "torch"))
        for name, stem in one.items():
            assert snr(stem, two[name]) > 60


def test_options_are_checked_before_the_network_is_loaded(speech_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "open_executor", None)
    with pytest.raises(UsageError, match=r"^The Wiener filter is for music models; tiny-speech is a sepformer\.$"):
        Separator(speech_folder, wiener=True)


@pytest.mark.parametrize("spec", [text_spec(), side_spec(EVERY["spectrogram to waveform"])], ids=["text", "vocoder"])
def test_a_model_without_stems_separates_nothing(spec: ModelSpec) -> None:
    with pytest.raises(UsageError) as caught:
        Separator.over(speech_fake(even_and_odd), spec)
    assert str(caught.value) == f"{spec.name} pulls nothing apart; `unbraid models` lists those that do."
