"""The settings of a batch: the task, its model and options, and where outputs go. They travel to the workers."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from unbraid.audio import choose_format
from unbraid.errors import UsageError
from unbraid.hub.defaults import DEFAULTS, MUSIC, are_song_stems
from unbraid.hub.spec import ModelSpec
from unbraid.runtime import Engine
from unbraid.runtime.executor import Precision
from unbraid.tasks.loading import check_task, find_model
from unbraid.tasks.separation.options import Options, all_stems, check_options, check_stem

Task = Literal["separate", "enhance", "transcribe"]
_INDIFFERENT = ("device", "threads", "limit_seconds")  # to outputs
TASKS: tuple[Task, ...] = get_args(Task)


@dataclass(frozen=True)
class Settings:
    """The settings of a batch."""

    output: str  # an absolute path, or an address for fsspec
    task: Task = "separate"
    model: str | None = None  # None: the task's default, or of separation, that for the sound of each recording
    format: str = "flac"  # of stems
    residual: bool = False
    speakers: int | tuple[int, int] | None = None
    strength: float = 1.0  # of enhancement
    device: str = "auto"
    precision: Precision = "float32"
    threads: int | None = 1  # of each worker
    limit_seconds: float | None = None  # of work on a file
    stems: tuple[str, ...] | None = None  # that are written; None: all

    @property
    def identity(self) -> dict[str, Any]:
        """The settings that outputs depend on, as JSON values; another manifest is needed where one differs."""
        values = {key: value for key, value in asdict(self).items() if key not in _INDIFFERENT}
        result: dict[str, Any] = json.loads(json.dumps(values))
        return result

    @property
    def options(self) -> Options:
        """The options of a separation or enhancement."""
        stems = self.stems or ()
        return Options(
            residual=self.residual or "residual" in stems, speakers=self.speakers, strength=self.strength, stems=stems
        )

    @property
    def engine(self) -> Engine:
        """The engine of each worker."""
        return Engine(self.device, self.precision, self.threads)

    def check(self) -> None:
        """Refuse what no file could be done with; models that are not here are fetched, once for all workers.

        Raises:
            UsageError: the task, the format, an option or the model's task does not fit.
            ModelError: a model is not there, or damaged.
        """
        if self.task not in TASKS:
            raise UsageError(f"There is no task {self.task!r}; choose {', '.join(TASKS)}.")
        if self.task != "transcribe":
            choose_format(self.format)
        elif self.residual or self.speakers is not None:
            raise UsageError("Transcripts have no residual and no number of speakers; leave these options out.")
        elif self.stems is not None:
            raise UsageError("Transcripts have no stems; leave --stems out.")
        if self.strength != 1 and self.task != "enhance":
            raise UsageError("A strength goes with --task enhance; leave it out.")
        for model in self.models:
            find_model(model, self._check, self.engine)

    @property
    def listens(self) -> bool:
        """Whether each recording chooses its model by its sound.

        Not with int8 or a number of people, which are for speech, nor with names of stems.
        """
        implied = self.speakers is not None or self.precision == "int8" or bool(self._named)
        return self.task == "separate" and self.model is None and not implied

    @property
    def models(self) -> tuple[str, ...]:
        """The models that may be run."""
        if self.model is not None:
            return (self.model,)
        match self.task:
            case "enhance":
                return (DEFAULTS["enhancement"],)
            case "transcribe":
                return (DEFAULTS["transcription"],)
            case _ if are_song_stems(self._named) and self.speakers is None:
                return (MUSIC,)
            case _:
                return (DEFAULTS["separation"], *((MUSIC,) if self.listens else ()))

    @property
    def _named(self) -> set[str]:
        return {*(self.stems or ())} - {"residual"}

    @property
    def _check(self) -> Callable[[ModelSpec], None]:
        if self.task == "transcribe":
            return lambda spec: check_task(spec, "transcription")
        return self._check_separation

    def _check_separation(self, spec: ModelSpec) -> None:
        check_options(spec, self.options)
        if self.task == "enhance":
            check_stem("speech", spec.stems, spec.name)
        for stem in self.stems or ():
            check_stem(stem, all_stems(spec, self.options), spec.name)
