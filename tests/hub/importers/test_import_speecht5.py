"""SpeechT5 folders become our weights and spec; the network with them gives what transformers gives."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from engine_fakes import peak_error
from unbraid.dsp.framing import Mel
from unbraid.errors import ModelError
from unbraid.hub.folder import open_model_folder, write_model_folder
from unbraid.hub.importers import read_checkpoint
from unbraid.hub.spec import ModelSpec
from unbraid.hub.vocabulary import SPECIAL
from unbraid.models.speecht5.config import SpeechT5Config
from unbraid.runtime import Engine, open_executor
from unbraid.tasks.loading import Loaded
from unbraid.tasks.synthesis.speecht5 import SpeechT5Synthesizer
from unbraid.tasks.vocoder import HifiganVocoder

TOLERANCE = 1e-4  # of the peak
TEXT = "Good morning."


@pytest.fixture
def folder(tmp_path: Path, goldens: Path) -> Path:
    """A published folder that may be damaged."""
    return shutil.copytree(goldens / "speecht5_tts", tmp_path / "published")


def change(path: Path, **values: Any) -> None:
    """Change settings of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_checkpoint(folder, "mine")
    return str(caught.value).replace(str(folder), "FOLDER")


def synthesizer(folder: Path, engine: str, speaker: np.ndarray) -> SpeechT5Synthesizer:
    spec = open_model_folder(folder)
    executors = tuple(open_executor(spec, folder, graph=part, engine=Engine(engine)) for part in spec.geometry.graphs)
    return SpeechT5Synthesizer(Loaded(spec, executors), speaker=speaker, vocoder=vocoder())


def vocoder() -> HifiganVocoder:
    from unbraid.models.hifigan.config import HifiganConfig

    class Silence:
        device, reason = "fake", "a test asked for it"

        def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {"waveform": inputs["log_mel"][:, :, 0].repeat(256, 1)}

        def close(self) -> None:
            pass

    config = HifiganConfig(6, 4, (16, 16), (16, 16), (3,), (1,), padding="zeros", edge_frames=0)
    mel = Mel(1024, 256, 6, form="speecht5")
    spec = ModelSpec("voco", "hifigan", 16000, 1, (), config, "MIT", "a test", mel=mel)
    return HifiganVocoder.over(Silence(), spec)


def test_a_folder_becomes_weights_and_spec(folder: Path) -> None:
    checkpoint = read_checkpoint(folder, "microsoft/speecht5_some")
    spec = checkpoint.spec
    assert (spec.family, spec.task, spec.licence, spec.sample_rate) == ("speecht5", "acoustic model", "MIT", 16000)
    assert spec.geometry == SpeechT5Config(17, 12, 3, 20, 2, 2, 4, 6, 2, 8, 5, 3, 7, 3)
    assert spec.mel == Mel(1024, 256, 6, form="speecht5")
    assert spec.vocabularies is not None
    assert spec.vocabularies.source == (*SPECIAL, *"▁GMdgimnor.", "<15>", "<16>")
    assert all(t.flags.c_contiguous and t.dtype == np.float32 for t in checkpoint.tensors.values())


