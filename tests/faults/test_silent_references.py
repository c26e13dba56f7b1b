"""A reference that is silent, or all that sounds, is left out of every mean and counted, wherever scores are told."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine_fakes import noise, speech_spec, write_model
from side_fakes import CONVERTERS, side_spec
from unbraid.corpora import Clip, Mixture
from unbraid.evaluation.audio.run import score_spectrogram, score_vocoder
from unbraid.evaluation.evaluators import evaluator_of
from unbraid.evaluation.measures import measures_at
from unbraid.evaluation.request import EvaluationRequest
from unbraid.evaluation.speech.scoring import is_alone, is_quiet, score_mixture

RATE = 8000
VOICE = noise(1, RATE)[0]
OTHER = noise(1, RATE, 1)[0]
HISS = 1e-4 * noise(1, RATE, 2)[0]  # -100 dBFS
MEASURES = measures_at(RATE)[:2]

SILENT = {
    "zeros": np.zeros(RATE, np.float32),
    "an offset": np.full(RATE, 0.25, np.float32),
    "dither": (np.random.default_rng(3).integers(-1, 2, RATE) / 32768).astype(np.float32),
    "hiss": HISS,
}


@pytest.mark.parametrize("name", SILENT)
def test_a_silent_reference_is_left_out_and_its_companion_has_nothing_to_gain(name: str) -> None:
    silent = SILENT[name]
    references = np.stack((VOICE, silent))
    estimates = np.stack((VOICE + 0.1 * OTHER, 0.1 * OTHER))
    scored = score_mixture(estimates, references, references.sum(0), MEASURES)
    assert (scored.silent_references, scored.alone_references) == (1, 1)
    for score in scored.scores.values():
        assert score.left_out == 2 and math.isnan(score.improvement)
    noisy = score_mixture(estimates, references, references.sum(0) + 0.3 * OTHER, MEASURES)
    assert (noisy.silent_references, noisy.alone_references) == (1, 0)
    assert all(score.left_out == 1 and score.improvement > 5 for score in noisy.scores.values())


def test_what_sounds_counts_at_any_level() -> None:
    assert is_quiet(HISS) and not is_quiet(0.01 * VOICE)
    assert is_alone(VOICE, 0.5 * VOICE) and is_alone(VOICE, VOICE + HISS)
    assert not is_alone(VOICE, VOICE + 0.02 * OTHER) and not is_alone(HISS, VOICE)


def corpus(folder: Path, pairs: dict[str, tuple[np.ndarray, np.ndarray]]) -> Path:
    """Mixtures of two voices, as WSJ0-2mix has them."""
    base = folder / "2speakers" / "wav8k" / "min" / "tt"
    for name, sources in pairs.items():
        for place, audio in zip(("s1", "s2", "mix"), (*sources, sum(sources)), strict=True):
            (base / place).mkdir(parents=True, exist_ok=True)
            soundfile.write(base / place / f"{name}.wav", audio, RATE, subtype="FLOAT")
    return folder


def test_voices_are_told_on_every_page(tmp_path: Path) -> None:
    write_model(tmp_path / "model", speech_spec())
    quiet = np.zeros(RATE, np.float32)
    folder = corpus(tmp_path / "corpus", {"01a_1_02b_1": (VOICE, OTHER), "03c_1_04d_1": (VOICE, quiet)})
    job = evaluator_of(speech_spec(), EvaluationRequest(folder, split="test"), ["si-sdr"])
    with job.running(str(tmp_path / "model"), "cpu", "float32") as running:
        assert list(running.outcomes) == [None, None]
    told = job.report("cpu", "float32")
    (score,) = told.values["scores"]
    assert (told.values["silent_references"], told.values["alone_references"]) == (1, 1)
    assert score["voices_left_out"] == 2 and score["improvement"]["n"] == 1 and score["improvement"]["mean"] > -20
    sentence = "SI-SDR: 2 of 4 voices left out"
    assert sentence in told.lines and sentence in told.files["report.html"]
    rows = list(csv.DictReader(told.files["mixtures.csv"].splitlines()))
    assert [(row["silent_references"], row["alone_references"]) for row in rows] == [("0", "0"), ("1", "1")]
    assert rows[1]["si_sdr_zero_mean_db_improvement"] == ""
    assert json.loads(told.files["summary.json"])["alone_references"] == 1


@pytest.mark.parametrize("kind", ["spectrogram to spectrogram", "waveform to spectrogram", "spectrogram to waveform"])
def test_sound_made_of_sound(kind: str, tmp_path: Path) -> None:
    spec = side_spec(CONVERTERS[kind])
    write_model(tmp_path / "model", spec)
    (tmp_path / "corpus").mkdir()
    rows = ["path,speaker,split"]
    for name, audio in {"one": VOICE, "two": OTHER, "zero": 0 * VOICE}.items():
        soundfile.write(tmp_path / "corpus" / f"{name}.wav", np.tile(audio, 2), RATE, subtype="FLOAT")
        rows.append(f"{name}.wav,{name},test")
    (tmp_path / "corpus" / "manifest.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "noise").mkdir()
    soundfile.write(tmp_path / "noise" / "hiss.wav", OTHER, RATE)
    (tmp_path / "noise" / "manifest.csv").write_text("path,split\nhiss.wav,test\n")
    noises = {} if kind.endswith("waveform") else {"noise": tmp_path / "noise", "snr_db": 5}
    job = evaluator_of(spec, EvaluationRequest(tmp_path / "corpus", split="test", limit=6, **noises), None)
    with job.running(str(tmp_path / "model"), "cpu", "float32") as running:
        assert list(running.outcomes) == [None] * 6
    told = job.report("cpu", "float32")
    silent, alone = told.values["silent_recordings"], told.values["recordings_without_noise"]
    assert 0 < silent < 6 and alone == 0
    sentence = next(line for line in told.lines if "recordings left out (" in line)
    assert sentence in told.files["report.html"]
    states = [row["voice"] for row in csv.DictReader(told.files["recordings.csv"].splitlines())]
    assert sorted(states) == sorted(["silent"] * silent + ["scored"] * (6 - silent))
    assert all(score["model"]["n"] == 6 - silent for score in told.values["scores"])


def test_scores_of_one_recording(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "zero.wav", np.zeros(RATE), RATE)
    mixture = Mixture("zero", (Clip(tmp_path / "zero.wav"),))

    class Idle:
        def __init__(self, kind: str) -> None:
            self.spec = side_spec(CONVERTERS[kind])

        def __call__(self, sound: np.ndarray) -> np.ndarray:
            return sound

    for score, kind in ((score_spectrogram, "spectrogram to spectrogram"), (score_vocoder, "spectrogram to waveform")):
        result = score(Idle(kind), mixture, None)
        assert (result.state, result.scores) == ("silent", {})


def test_training_chooses_by_what_can_be_improved() -> None:
    torch = pytest.importorskip("torch")
    from unbraid.training.tasks.speech import improvement

    voices = torch.from_numpy(np.stack((VOICE, OTHER)))
    silent = torch.stack((voices[0], torch.zeros(RATE)))
    sources = torch.stack((voices, silent))
    estimates = sources + 0.1 * voices.flip(0)
    found = improvement(estimates, sources, sources.sum(1))
    assert found.shape == (1,) and 10 < found[0] < 30
    assert improvement(estimates[1:], sources[1:], sources[1:].sum(1)).shape == (0,)
