"""Folders of TIGERs become our weights and spec; what is no TIGER is refused in one sentence."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from unbraid.errors import ModelError
from unbraid.hub.importers import is_checkpoint, read_checkpoint
from unbraid.hub.importers.tiger_names import published_pieces
from unbraid.hub.spec import Windows
from unbraid.models.family import tensor_shapes
from unbraid.models.tiger.config import TigerConfig
from unbraid.models.tiger.published import FILMS, VOICES, widths_of

SIZES = {"hidden": 6, "iterations": 2, "levels": 3, "heads": 2, "query_features": 2}
OF_VOICES = TigerConfig(features=4, widths=widths_of(VOICES, 640, 16_000), **SIZES)
OF_FILMS = TigerConfig(
    sources=3,
    chosen=(2, 0, 1),
    frame_samples=1024,
    hop_samples=256,
    widths=widths_of(FILMS, 1024, 44_100),
    features=6,
    **SIZES,
)


@pytest.fixture
def voices(goldens: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(goldens / "tiger", tmp_path / "voices"))


@pytest.fixture
def films(goldens: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(goldens / "tiger_dnr", tmp_path / "films"))


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_checkpoint(folder, "mine")
    message = str(caught.value)
    assert "\n" not in message
    return message


def configured(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    given = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps({key: value for key, value in given.items() if value != "left out"}), encoding="utf-8")


def rewritten(folder: Path, change: Any) -> None:
    """Other tensors in place of those in the folder."""
    state = {name: np.ascontiguousarray(value) for name, value in load_file(folder / "model.safetensors").items()}
    save_file(change(state), folder / "model.safetensors")


def test_tigers_become_weights_and_spec(voices: Path, films: Path) -> None:
    assert is_checkpoint(voices) and is_checkpoint(films)
    found = read_checkpoint(voices, "mine")
    spec = found.spec
    assert (spec.family, spec.task, spec.geometry, spec.level) == ("tiger", "separation", OF_VOICES, "own")
    assert (spec.sample_rate, spec.channels, spec.stems) == (16_000, 1, ("voice1", "voice2"))
    assert (spec.windows, spec.separates_songs) == (Windows(6.0, 1.5), False)
    assert spec.provenance == "A TIGER, imported from model.safetensors with config.json."
    assert {name: value.shape for name, value in found.tensors.items()} == tensor_shapes(OF_VOICES)
    found = read_checkpoint(films, "mine")
    assert (found.spec.geometry, found.spec.stems) == (OF_FILMS, ("dialogue", "music", "effects"))
    assert (found.spec.sample_rate, found.spec.windows) == (44_100, Windows(12.0, 8.0))
    assert found.spec.separates_songs
    assert {name: value.shape for name, value in found.tensors.items()} == tensor_shapes(OF_FILMS)


def test_each_stem_takes_the_network_of_its_name(films: Path) -> None:
    """The first of ours is that of the dialogue; stems do not come in the order of the file."""
    published, tensors = load_file(films / "model.safetensors"), read_checkpoint(films, "mine").tensors
    for k, network in enumerate(("dialog", "music", "effect")):
        bias = published[f"{network}.separator.concat_block.0.bias"]
        np.testing.assert_array_equal(tensors[f"networks.{k}.again.bias"], bias)


def test_names_are_those_of_the_published_files() -> None:
    """Heads and activations of bands are joined; the coarsest resolution of the fusion leads nowhere."""
    pieces = published_pieces(TigerConfig())
    assert pieces.keys() == tensor_shapes(TigerConfig()).keys()
    assert [name for name, _ in pieces["time.attention.key.weight"]] == [
        f"separator.frame_path.1.Keys.{head}.norm.gamma" for head in range(4)
    ]
    assert pieces["bands.scales.up.3.gate.conv.weight"] == [
        ("separator.freq_path.0.last_layer.3.global_act.conv.weight", (256, 1, 5))
    ]
    names = [name for own in pieces.values() for name, _ in own]
    assert len(set(names)) == len(names) == 838 - 2 * 9
    assert not any("loc_glo_fus.4" in name for name in names)


CHANGES = [
    ({"out_channels": "left out"}, "out_channels is None, expected a whole number above zero"),
    ({"win": "640"}, "win is '640', expected a whole number above zero"),
    ({"num_blocks": 2_000_000}, "num_blocks is 2000000, which no network has; the most is 1048576."),
    ({"stride": 150}, "frame_samples must be even, and 2 to 64 times hop_samples, got 640 for 150."),
    ({"sample_rate": 8000}, "the arguments describe no network that can be imported: widths must be at least 1, got -"),
    ({"sample_rate": 48_000}, "the arguments describe no network that can be imported: widths must be at least 1"),
    ({"upsampling_depth": 4}, "tensor 'separator.frame_path.0.last_layer.2.global_act.conv.weight' is missing"),
    ({"upsampling_depth": 2}, "levels must be at least 3, got 2."),
    ({"out_channels": 6}, "tensor 'BN.0.1.weight' has shape (4, 2, 1), expected (6, 2, 1)."),
    ({"att_n_head": 1}, "does not belong to this network"),
    ({"num_sources": 4}, "tensor 'mask.0.1.weight' has shape (8, 2, 1), expected (16, 1, 1)."),
]


@pytest.mark.parametrize(("changes", "told"), CHANGES, ids=[str(changes) for changes, _ in CHANGES])
def test_arguments_that_do_not_fit_are_named(voices: Path, changes: dict[str, Any], told: str) -> None:
    configured(voices, **changes)
    message = refusal(voices)
    assert told in message
    assert str(voices) in message


def test_a_similar_network_is_told_by_a_tensor(voices: Path, films: Path) -> None:
    """A fork of the published program adds a decoder; another one has two networks of three."""
    rewritten(voices, lambda state: state | {"predictor.layers.0.weight": np.zeros((2, 2), np.float16)})
    assert "tensor 'predictor.layers.0.weight' does not belong to this network" in refusal(voices)
    rewritten(films, lambda state: {name: value for name, value in state.items() if not name.startswith("music.")})
    assert "tensor 'music.BN.0.0.bias' is missing" in refusal(films)
    configured(films, num_sources=2)
    assert "num_sources is 2; a network for films that can be imported has 3." in refusal(films)


def test_damaged_and_missing_weights(voices: Path) -> None:
    name = "separator.freq_path.1.Queries.1.act.weight"
    rewritten(voices, lambda state: state | {name: np.array([np.nan], np.float16)})
    assert f"tensor '{name}' holds NaN or infinity; the checkpoint is damaged." in refusal(voices)
    (voices / "model.safetensors").unlink()
    told = "has no model.safetensors; a TIGER that can be imported is config.json and model.safetensors of the hub."
    assert told in refusal(voices)