def test_the_card_has_a_command_that_works(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    checkpoint = read_checkpoint(folder, "mine")
    write_model_folder(tmp_path / "model", checkpoint.spec, checkpoint.tensors)
    card = (tmp_path / "model" / "README.md").read_text("utf-8")
    assert 'unbraid synthesize "Good morning." -m mine --voice somebody.wav' in card


@pytest.mark.parametrize("engine", ["cpu", "torch"])
def test_the_spectrogram_is_that_of_transformers(engine: str, folder: Path, tmp_path: Path) -> None:
    """300 frames, each step fed with the one before; the dropout of the pre-net is switched off in both."""
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    wanted = safetensors.numpy.load_file(folder / "io.safetensors")
    checkpoint = read_checkpoint(folder, "mine")
    write_model_folder(tmp_path / "model", checkpoint.spec, checkpoint.tensors)
    with synthesizer(tmp_path / "model", engine, wanted["speaker"]) as voice:
        spoken = voice.speak(TEXT, dropout=False)
    assert not spoken.ended and spoken.log_mel.shape == wanted["log_mel"].shape == (300, 6)
    assert peak_error(wanted["log_mel"], spoken.log_mel) <= TOLERANCE


def test_it_ends_where_the_probabilities_of_a_step_add_up_to_a_half(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    checkpoint = read_checkpoint(folder, "mine")
    weights = checkpoint.tensors | {"stop.weight": np.zeros((2, 12), np.float32)}
    for logit, ended in ((-1.0, True), (-1.2, False)):  # twice 0.27, and twice 0.23
        tensors = weights | {"stop.bias": np.full(2, logit, np.float32)}
        write_model_folder(tmp_path / f"model{logit}", checkpoint.spec, tensors)
        with synthesizer(tmp_path / f"model{logit}", "cpu", np.ones(5)) as voice:
            spoken = voice.speak("Go.")
            assert (spoken.ended, len(spoken.log_mel)) == ((True, 2) if ended else (False, 100))
            run = voice.blocks("Go. Mimi")
            pieces = list(run)
    assert [piece.shape[1] for piece in pieces] == [100 * 256, 3200, 120 * 256]
    assert run.diagnostics.notice == "mine found no end of 'Go.'; it was cut off after 1.6 s"


def test_dropout_is_on_and_the_same_every_time(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    checkpoint = read_checkpoint(folder, "mine")
    write_model_folder(tmp_path / "model", checkpoint.spec, checkpoint.tensors)
    with synthesizer(tmp_path / "model", "cpu", np.ones(5)) as voice:
        first, again, without = voice.speak("Mimi"), voice.speak("Mimi"), voice.speak("Mimi", dropout=False)
    assert np.array_equal(first.log_mel, again.log_mel)
    assert not np.allclose(first.log_mel, without.log_mel, atol=1e-3)


def test_weights_by_torch_save_with_what_older_versions_kept(folder: Path) -> None:
    """Positions, which a formula gives, were saved, too."""
    torch = pytest.importorskip("torch")
    wanted = read_checkpoint(folder, "mine").tensors
    tensors = {k: torch.from_numpy(v) for k, v in safetensors.numpy.load_file(folder / "model.safetensors").items()}
    tensors["speecht5.encoder.prenet.encode_positions.pe"] = torch.zeros(1, 450, 12)
    torch.save(tensors, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    found = read_checkpoint(folder, "mine").tensors
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"architectures": ["SpeechT5Model"]}, "FOLDER is a SpeechT5Model; of SpeechT5, only SpeechT5ForTextToSpeech, "
                                               "SpeechT5ForSpeechToSpeech, SpeechT5ForSpeechToText can be imported."),
        ({"architectures": 7}, "FOLDER is a 7; of SpeechT5, only"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings is False; a network that can be imported has True."),
        ({"hidden_act": "relu"}, "hidden_act is 'relu'; a network that can be imported has 'gelu'."),
        ({"decoder_ffn_dim": 24}, "encoder and decoder have 20 and 24 ffn_dim; in a network that can be imported they"),
        ({"hidden_size": 13}, "describe no network: features (13) must be even, and a multiple of heads (3)."),
        ({"speech_decoder_postnet_kernel": 4}, "post_kernel must be odd, so that frames stay where they are, got 4."),
        ({"vocab_size": 14}, "has 15 pieces, of which the special ones are the numbers 0, 1, 2, 3; the network has 14"),
        ({"speaker_embedding_dim": 6}, "has shape (12, 17), expected (12, 18)."),
        ({"speech_decoder_prenet_dropout": 0.1}, "speech_decoder_prenet_dropout is 0.1; a network"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_are_refused(values: dict[str, Any], message: str, folder: Path) -> None:
    change(folder / "config.json", **values)
    assert message in refusal(folder)


def test_a_symbol_under_the_name_of_a_special_one_is_refused(folder: Path) -> None:
    piece = b"<padding>"
    packed = bytes([10, len(piece) + 4, 10, len(piece)]) + piece + bytes([24, 1])
    symbols = folder / "spm_char.model"
    symbols.write_bytes(symbols.read_bytes() + packed)
    assert refusal(folder) == (
        "FOLDER/spm_char.model holds no vocabulary: the symbols of a vocabulary must differ, and none may be empty."
    )


def test_missing_and_damaged_files_are_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    whole = safetensors.numpy.load_file(path)
    safetensors.numpy.save_file({k: v for k, v in whole.items() if k != "speech_decoder_postnet.prob_out.bias"}, path)
    assert "tensor 'speech_decoder_postnet.prob_out.bias' is missing" in refusal(folder)
    symbols = folder / "spm_char.model"
    data = symbols.read_bytes()
    symbols.write_bytes(data[:50])
    assert refusal(folder).startswith("FOLDER/spm_char.model is not a SentencePiece model: ")
    symbols.write_bytes(data[:-4] + b"\x12\x02\x18\x01")
    assert refusal(folder) == "FOLDER/spm_char.model is not a SentencePiece model: expected a model of characters."
    symbols.unlink()
    assert refusal(folder) == (
        "FOLDER has no spm_char.model; a SpeechT5 is config.json, spm_char.model and "
        "model.safetensors or pytorch_model.bin."
    )
    symbols.write_bytes(data)
    path.unlink()
    assert "FOLDER has no model.safetensors; a SpeechT5" in refusal(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"hop_length": 20}))
    assert "hop_length is 20; a network that can be imported has 16." in refusal(folder)
