"""A family of networks is one folder and one line: a tiny one is defined here, and exported, loaded and used."""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from unbraid.models.family import FAMILIES, Family, families_with, family_of

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

FILES = {
    "config.py": '''
from dataclasses import dataclass

from unbraid.files.ranges import Count, check_ranges
from unbraid.models.config import Config


@dataclass(frozen=True)
class GainsConfig(Config):
    """One gain for each voice."""

    gains: Count = 2

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def outputs(self) -> int:
        return self.gains
''',
    "layout.py": """
from unbraid.models.operators import COMMON
from unbraid.models.signatures import Signature

OPERATORS = COMMON


def tensor_shapes(config):
    return {"gains": (1, config.gains, 1)}


def signature(config, part="model"):
    return Signature({"mixture": ["B", "T"]}, {"sources": ["B", config.gains, "T"]})
""",
    "graph.py": """
from gains_family.layout import signature

from unbraid.models.onnx.builder import Graph


def build(config, tensors, location, part="model"):
    graph = Graph(tensors, location)
    mixture = graph.op("Unsqueeze", "mixture", graph.constant([1]))
    return graph.model(signature(config), {"sources": graph.op("Mul", mixture, graph.weight("gains"))})
""",
    "network.py": """
import torch
from torch import nn


class Gains(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.gains = nn.Parameter(torch.ones(1, config.gains, 1))

    def forward(self, mixture):
        return mixture[:, None] * self.gains


def build(config):
    return Gains(config)


def outputs(module, part, inputs):
    return {"sources": module(inputs["mixture"])}
""",
}


@pytest.fixture
def gains_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a family that lies outside the package."""
    folder = tmp_path / "packages" / "gains_family"
    folder.mkdir(parents=True)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(folder.parent)
    monkeypatch.setitem(FAMILIES, "gains", Family("gains_family", "GainsConfig", front="waveform"))
    yield "gains"
    for name in [name for name in sys.modules if name.startswith("gains_family")]:
        del sys.modules[name]


@pytest.mark.parametrize("device", ["cpu", "torch"])
def test_a_family_of_its_own_is_exported_loaded_and_separates(gains_family: str, tmp_path: Path, device: str) -> None:
    from unbraid import Separator
    from unbraid.hub.folder import open_model_folder
    from unbraid.training.export import export_checkpoint

    config = FAMILIES[gains_family].config_type()()
    network = FAMILIES[gains_family].load("network").build(config)
    with torch.no_grad():
        network.gains[:] = torch.tensor([0.75, 0.25])[None, :, None]
    saved = {
        "family": gains_family,
        "model": network.state_dict(),
        "config": dataclasses.asdict(config),
        "level": "own",
    }
    torch.save(saved, tmp_path / "best.pt")
    spec = export_checkpoint(tmp_path / "best.pt", tmp_path / "model", name="halves")
    assert (spec.family, spec.task, spec.stems) == ("gains", "separation", ("voice1", "voice2"))
    assert open_model_folder(tmp_path / "model") == spec
    mixture = np.random.default_rng(0).normal(0, 0.1, (1, 5000)).astype(np.float32)
    with Separator(tmp_path / "model", device=device) as separator:
        stems = separator(mixture, 8000)
    np.testing.assert_allclose(stems["voice1"], 0.75 * mixture, atol=1e-4)
    np.testing.assert_allclose(stems["voice1"] + stems["voice2"], mixture, atol=1e-6)


def test_every_family_knows_its_own_sizes() -> None:
    for name, family in FAMILIES.items():
        if name != "audio_transformer":  # which has no default sizes
            assert family_of(family.config_type()()) == name
        fields = [field.name for field in dataclasses.fields(family.config_type())]
        same = ["sepformer", "resepformer"]  # in this order: a checkpoint from before families is a SepFormer
        assert families_with(fields) == (same if name in same else [name])
