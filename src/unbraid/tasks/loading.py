"""Loading a model for a task: find its folder, check that it does the task, open its graphs, free them again.

The classes of all tasks stand on this. Each takes a name or folder, or, through its `over`, networks that are open
already: those of another engine, or fakes in a test.
"""

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, Self

from unbraid.errors import UsageError
from unbraid.hub.folder import open_model_folder
from unbraid.hub.names import resolve
from unbraid.hub.spec import ModelSpec
from unbraid.models.audio_transformer.config import AudioTransformerConfig
from unbraid.models.config import Task
from unbraid.runtime import Engine, Executor, open_executor

Check = Callable[[ModelSpec], object]  # raises UsageError for a model that does not do the task
Graphs = Callable[[ModelSpec], tuple[str, ...]]


class Loaded(NamedTuple):
    """A model's spec and its open graphs, in the order of `Config.graphs`."""

    spec: ModelSpec
    executors: tuple[Executor, ...]


@dataclass(frozen=True)
class ModelFolder:
    """A model folder that has been checked, and how its graphs are to run (see `runtime.open_executor`)."""

    spec: ModelSpec
    path: Path
    engine: Engine

    def open(self, *graphs: str) -> tuple[Executor, ...]:
        """Open these graphs; where one cannot be opened, those before it are freed."""
        with ExitStack() as opened:
            executors = tuple(opened.enter_context(closing(self._executor(graph))) for graph in graphs)
            opened.pop_all()
        return executors

    def _executor(self, graph: str) -> Executor:
        return open_executor(self.spec, self.path, graph=graph, engine=self.engine)


def find_model(model: str | Path, check: Check, engine: Engine = Engine()) -> ModelFolder:
    """Find a model by name or folder, and check it.

    Raises:
        ModelError: there is no such model, or its folder is damaged.
        UsageError: the model does not do the task, or `model` is neither a name nor a path.
    """
    path = resolve(model)
    spec = open_model_folder(path)
    check(spec)
    return ModelFolder(spec, path, engine)


def load(
    model: str | Path | Loaded,
    check: Check,
    engine: Engine = Engine(),
    graphs: Graphs = lambda spec: spec.geometry.graphs,
) -> Loaded:
    """Open the graphs that a model runs on, or those of them that are wanted; a loaded one is only checked.

    Raises:
        ModelError: there is no such model, or its folder is damaged.
        RuntimeUnavailable: the device is not there.
        UsageError: the model does not do the task, or `model` is neither a name nor a path.
    """
    if isinstance(model, Loaded):
        check(model.spec)
        return model
    found = find_model(model, check, engine)
    return Loaded(found.spec, found.open(*graphs(found.spec)))


def check_task(spec: ModelSpec, *tasks: Task) -> None:
    """Refuse a model of another task.

    Raises:
        UsageError: naming its task, and these.
    """
    if spec.task not in tasks:
        raise UsageError(
            f"The task of {spec.name} is {spec.task}, not {' or '.join(tasks)}; choose another of `unbraid models`."
        )


def transformer_sizes(spec: ModelSpec, *writes: str, is_aligned: bool = False) -> AudioTransformerConfig:
    """The sizes of an audio Transformer that writes one of these: "text", "spectrogram", "waveform".

    It has a decoder, or `is_aligned` and has none.

    Raises:
        UsageError: it is another model.
    """
    sizes = spec.geometry
    if spec.tokens:
        raise UsageError(f"{spec.name} writes after prompts, which a `Transcriber` gives it; use that.")
    if spec.family == "speecht5":
        raise UsageError(f"{spec.name} speaks in the voice of a vector; name one with --voice, in Python with `voice`.")
    if isinstance(sizes, AudioTransformerConfig) and sizes.is_aligned == is_aligned and sizes.writes in writes:
        return sizes
    what, how = " or ".join(f"{kind}s" for kind in writes), "for" if is_aligned else "by"
    raise UsageError(f"{spec.name} does not write {what} step {how} step; choose an audio Transformer that does.")


class Closing(Protocol):
    """Anything that is freed with a model."""

    def close(self) -> None:
        """Free it."""


class LoadedModel:
    """A loaded model; use it as often as you like. `close()`, or a `with` statement, frees its memory."""

    spec: ModelSpec
    device: str  # "cpu", "cuda", …
    device_reason: str  # why that device, for people

    def __init__(self, spec: ModelSpec, *networks: "Executor | LoadedModel"):
        """Take over the networks, which are closed with the model; the first tells the device."""
        first = networks[0]
        self.spec = spec
        self._networks: list[Closing] = list(networks)
        self.device = first.device
        self.device_reason = first.device_reason if isinstance(first, LoadedModel) else first.reason

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the networks."""
        for network in self._networks:
            network.close()
