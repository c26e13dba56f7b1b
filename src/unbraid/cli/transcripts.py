"""What a user asked of `unbraid transcribe`, where each text goes, and what became of each; as values."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from unbraid import __version__
from unbraid.audio import Excerpt
from unbraid.cli.files.inputs import EXTENSIONS, Collected, Item, Layout, placed, refuse_collisions
from unbraid.cli.request import check_cut, check_threads, choose_model
from unbraid.errors import UsageError
from unbraid.tasks.transcription.channels import Channels
from unbraid.tasks.transcription.subtitles import FORMATS, Line, as_data, check_text_format


@dataclass(frozen=True)
class Asked:
    """Everything that was asked for."""

    inputs: tuple[str, ...]
    model: str
    output: str | None = None  # None: standard output
    form: str | None = None  # None: as the output is called
    template: str = "{track}.{ext}"
    cut: Excerpt = field(default_factory=Excerpt)
    voices: str | None = None  # the model that pulls voices apart first
    channels: Channels = "mix"
    beams: int | None = None
    long_model: str | None = None
    long_seconds: float = 120.0
    device: str = "auto"
    threads: int | None = None
    recursive: bool = False
    overwrite: bool = False
    as_json: bool = False

    def __post_init__(self) -> None:
        check_cut(self.cut)
        check_threads(self.threads)


@dataclass(frozen=True)
class Result:
    """What became of one input."""

    input: str
    status: Literal["done", "failed"]
    output: Path | None = None  # None: shown, or told in JSON
    lines: list[Line] | None = None  # where JSON tells them
    model: str | None = None
    seconds: float = 0.0  # of audio
    elapsed: float = 0.0  # seconds it took
    notice: str | None = None  # how it was made, where that should be known
    error: str | None = None
    notices: tuple[str, ...] = ()  # warnings about the input
    start_seconds: float = 0.0  # of silence at its start, for a track that starts later than its file

    def as_json(self) -> dict[str, Any]:
        """As a part of the report."""
        about = {name: getattr(self, name) for name in ("input", "status", "model", "seconds", "notice", "error")}
        return {
            **about,
            "start_seconds": self.start_seconds,
            "notices": list(self.notices),
            "output": str(self.output) if self.output else None,
            "elapsed_seconds": self.elapsed,
            "text": None if self.lines is None else "\n".join(line.text for line in self.lines),
            "lines": None if self.lines is None else [as_data(line) for line in self.lines],
        }


@dataclass
class Report:
    """What became of a run; filled while it goes on, so that an interrupted one can be told too."""

    model: str = ""
    device: str = ""
    device_reason: str = ""
    results: list[Result] = field(default_factory=list)
    error: str | None = None  # that ended the whole run
    interrupted: bool = False

    @property
    def failed(self) -> bool:
        return any(result.status == "failed" for result in self.results)

    def as_json(self) -> dict[str, Any]:
        """The object that --json prints."""
        about = {name: getattr(self, name) for name in ("model", "device", "device_reason", "interrupted", "error")}
        return {"version": __version__, **about, "files": [result.as_json() for result in self.results]}


def text_format(asked: Asked) -> str:
    """How texts are written: as was said, or as the extension of the output says.

    Raises:
        UsageError: there is no such format.
    """
    if asked.form is not None:
        return check_text_format(asked.form)
    extension = Path(asked.output or "").suffix.lower().lstrip(".")
    return check_text_format(extension) if extension in FORMATS.values() else "text"


def voices_model(*, separate: bool, speakers: int | None, channels: Channels = "mix") -> str | None:
    """The model that pulls voices apart before they are heard, if that was asked for.

    Raises:
        UsageError: a number of speakers without it, or for which there is no model; or channels are apart already.
        ModelNotFound: none for so many speakers is here.
    """
    if not separate and speakers is not None:
        raise UsageError("--speakers says how many voices --separate pulls apart; give both, or neither.")
    if separate and channels == "apart":
        raise UsageError("--separate pulls voices apart that share a channel, --channels apart hears each; give one.")
    return choose_model(None, speakers) if separate else None


def outputs_of(asked: Asked, collected: Collected, form: str) -> tuple[dict[Item, Path | None], dict[Item, str]]:
    """Where the text of each input goes, and of those whose text cannot have such a name or place, why.

    Raises:
        UsageError: two go to one place, to a file that is there or is called like audio; or none can have its place.
    """
    items = collected.items
    if asked.output is None:
        if len(items) + len(collected.refused) > 1 and not asked.as_json:
            raise UsageError("The texts of several recordings go to a folder: name it with -o DIR, or use --json.")
        return dict.fromkeys(items), {}
    if not asked.output:
        raise UsageError("The name of the output is empty; name a file or a folder with -o, or leave it out.")
    alone = len(asked.inputs) == 1
    paths, failed = placed(Path(asked.output), items, lambda item: [_path(asked, item, form, alone=alone)])
    refuse_collisions(paths)
    for (path,) in paths.values():
        if asked.form is None and path.suffix.lower().lstrip(".") in EXTENSIONS:
            raise UsageError(
                f"{path} ends like audio; a text ends in .{', .'.join(FORMATS.values())}, or say --format too."
            )
        if not asked.overwrite and os.path.lexists(path):
            raise UsageError(f"{path} exists already; use --overwrite to replace it.")
    return {item: path for item, (path,) in paths.items()}, failed


def _path(asked: Asked, item: Item, form: str, *, alone: bool) -> Path:
    """The very file that was named where one recording was, else one below the folder; a template tells of one."""
    assert asked.output is not None
    folder = asked.output.endswith(("/", os.sep)) or os.path.isdir(asked.output)
    folder = folder or asked.template != Asked.template
    if alone and not folder and (item.path is None or item.path == Path(asked.inputs[0])):
        return Path(asked.output)
    return Layout(Path(asked.output), asked.template, FORMATS[form], asked.model).stem_path(item, "text")
