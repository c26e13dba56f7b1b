"""SpeakerEmbedder: any rate, channels and length come to one vector of length 1; silence and scraps are refused."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile

from embedding_fakes import VOICE, Bands, speaker_spec, voice_spec
from engine_fakes import noise, speech_spec, text_spec, write_model
from unbraid import SpeakerEmbedder
from unbraid.dsp.filterbank import centred_levels
from unbraid.errors import AudioError, UsageError
from unbraid.models.campplus.config import CampplusConfig
from unbraid.models.speaker_config import SpeakerConfig
from unbraid.models.speaker_resnet.config import SpeakerResnetConfig

RATE = 8000


def embedder(network: Bands | None = None) -> SpeakerEmbedder:
    return SpeakerEmbedder.over(network or Bands(), voice_spec())


def speech(seconds: float, seed: int = 0) -> np.ndarray:
    """(1, T) of noise that swells, in bands of its own."""
    samples = round(seconds * RATE)
    swell = np.abs(np.sin(np.arange(samples) / RATE * np.pi * 3)).astype(np.float32)
    return np.convolve(noise(1, samples, seed)[0], np.random.default_rng(seed).normal(size=9), "same")[None] * swell


def test_an_embedding_has_length_one_and_levels_do_not_count() -> None:
    found = embedder()(speech(0.9), RATE)
    assert (found.shape, found.dtype) == ((10,), np.float32)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(embedder()(0.05 * speech(0.9), RATE), found, atol=1e-4)


def test_channels_are_mixed_whatever_their_polarity() -> None:
    mono = speech(0.9)
    alone = embedder()(mono, RATE)
    np.testing.assert_allclose(embedder()(np.concatenate((mono, mono)), RATE), alone, atol=1e-5)
    np.testing.assert_allclose(embedder()(np.concatenate((mono, -mono)), RATE), alone, atol=1e-5)


def test_rates_and_offsets_are_taken_out() -> None:
    from unbraid.audio import resample

    network, mono = Bands(), speech(0.9)
    found = embedder(network)(resample(mono, RATE, 44100), 44100)
    assert network.shapes[0][:2] == (1, 57)
    assert found @ embedder()(mono, RATE) > 0.999
    assert embedder()(mono + 0.3, RATE) @ embedder()(mono, RATE) > 0.99


def test_long_audio_is_cut_into_full_windows_in_batches() -> None:
    network = Bands()
    embedder(network)(speech(30.1), RATE)
    assert {shape[1:] for shape in network.shapes} == {(63, 10)}
    assert sum(shape[0] for shape in network.shapes) == 1 + -(-(30.1 - 1) // 0.75)
    assert max(shape[0] for shape in network.shapes) == 4


def test_a_file_is_as_its_array_block_by_block(tmp_path: Path) -> None:
    audio = speech(7.3)
    soundfile.write(tmp_path / "a.wav", audio.T, RATE, subtype="FLOAT")
    np.testing.assert_allclose(embedder().of_file(tmp_path / "a.wav"), embedder()(audio, RATE), atol=1e-6)


def test_windows_count_by_their_amplitude_and_silent_ones_not_at_all() -> None:
    class Numbered(Bands):
        """The embedding of window k is 5 at k."""

        def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {"embedding": 5 * np.eye(len(inputs["levels"]), 10, dtype=np.float32)}

    audio = noise(1, 20000)[0]  # three windows, of which the last one starts 6000 samples before the end of the second
    audio[10000:] *= 0.1
    audio = np.concatenate((audio, np.zeros(12000, np.float32)))  # and two silent ones
    found = embedder(Numbered()).embed([audio])[0]
    expected = np.zeros(10)
    expected[:4] = [np.sqrt(np.mean(audio[start : start + 8000] ** 2)) for start in (0, 6000, 12000, 18000)]
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-5)


def test_pieces_of_one_length_are_run_together_and_come_back_in_order() -> None:
    network = Bands()
    pieces = [speech(seconds, seed)[0] for seed, seconds in enumerate((0.5, 0.8, 0.5, 2.0, 0.8))]
    found = embedder(network).embed(pieces)
    assert found.shape == (5, 10)
    assert sorted(shape[:2] for shape in network.shapes) == [(2, 32), (2, 50), (3, 63)]  # 2 s are three windows
    for piece, row in zip(pieces, found, strict=True):
        np.testing.assert_allclose(embedder().embed([piece])[0], row, atol=1e-6)
        assert np.linalg.norm(row) == pytest.approx(1, abs=1e-6)
    assert embedder().embed([]).shape == (0, 10)


def test_the_least_length_is_told() -> None:
    assert embedder().least_samples == 3200
    assert embedder().embed([speech(0.4)[0]]).shape == (1, 10)
    with pytest.raises(AudioError, match="Piece 1 has 3199 samples; tiny-voice needs 3200 or more"):
        embedder().embed([speech(0.4)[0], speech(0.4)[0][:-1]])
    with pytest.raises(AudioError, match=r"^The audio is 0.30 s long; a voice is told by 0.4 s of speech or more"):
        embedder()(speech(0.3), RATE)


def test_silence_and_damage_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="^The audio is silent, so nobody can be told; give a recording of speech"):
        embedder()(np.zeros((1, RATE)), RATE)
    with pytest.raises(AudioError, match="Piece 1 is silent, so nobody can be told; leave it out"):
        embedder().embed([speech(1)[0], np.zeros(RATE, np.float32)])
    soundfile.write(tmp_path / "none.wav", np.zeros(RATE), RATE)
    with pytest.raises(AudioError, match=r"none.wav is silent"):
        embedder().of_file(tmp_path / "none.wav")
    broken = speech(1)[0]
    broken[5] = np.nan
    with pytest.raises(AudioError, match="NaN"):
        embedder().embed([broken])
    with pytest.raises(AudioError, match=r"Piece 0 must be samples \(T,\), got shape \(1, 8000\)"):
        embedder().embed([speech(1)])


@pytest.mark.parametrize(
    ("config", "frames"),
    [
        (dataclasses.replace(VOICE, filterbank="speechbrain"), 63),
        (CampplusConfig(bins=16, features=16), 61),
        (SpeakerResnetConfig(bins=16, features=16), 61),
    ],
    ids=["speechbrain", "3d-speaker", "wespeaker"],
)
def test_the_config_says_which_spectrogram_the_network_reads(config: SpeakerConfig, frames: int) -> None:
    """Kaldi's has whole frames only: 61 of 256 samples, 128 apart, in a second."""
    network, spec = Bands(), speaker_spec(config)
    with SpeakerEmbedder.over(network, spec) as embedder:
        sound = speech(1)[0]
        found = embedder.embed([sound])
    assert network.shapes == [(1, frames, config.bins)]
    deviations = centred_levels(sound, spec.mel, RATE, config.filterbank).std(0)
    np.testing.assert_allclose(found[0], deviations / np.linalg.norm(deviations), atol=1e-5)


def test_the_shortest_piece_fills_the_frames_that_the_network_needs() -> None:
    spec = speaker_spec(dataclasses.replace(SpeakerResnetConfig(bins=32), blocks=(1,) * 6))
    assert SpeakerEmbedder.over(Bands(), spec).least_samples == 256 + 32 * 128


def test_other_models_are_refused(tmp_path: Path) -> None:
    for spec in (speech_spec(), text_spec()):
        write_model(tmp_path / spec.name, spec)
        with pytest.raises(UsageError, match="not speaker embedding; choose another"):
            SpeakerEmbedder(tmp_path / spec.name)


def test_a_model_folder_runs_on_both_engines(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    write_model(tmp_path / "model", voice_spec())
    with (
        SpeakerEmbedder(tmp_path / "model", threads=1) as ours,
        SpeakerEmbedder(tmp_path / "model", device="torch") as t,
    ):
        assert ours.features == 10
        np.testing.assert_allclose(ours(speech(3), RATE), t(speech(3), RATE), atol=1e-4)
