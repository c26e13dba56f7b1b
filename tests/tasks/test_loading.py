"""Models are opened whole or not at all, checked before their networks are loaded, and freed with their class."""

from pathlib import Path

import numpy as np
import pytest

from engine_fakes import speech_spec, text_spec, write_model
from unbraid.errors import RuntimeUnavailable, UsageError
from unbraid.hub.spec import ModelSpec
from unbraid.tasks import loading
from unbraid.tasks.loading import Loaded, LoadedModel, load


class Network:
    """An executor that knows whether it is closed."""

    device, reason = "fake", "a test asked for it"
    closed = False

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return inputs

    def close(self) -> None:
        self.closed = True


def anything(spec: ModelSpec) -> None:
    """A task that every model does."""


def nothing(spec: ModelSpec) -> None:
    raise UsageError(f"{spec.name} does not do this.")


def test_graphs_are_freed_where_one_after_them_cannot_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(tmp_path / "model", text_spec())
    opened: list[Network] = []

    def open_executor(spec: ModelSpec, folder: Path, *, graph: str, **options: object) -> Network:
        if graph == "decoder":
            raise RuntimeUnavailable("There is no room for it.")
        opened.append(Network())
        return opened[-1]

    monkeypatch.setattr(loading, "open_executor", open_executor)
    with pytest.raises(RuntimeUnavailable):
        load(tmp_path / "model", anything)
    assert [network.closed for network in opened] == [True]


def test_a_model_is_checked_before_its_graphs_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(tmp_path / "model", text_spec())
    monkeypatch.setattr(loading, "open_executor", None)
    with pytest.raises(UsageError, match=r" does not do this\.$"):
        load(tmp_path / "model", nothing)


def test_a_model_that_is_loaded_is_checked_and_taken_as_it_is() -> None:
    loaded = Loaded(speech_spec(), (Network(),))
    assert load(loaded, anything) is loaded
    with pytest.raises(UsageError, match=r" does not do this\.$"):
        load(loaded, nothing)


def test_all_networks_are_freed_through_every_level() -> None:
    inner, outer = [Network(), Network()], Network()
    with LoadedModel(speech_spec(), LoadedModel(speech_spec(), *inner), outer) as model:
        assert (model.device, model.device_reason) == ("fake", "a test asked for it")
    assert all(network.closed for network in (*inner, outer))
