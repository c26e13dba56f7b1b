"""Scores of sound made of sound: distances in decibels, Griffin & Lim beside a vocoder, and what is told of them."""

import csv
import dataclasses
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine_fakes import write_model
from side_fakes import CONVERTERS, side_spec
from unbraid.corpora import Clip, Mixture
from unbraid.corpora.noise import AddedNoise, noisy
from unbraid.dsp.arrays import FloatArray
from unbraid.dsp.griffin_lim import griffin_lim
from unbraid.dsp.mel import mel_levels
from unbraid.errors import UsageError
from unbraid.evaluation.audio.report import report
from unbraid.evaluation.audio.run import LSD, SoundResult, score_spectrogram, score_vocoder, spectral_distance
from unbraid.evaluation.evaluators import evaluator_of
from unbraid.evaluation.request import EvaluationRequest
from unbraid.evaluation.run import Evaluation
from unbraid.hub.spec import Mel, ModelSpec

MEL, RATE = Mel(256, 80, 64), 8000


class Says:
    """A converter that makes of anything what a function makes of it."""

    def __init__(self, kind: str, function) -> None:
        spec = side_spec(CONVERTERS[kind])
        assert spec.mel is not None
        geometry = spec.geometry
        sides = {name: dataclasses.replace(side, bins=64) if side.kind == "spectrogram" else side
                 for name, side in (("source", geometry.source), ("target", geometry.target))}  # fmt: skip
        sides = {name: dataclasses.replace(side, strides=(1,)) if side.kind == "spectrogram" else
                 dataclasses.replace(side, kernels=(100,), strides=(80,)) for name, side in sides.items()}  # fmt: skip
        self.spec: ModelSpec = dataclasses.replace(spec, mel=MEL, geometry=dataclasses.replace(geometry, **sides))
        self.function, self.read = function, []

    def __call__(self, sound: FloatArray) -> FloatArray:
        self.read.append(sound)
        return self.function(sound)


@pytest.fixture
def voice(tmp_path: Path) -> np.ndarray:
    """A second of something like a voice, which is there as voice.wav, and hiss beside it."""
    time = np.arange(RATE) / RATE
    sound = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20)) * np.sin(2 * np.pi * 2 * time)
    soundfile.write(tmp_path / "voice.wav", 0.2 * sound, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "hiss.wav", np.random.default_rng(0).normal(0, 0.1, RATE), RATE, subtype="FLOAT")
    return soundfile.read(tmp_path / "voice.wav", dtype="float32")[0]


def test_a_distance_is_the_root_mean_square_over_bands_then_the_mean_over_frames() -> None:
    wanted = np.zeros((2, 4), np.float32)
    found = wanted.copy()
    found[0] = 0.25  # 10 dB in every band of one of two frames
    assert spectral_distance(found, wanted) == pytest.approx(5)
    found[0] = (0.5, 0, 0, 0)  # 20 dB in a quarter of the bands
    assert spectral_distance(found, wanted) == pytest.approx(5)


@pytest.mark.parametrize("kind", ["spectrogram to spectrogram", "waveform to spectrogram"])
def test_a_spectrogram_is_compared_to_the_noisy_one(kind: str, voice: np.ndarray, tmp_path: Path) -> None:
    mixture, noise = Mixture("one", (Clip(tmp_path / "voice.wav"),)), AddedNoise((Clip(tmp_path / "hiss.wav"),), 5.0)
    heard = noisy(voice, "one", RATE, noise)
    wanted, given = mel_levels(voice, MEL, RATE), mel_levels(heard, MEL, RATE)
    perfect = Says(kind, lambda _: wanted)
    scored = score_spectrogram(perfect, mixture, noise).scores[LSD]
    assert scored.model == 0
    assert scored.without == pytest.approx(spectral_distance(given, wanted))
    np.testing.assert_allclose(perfect.read[0], heard if kind.startswith("wave") else given)
    idle = score_spectrogram(Says(kind, lambda _: given), mixture, noise).scores[LSD]
    assert idle.model == idle.without == scored.without


def test_a_vocoder_is_compared_to_griffin_and_lim(voice: np.ndarray, tmp_path: Path) -> None:
    mixture = Mixture("one", (Clip(tmp_path / "voice.wav"),))
    levels = mel_levels(voice, MEL, RATE)
    perfect = score_vocoder(Says("spectrogram to waveform", lambda _: voice), mixture).scores[LSD]
    assert perfect.model < 1e-3 < perfect.without
    same = score_vocoder(Says("spectrogram to waveform", lambda read: griffin_lim(read, MEL, RATE)), mixture)
    assert same.scores[LSD].model == pytest.approx(same.scores[LSD].without)
    assert same.scores[LSD].model == pytest.approx(spectral_distance(
        mel_levels(griffin_lim(levels, MEL, RATE), MEL, RATE), levels))  # fmt: skip


