"""The model of speaker embeddings where none is named: the best one on this machine whose threshold is known."""

from collections.abc import Callable
from pathlib import Path

import pytest

from unbraid.hub.catalogue import folder_name
from unbraid.hub.spec import Mel, ModelSpec
from unbraid.models.campplus.config import CampplusConfig
from unbraid.models.ecapa.config import EcapaConfig
from unbraid.models.speaker_config import WINDOWS
from unbraid.tasks.conversation.embedders import best_embedder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, float | None], None]:
    """Puts the spec of a model into the cache; nobody opens it."""
    monkeypatch.setenv("UNBRAID_CACHE", str(tmp_path))

    def put(name: str, family: str, same_speaker: float | None) -> None:
        folder = tmp_path / "models" / folder_name(name)
        folder.mkdir(parents=True)
        spec = ModelSpec(
            name, family, 16000, 1, (), CampplusConfig() if family == "campplus" else EcapaConfig(), "MIT", "a test",
            windows=WINDOWS, mel=Mel(400, 160, 80), same_speaker=same_speaker,
        )  # fmt: skip
        (folder / "spec.json").write_text(spec.to_json(), "utf-8")

    return put


def test_a_campplus_comes_first_then_an_ecapa_then_the_one_in_the_package(here: Callable) -> None:
    assert best_embedder() is None
    here("ecapa-mine", "ecapa", 0.25)
    assert best_embedder() == "ecapa-mine"
    here("campplus-zh-en", "campplus", 0.44)
    assert best_embedder() == "campplus-zh-en"


def test_a_model_whose_threshold_nobody_knows_is_not_taken(here: Callable) -> None:
    here("campplus-mine", "campplus", None)
    assert best_embedder() is None
