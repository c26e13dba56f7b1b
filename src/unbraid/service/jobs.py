"""Jobs: the options of each kind, and a job as clients see it.

Options come from outside: unknown names and values out of range are refused here, with one sentence. A model is a name
from `unbraid models`, never a path.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from unbraid.errors import UsageError, quoted
from unbraid.hub.defaults import DEFAULTS, MUSIC

Kind = Literal["separate", "enhance", "transcribe", "align", "diarize", "analyse"]
State = Literal["queued", "running", "done", "failed", "cancelled"]
FINISHED: tuple[State, ...] = ("done", "failed", "cancelled")
ErrorKind = Literal["audio", "usage", "model", "unavailable", "too-long", "time", "memory", "disk", "crash", "internal"]
Format = Literal["wav", "flac", "mp3", "opus", "m4a"]
ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$")]
People = Annotated[str, StringConstraints(pattern=r"^\d{1,2}(-\d{1,2})?$")]


class Options(BaseModel):
    """The options of a job; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SeparateOptions(Options):
    """Separate a recording into stems, or a conversation into a track for each person."""

    model: ModelName | None = Field(None, description="by default the one for what the recording sounds like")
    speakers: People | None = Field(None, description="the number of people, or the fewest and most: 2, 2-6")
    residual: bool = Field(False, description="add what is in no stem")
    format: Format = Field("flac", description="of the stems")


class EnhanceOptions(Options):
    """Remove noise from speech."""

    model: ModelName = DEFAULTS["enhancement"]
    strength: float = Field(1.0, ge=0, le=1, description="the share of the noise that is removed")
    format: Format = Field("flac", description="of the two files")


class TranscribeOptions(Options):
    """Write down the words of a recording, with their times."""

    model: ModelName = DEFAULTS["transcription"]
    separate: bool = Field(False, description="transcribe the people of a conversation, each alone")
    speakers: People | None = Field(None, description="with `separate`: the number of people")


class AlignOptions(Options):
    """Give the lines and words of a text their times in a recording of it; the text is sent beside the recording."""

    model: ModelName | None = Field(None, description="by default one that has the letters of the text")
    vocals: bool | None = Field(None, description="hear only the vocals; by default of what sounds like music")
    words: bool = Field(False, description="in LRC and WebVTT the time of each word, too")
    threshold: float | None = Field(None, ge=-1000, lt=0, description="below which a line is not found")


class DiarizeOptions(Options):
    """Find who speaks when."""

    model: ModelName = DEFAULTS["separation"]
    speakers: People | None = Field(None, description="the number of people, or the fewest and most: 2, 2-6")


class AnalyseOptions(Options):
    """Find the melody, notes, key, chords and sung passages of a song, and separate its stems."""

    model: ModelName = MUSIC
    stems: bool = Field(True, description="keep the stems, too")
    force: bool = Field(False, description="also of what sounds like speech")
    format: Format = Field("flac", description="of the stems")


AnyOptions = SeparateOptions | EnhanceOptions | TranscribeOptions | AlignOptions | DiarizeOptions | AnalyseOptions
OPTIONS: dict[Kind, type[AnyOptions]] = {
    "separate": SeparateOptions,
    "enhance": EnhanceOptions,
    "transcribe": TranscribeOptions,
    "align": AlignOptions,
    "diarize": DiarizeOptions,
    "analyse": AnalyseOptions,
}


class ResultFile(BaseModel):
    """A file of a finished job."""

    name: str
    bytes: int
    sha256: str
    role: Literal["result", "player"] = "result"  # player: only for the page's player


class JobError(BaseModel):
    """Why a job failed."""

    kind: ErrorKind
    message: str


class Job(BaseModel):
    """A job."""

    id: str
    kind: Kind
    options: dict[str, bool | float | str | None]
    model: str | None = Field(None, description="that was run, of a job that is done")
    name: str = Field(description="of the recording, as the client calls it")
    state: State
    progress: float = Field(description="0 to 1")
    remaining_seconds: float | None = Field(None, description="of work, estimated")
    waiting: int | None = Field(None, description="jobs in front of this one, of a job that is queued")
    error: JobError | None = None
    created: float = Field(description="seconds since 1970, as all times")
    started: float | None = None
    finished: float | None = None
    attempts: int = 0
    audio_seconds: float | None = Field(None, description="the length of the recording")
    input_bytes: int
    files: list[ResultFile] = []
    notices: list[str] = Field([], description="warnings about the recording and the result")


def options_of(kind: str, given: Mapping[str, object]) -> AnyOptions:
    """The options of a kind of job, from strings or JSON values.

    Raises:
        UsageError: there is no such kind or option, or a value is out of range.
    """
    options = next((options for name, options in OPTIONS.items() if name == kind), None)
    if options is None:
        raise UsageError(f"There is no kind of job called {quoted(kind)}; choose one of {', '.join(OPTIONS)}.")
    try:
        return options.model_validate({name: value for name, value in given.items() if value != ""})
    except ValidationError as error:
        raise UsageError(_sentence(kind, options, error)) from None


def _sentence(kind: str, options: type[Options], error: ValidationError) -> str:
    """The first problem of options, in words."""
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else "options"
    if first["type"] == "extra_forbidden":
        return f"A job of kind {kind} has no option {quoted(name)}; its options are {', '.join(options.model_fields)}."
    allowed = first["msg"].removeprefix("Input ").removeprefix("String ")
    return f"The option {name} of a job of kind {kind} {allowed}, got {quoted(first['input'])}."