def test_stoi_knows_the_voice_from_noise(voice: np.ndarray, tmp_path: Path) -> None:
    pytest.importorskip("pystoi")
    from unbraid.evaluation.measures import choose_measures

    ((stoi,), _) = choose_measures(["stoi"], RATE)
    mixture = Mixture("one", (Clip(tmp_path / "voice.wav"),))
    scores = score_vocoder(Says("spectrogram to waveform", lambda _: voice), mixture, stoi=stoi).scores["stoi"]
    assert scores.model == pytest.approx(1)
    assert 0.3 < scores.without < 1


def test_what_fails_stops_no_other_and_all_is_told(voice: np.ndarray, tmp_path: Path, setting) -> None:
    mixtures = [Mixture(name, (Clip(tmp_path / name),)) for name in ("voice.wav", "absent.wav", "voice.wav")]
    evaluation = Evaluation[SoundResult]()
    converter = Says("spectrogram to waveform", lambda _: voice)
    failures = evaluation.run(mixtures, partial(score_vocoder, converter))
    assert [failure is None for failure in failures] == [True, False, True]
    told = report(evaluation, setting(converter.spec, threads=1))
    values = told.values
    assert (values["recordings"], values["failed"]) == (2, ["absent.wav"])
    assert values["scores"][0]["change_percent"] == pytest.approx(-100, abs=0.1)
    assert told.lines[0] == "m on d, split test: 2 recordings, 0.0 min"
    assert told.lines[1].split("  ")[0] == "metric"
    rows = list(csv.DictReader(told.table.csv().splitlines()))
    assert float(rows[0]["lsd"]) < 1e-3 < float(rows[0]["lsd_without"])


def test_a_model_folder_is_scored_over_a_corpus(voice: np.ndarray, tmp_path: Path) -> None:
    spec = side_spec(CONVERTERS["spectrogram to spectrogram"])
    write_model(tmp_path / "model", spec)
    for name in ("ann", "bob"):
        (tmp_path / "corpus" / name).mkdir(parents=True)
        soundfile.write(tmp_path / "corpus" / name / "a.wav", np.tile(voice, 2), RATE)
    (tmp_path / "corpus" / "manifest.csv").write_text("path,speaker,split\nann/a.wav,ann,test\nbob/a.wav,bob,test\n")
    (tmp_path / "noise").mkdir()
    soundfile.write(tmp_path / "noise" / "hiss.wav", 0.1 * voice[::-1], RATE)
    (tmp_path / "noise" / "manifest.csv").write_text("path,split\nhiss.wav,test\n")
    request = EvaluationRequest(tmp_path / "corpus", noise=tmp_path / "noise", snr_db=0, snr_to_db=10, limit=2)
    job = evaluator_of(spec, request, None)
    assert job.noun == "recordings"
    with job.running(str(tmp_path / "model"), "cpu", "float32") as running:
        assert list(running.outcomes) == [None, None]
    told = job.report("cpu", "float32")
    assert told.values["noise"] == "noise of noise, split test, at 0 to 10 dB SNR"
    assert told.values["compared_to"] == "noisy input"
    assert set(told.files) == {"summary.json", "recordings.csv", "report.html"}
    assert json.loads(told.files["summary.json"])["recordings"] == 2
    assert request.title(spec) == "tiny-sides-corpus-test-noise-0to10dB-first-2"


def test_what_a_job_cannot_do_is_refused(tmp_path: Path) -> None:
    vocoder = side_spec(CONVERTERS["spectrogram to waveform"])
    with pytest.raises(UsageError) as caught:
        evaluator_of(vocoder, EvaluationRequest(tmp_path, noise=tmp_path, snr_db=5), None)
    assert str(caught.value) == "tiny-sides is a vocoder, which takes no noise away; leave --noise and --snr out."
    with pytest.raises(UsageError) as caught:
        evaluator_of(vocoder, EvaluationRequest(tmp_path), ["stoi"])
    assert str(caught.value) == "Spectrograms and vocoders have measures of their own, always; leave --metrics out."
    with pytest.raises(UsageError) as caught:
        EvaluationRequest(tmp_path, noise=tmp_path, snr_db=5, snr_to_db=5)
    assert str(caught.value) == (
        "--snr-to is where the range of SNRs ends that --snr begins; give a larger number than that."
    )
