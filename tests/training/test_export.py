"""Export: a training checkpoint becomes a model folder that both engines read alike, or nothing at all."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from engine_fakes import TEXT, text_spec
from side_fakes import EVERY, side_spec

torch = pytest.importorskip("torch")

from unbraid.errors import ModelError, UsageError  # noqa: E402
from unbraid.hub.folder import open_model_folder  # noqa: E402
from unbraid.hub.spec import Spectral, read_spec  # noqa: E402
from unbraid.models.audio_transformer.config import AudioTransformerConfig  # noqa: E402
from unbraid.models.audio_transformer.network.model import AudioTransformer  # noqa: E402
from unbraid.models.sepformer.config import SepFormerConfig  # noqa: E402
from unbraid.models.sepformer.network import SepFormer  # noqa: E402
from unbraid.models.tensors import read_weights  # noqa: E402
from unbraid.models.unet.config import UNetConfig  # noqa: E402
from unbraid.models.unet.network import UNets  # noqa: E402
from unbraid.training.export import check_parity, export_checkpoint  # noqa: E402

SPEECH = SepFormerConfig(features=16, kernel_samples=8, stride_samples=4, chunk_frames=10, layers=1, heads=2, hidden=24)
MUSIC = UNetConfig(stems=3, filters=(2, 3, 4, 4, 5, 5))
STEMS = ("vocals", "drums", "other")


def speech_checkpoint(folder: Path, **changes: object) -> Path:
    torch.manual_seed(1)
    saved = {"model": SepFormer(SPEECH).state_dict(), "config": dataclasses.asdict(SPEECH), "state": {"step": 3}}
    torch.save(saved | changes, folder / "best.pt")
    return folder / "best.pt"


def music_checkpoint(folder: Path, geometry: UNetConfig = MUSIC, **more: object) -> Path:
    torch.manual_seed(2)
    saved = {"model": UNets(geometry).state_dict(), "config": dataclasses.asdict(geometry), "stems": list(STEMS)}
    torch.save(saved | more, folder / "best.pt")
    return folder / "best.pt"


def text_checkpoint(folder: Path, geometry: AudioTransformerConfig = TEXT, **changes: object) -> Path:
    torch.manual_seed(3)
    vocabularies = {side: list(symbols) for side, symbols in vars(text_spec(geometry).vocabularies).items()}
    saved = {"model": AudioTransformer(geometry).state_dict(), "config": dataclasses.asdict(geometry)}
    torch.save(saved | {"vocabularies": vocabularies} | changes, folder / "best.pt")
    return folder / "best.pt"


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_speech_checkpoint_becomes_a_folder_that_opens(tmp_path: Path, dtype: str) -> None:
    spec = export_checkpoint(
        speech_checkpoint(tmp_path), tmp_path / "voices", name="voices", dtype=dtype, licence="CC0"
    )
    assert open_model_folder(tmp_path / "voices") == spec
    assert (spec.family, spec.stems, spec.sample_rate) == ("sepformer", ("voice1", "voice2"), 8000)
    assert spec.licence == "CC0"
    assert {str(value.dtype) for value in read_weights(tmp_path / "voices" / "model.safetensors").values()} == {dtype}
    assert check_parity(spec, tmp_path / "voices") <= 1e-5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.pt", "voices"]


def test_outputs_may_be_silent_where_training_saw_fewer_voices(tmp_path: Path) -> None:
    checkpoint = speech_checkpoint(tmp_path, level="own", silent_outputs=True)
    assert export_checkpoint(checkpoint, tmp_path / "voices", name="voices").silent_outputs
    assert read_spec(tmp_path / "voices").silent_outputs
    assert not export_checkpoint(speech_checkpoint(tmp_path), tmp_path / "old", name="old").silent_outputs


def test_stems_are_picked_in_the_order_asked_for(tmp_path: Path) -> None:
    checkpoint = music_checkpoint(tmp_path)
    whole = export_checkpoint(checkpoint, tmp_path / "all", name="all")
    picked = export_checkpoint(checkpoint, tmp_path / "two", name="two", stems=("other", "vocals"))
    assert (whole.stems, picked.stems) == (STEMS, ("other", "vocals"))
    everything, two = (read_weights(tmp_path / name / "model.safetensors") for name in ("all", "two"))
    for name, value in two.items():
        source = (
            name.replace("nets.0.", "nets.2.") if name.startswith("nets.0.") else name.replace("nets.1.", "nets.0.")
        )
        np.testing.assert_array_equal(value, everything[source])


def test_the_spectrogram_of_a_music_checkpoint_is_its_own(tmp_path: Path) -> None:
    seen = Spectral(2048, 512, bins=512, exponent=1.0, extension="average")
    assert export_checkpoint(music_checkpoint(tmp_path), tmp_path / "old", name="old").spectral == Spectral()
    checkpoint = music_checkpoint(tmp_path, spectral=dataclasses.asdict(seen), sample_rate=22050)
    spec = export_checkpoint(checkpoint, tmp_path / "new", name="new")
    assert (spec.spectral, spec.sample_rate) == (seen, 22050)
    checkpoint = music_checkpoint(tmp_path, spectral={"bin": 512})
    with pytest.raises(ModelError, match="^The checkpoint's sizes do not describe a network: .*'bin'"):
        export_checkpoint(checkpoint, tmp_path / "bad", name="bad")


def test_a_shared_trunk_is_exported_whole(tmp_path: Path) -> None:
    checkpoint = music_checkpoint(tmp_path, dataclasses.replace(MUSIC, trunk="shared", output="softmax"))
    assert export_checkpoint(checkpoint, tmp_path / "whole", name="whole").stems == STEMS
    message = "^some is one network for all its stems, of which none can be picked; leave out --stems.$"
    with pytest.raises(UsageError, match=message):
        export_checkpoint(checkpoint, tmp_path / "some", name="some", stems=("vocals",))
    assert not (tmp_path / "some").exists()


def test_layers_across_all_bins_are_exported(tmp_path: Path) -> None:
    geometry = dataclasses.replace(MUSIC, bins=1024)
    spec = export_checkpoint(music_checkpoint(tmp_path, geometry), tmp_path / "across", name="across")
    assert spec.geometry == geometry
    assert check_parity(spec, tmp_path / "across") <= 1e-5


def test_variances_beyond_float16_are_exported_all_the_same(tmp_path: Path) -> None:
    checkpoint = music_checkpoint(tmp_path)
    saved = torch.load(checkpoint, weights_only=True)
    for name in (name for name in saved["model"] if name.endswith("up_norm.0.running_var")):
        saved["model"][name][::2] = 1e6
    torch.save(saved, checkpoint)
    folders = {dtype: tmp_path / dtype for dtype in ("float32", "float16")}
    for dtype, folder in folders.items():
        export_checkpoint(checkpoint, folder, name="loud", dtype=dtype)
    wide, narrow = (read_weights(folder / "model.safetensors") for folder in folders.values())
    for name in (name for name in wide if name.endswith(".running_var")):
        weight = name.replace("running_var", "weight")
        gain, same = (w[weight] / np.sqrt(w[name].astype(np.float32)) for w in (wide, narrow))
        np.testing.assert_allclose(same, gain, rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("positions", ["sinusoidal", "rotary"])
def test_a_text_checkpoint_becomes_a_folder_that_opens(tmp_path: Path, dtype: str, positions: str) -> None:
    geometry = dataclasses.replace(TEXT, positions=positions)
    spec = export_checkpoint(text_checkpoint(tmp_path, geometry), tmp_path / "letters", name="letters", dtype=dtype)
    assert open_model_folder(tmp_path / "letters") == spec
    assert (spec.family, spec.stems, spec.sample_rate, spec.geometry) == ("audio_transformer", (), 0, geometry)
    assert spec.vocabularies == text_spec().vocabularies
    assert check_parity(spec, tmp_path / "letters") <= 1e-5


def side_checkpoint(folder: Path, kind: str, **changes: object) -> Path:
    torch.manual_seed(4)
    geometry = EVERY[kind]
    spec = side_spec(geometry)
    saved = {"model": AudioTransformer(geometry).state_dict(), "config": dataclasses.asdict(geometry)}
    for key in ("vocabularies", "mel", "windows"):
        if (part := getattr(spec, key)) is not None:
            saved[key] = dataclasses.asdict(part)
    torch.save(saved | {"sample_rate": spec.sample_rate} | changes, folder / "best.pt")
    return folder / "best.pt"


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("kind", EVERY)
def test_checkpoints_between_any_sides_become_folders_that_open(tmp_path: Path, kind: str, dtype: str) -> None:
    checkpoint = side_checkpoint(tmp_path, kind, level="own")
    spec = export_checkpoint(checkpoint, tmp_path / "model", name="tiny-sides", dtype=dtype)
    assert open_model_folder(tmp_path / "model") == spec
    expected = dataclasses.replace(
        side_spec(EVERY[kind]), level="own", licence=spec.licence, provenance=spec.provenance, files=spec.files
    )
    assert spec == expected
    assert check_parity(spec, tmp_path / "model") <= 1e-5


def test_a_checkpoint_whose_sides_are_not_told_is_refused(tmp_path: Path) -> None:
    message = r"^The checkpoint does not say which spectrogram its network knows \(the key 'mel'\).$"
    with pytest.raises(ModelError, match=message):
        export_checkpoint(side_checkpoint(tmp_path, "spectrogram to text", mel=None), tmp_path / "x", name="x")
    with pytest.raises(ModelError, match="^x: its network has 6 mel bands, its spectrogram 64.$"):
        export_checkpoint(side_checkpoint(tmp_path, "spectrogram to text", mel={}), tmp_path / "x", name="x")
    config = dataclasses.asdict(EVERY["waveform to text"])
    config["source"] = {"kind": "smell"}
    sides = "text, spectrogram, waveform, wav2vec2"
    message = (
        f"^The checkpoint's sizes do not describe a network: config: source: kind must be one of {sides}, got 'smell'.$"
    )
    with pytest.raises(ModelError, match=message):
        export_checkpoint(side_checkpoint(tmp_path, "waveform to text", config=config), tmp_path / "x", name="x")
    assert not (tmp_path / "x").exists()


def test_a_text_checkpoint_without_its_symbols_is_refused(tmp_path: Path) -> None:
    torch.save({"model": {}, "config": dataclasses.asdict(TEXT)}, tmp_path / "best.pt")
    message = "^The checkpoint has no vocabularies, without which its network's symbols mean nothing.$"
    with pytest.raises(ModelError, match=message):
        export_checkpoint(tmp_path / "best.pt", tmp_path / "x", name="x")
    few = {"source": ["<padding>", "<begin>", "<end>", "<unknown>", "a"], "target": ["A"]}
    with pytest.raises(ModelError, match="do not describe a network: vocabularies: a vocabulary begins with"):
        export_checkpoint(text_checkpoint(tmp_path, vocabularies=few), tmp_path / "x", name="x")
    few["target"] = few["source"]
    with pytest.raises(ModelError, match="^x: the network's source has 9 symbols, its vocabulary 5.$"):
        export_checkpoint(text_checkpoint(tmp_path, vocabularies=few), tmp_path / "x", name="x")
    with pytest.raises(UsageError, match="^Stems are picked from music checkpoints; this one is a single network, so"):
        export_checkpoint(text_checkpoint(tmp_path), tmp_path / "x", name="x", stems=("vocals",))
    assert not (tmp_path / "x").exists()


def test_a_stem_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="^The checkpoint has no stem 'piano'; it has vocals, drums, other.$"):
        export_checkpoint(music_checkpoint(tmp_path), tmp_path / "x", name="x", stems=("piano",))


def test_sizes_that_do_not_fit_the_tensors_are_refused(tmp_path: Path) -> None:
    wrong = dataclasses.asdict(dataclasses.replace(SPEECH, layers=2))
    with pytest.raises(ModelError, match="^x: tensor .* is missing"):
        export_checkpoint(speech_checkpoint(tmp_path, config=wrong), tmp_path / "x", name="x")
    assert not (tmp_path / "x").exists()


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match="is no training checkpoint: expected the keys 'model' and 'config'.$"):
        export_checkpoint(tmp_path / "other.pt", tmp_path / "x", name="x")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(ModelError, match="text.pt"):
        export_checkpoint(tmp_path / "text.pt", tmp_path / "x", name="x")


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(ModelError, match="exists; choose another place or remove it first.$"):
        export_checkpoint(speech_checkpoint(tmp_path), tmp_path / "taken", name="taken")
    assert list((tmp_path / "taken").iterdir()) == []


def test_engines_that_disagree_export_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unbraid.training.export.PARITY", -1.0)
    with pytest.raises(ModelError, match="^x: ONNX Runtime and torch differ by .* of the peak; not exported.$"):
        export_checkpoint(speech_checkpoint(tmp_path), tmp_path / "x", name="x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.pt"]
