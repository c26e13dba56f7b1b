"""The options of `unbraid separate` as one value, and the checks and choices that commands share."""

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unbraid.audio import AudioInfo, Excerpt, OutputFormat, ReadOptions, TrackChoice, choose_format
from unbraid.audio.formats import STEM_FILE, stem_file_format
from unbraid.cli.files.inputs import DEFAULT_TEMPLATE
from unbraid.errors import ModelNotFound, UsageError, quoted
from unbraid.hub import names as hub
from unbraid.hub.defaults import DEFAULTS, MUSIC, are_song_stems
from unbraid.hub.folder import sha256
from unbraid.hub.spec import read_spec
from unbraid.runtime.executor import Engine
from unbraid.tasks.separation.options import Options, check_stem

TO_STDOUT = "-o - writes one float32 WAV to standard output"


@dataclass(frozen=True)
class Coding:
    """The format of the stems."""

    format: str = "wav"
    subtype: str | None = None  # None: as the input's
    bitrate: int | None = None  # kbit/s
    resample: bool = False  # take the nearest rate where the format lacks the right one

    def chosen(self, source: AudioInfo | None = None) -> OutputFormat:
        """The format for an input.

        Raises:
            UsageError: the format, bit depth or bit rate is not available.
        """
        if self.format == STEM_FILE:
            return stem_file_format(subtype=self.subtype, bitrate=self.bitrate)
        return choose_format(self.format, source, subtype=self.subtype, bitrate=self.bitrate)


@dataclass(frozen=True)
class Request:
    """The options that commands over audio files share."""

    inputs: tuple[str, ...]
    model: str  # "" of `separate`: the one for what each input sounds like
    excerpt: Excerpt = field(default_factory=Excerpt)
    engine: Engine = field(default_factory=Engine)
    recursive: bool = False
    overwrite: bool = False
    resume: bool = False
    jobs: int = 1  # inputs at a time

    def __post_init__(self) -> None:
        if self.resume and "-" in self.inputs:
            raise UsageError("--resume needs files: whether standard input is what it was cannot be told.")


@dataclass(frozen=True)
class SeparationRequest(Request):
    """The options of `unbraid separate`."""

    root: Path | None = Path()  # None: standard output
    template: str = DEFAULT_TEMPLATE
    stems: tuple[str, ...] | None = None  # None: all
    coding: Coding = Coding()
    options: Options = field(default_factory=Options)
    report: bool = False  # a page beside the stems

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stems is not None and self.options.remove:
            raise UsageError("--stems writes the stems it names, --remove the sum of all others; give one of them.")
        if self.stems is not None and self.options.two_stems:
            raise UsageError(
                "--two-stems writes one stem and the sum of all others, --stems those it names; choose one."
            )
        if self.report and self.root is None:
            raise UsageError("--report writes a page beside the stems, so choose a folder with -o instead of -.")

    def making_options(self) -> dict[str, Any]:
        """The options that determine the content of the stems' files, as JSON values."""
        coding, excerpt = dataclasses.asdict(self.coding), excerpt_values(self.excerpt)
        return {**separation_values(self.options), **coding, **excerpt, "precision": self.engine.precision}


def separation_values(options: Options) -> dict[str, Any]:
    """The options of a separation that determine its output, as JSON values; recordings by their hashes."""
    values = {name: value for name, value in dataclasses.asdict(options).items() if name != "force"}
    unset = {
        "speakers": None,
        "enrol": (),
        "tracks": True,
        "bypass": True,
        "stems": (),
        "two_stems": "",
        "shifts": 0,
    }
    values = {name: value for name, value in values.items() if name not in unset or value != unset[name]}
    if isinstance(options.speakers, tuple):
        values["speakers"] = list(options.speakers)
    if options.stems:
        values["stems"] = list(options.stems)
    if options.enrol:
        values["enrol"] = {name: sha256(Path(file)) for name, file in options.enrol}
    return {**values, "remove": list(options.remove)}  # JSON knows no tuples


def excerpt_values(excerpt: Excerpt) -> dict[str, Any]:
    """The excerpt as JSON values."""
    values = dataclasses.asdict(excerpt)
    reading = values.pop("reading")
    return values | {name: value for name, value in reading.items() if value}  # as records without them have it


def track_choice(text: str) -> TrackChoice:
    """The track that --track names."""
    if text == "auto" or (text.isascii() and text.isdigit()):
        return "auto" if text == "auto" else int(text)
    raise UsageError(f"--track takes the number of an audio track, from 0 on, or auto, not {text!r}.")


def excerpt_of(
    times: tuple[float, float | None], track: str, input_format: str | None, *, strict: bool, skip_damage: bool
) -> Excerpt:
    """The excerpt that options describe; `times` are its start and duration."""
    return Excerpt(*times, track_choice(track), ReadOptions(input_format, strict, skip_damage))


def speakers_of(text: str | None, option: str = "--speakers") -> int | tuple[int, int] | None:
    """The number of speakers, or the fewest and most, of "3" or "2-6".

    Raises:
        UsageError: it is neither.
    """
    if text is None:
        return None
    numbers = text.split("-")
    if len(numbers) > 2 or not all(number.isascii() and number.isdigit() and len(number) < 5 for number in numbers):
        raise UsageError(f"{option} takes a number, or the fewest and most, such as 2-6, not {quoted(text)}.")
    fewest, most = int(numbers[0]), int(numbers[-1])
    if not 1 <= fewest <= most:
        raise UsageError(f"{option} counts from 1, and the fewest come first, such as 2-6, not {quoted(text)}.")
    return fewest if len(numbers) == 1 else (fewest, most)


def enrolled(people: Sequence[str], only: str | None = None, *, folders: bool = False) -> tuple[tuple[str, str], ...]:
    """The names and files of --enrol NAME=FILE and --only FILE, who is called as the file is; or of `folders`, too.

    Raises:
        UsageError: one of them is no name and file, or the file does not exist.
    """
    pairs = [person.partition("=") for person in people]
    if wrong := [whole for whole, (name, _, file) in zip(people, pairs, strict=True) if not (name and file)]:
        what = "a file or folder" if folders else "a file"
        raise UsageError(f"--enrol takes a name and {what}, such as anna=anna.wav, not {quoted(wrong[0])}.")
    found = [(name, file) for name, _, file in pairs] + ([] if only is None else [(Path(only).stem, only)])
    for name, file in found:
        if not (Path(file).is_file() or (folders and Path(file).is_dir())):
            what = "neither a file nor a folder" if folders else "not a file"
            raise UsageError(f"{file}, to enrol {name}, is {what}; give a recording of the person alone.")
    return tuple(found)


def choose_model(model: str | None, speakers: int | tuple[int, int] | None) -> str:
    """The model's name: as given, or the default, or where that does not count speakers, one that gives as many.

    Of several the first on this machine.

    Raises:
        UsageError: there is none for so many speakers.
        ModelNotFound: none for so many speakers is here; the message says which could be pulled.
    """
    default = DEFAULTS["separation"]
    if model is not None or speakers is None:
        return model or default
    spec = read_spec(hub.resolve(default))
    if spec.silent_outputs or speakers == len(spec.stems):
        return default
    if isinstance(speakers, tuple):
        raise UsageError(f"{default} always gives {len(spec.stems)} voices; give one number of speakers, or a model.")
    voices = tuple(f"voice{i + 1}" for i in range(speakers))
    fitting = [entry for entry in hub.entries() if speakers > 0 and entry.stems == voices]
    if here := next((entry for entry in fitting if entry.folder), None):
        return here.name
    if not fitting:
        raise UsageError(f"There is no model for {speakers} speakers; --speakers takes 1 to 3.")
    names = ", ".join(entry.name for entry in fitting)
    raise ModelNotFound(
        f"No model for {speakers} speakers is on this machine (published: {names}); "
        f"get one with `unbraid models pull {fitting[0].name}`."
    )


def implied_model(model: str | None, options: Options, stems: Sequence[str], precision: str) -> str:
    """The model's name: as given, or one that other options imply; "" where each recording tells.

    People are looked for in speech, and the Wiener filter, masks and the stems of songs are for music.

    Raises:
        UsageError, ModelNotFound: as `choose_model`.
    """
    if model is not None or options.speakers is not None:
        return choose_model(model, options.speakers)
    named = {*stems, *options.remove, options.two_stems} - {"residual", ""}
    if options.wiener or options.mask_exponent is not None or are_song_stems(named):
        return MUSIC
    return DEFAULTS["separation"] if options.enrol or options.embedder or named or precision == "int8" else ""


def split_stems(text: str | None, option: str = "--stems", absent: str = "for all") -> tuple[str, ...] | None:
    """The names in "vocals, drums", each once; `absent` is the meaning of no names at all."""
    if text is None:
        return None
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise UsageError(f"{option} names no stem; give names with commas between them, or leave it out {absent}.")
    return names


def only_stems(wanted: tuple[str, ...] | None, only: str | None) -> tuple[str, ...] | None:
    """The stems to write, with --only just that person's.

    Raises:
        UsageError: --stems names others.
    """
    if wanted is not None and only is not None:
        raise UsageError("--only writes the track of one person, --stems the stems it names; give one of them.")
    return wanted if only is None else (Path(only).stem,)


def select_stems(wanted: Sequence[str] | None, available: Sequence[str], model: str) -> tuple[str, ...]:
    """The stems to write, in the model's order.

    Raises:
        UsageError: the model lacks one; the message lists its stems and the models that have it.
    """
    for stem in wanted or ():
        check_stem(stem, available, model)
    return tuple(stem for stem in available if wanted is None or stem in wanted)


def check_stdout(request: SeparationRequest, stems: Sequence[str], inputs: int) -> None:
    """Refuse requests that standard output does not allow."""
    if inputs != 1:
        raise UsageError(f"{TO_STDOUT}, so it takes one input, not {inputs}.")
    if len(stems) != 1:
        raise UsageError(f"{TO_STDOUT}, so name one stem: --stems {stems[0]} (or {', '.join(stems[1:])}).")
    if (request.coding.format, request.coding.subtype or "32f", request.coding.bitrate) != ("wav", "32f", None):
        raise UsageError(f"{TO_STDOUT}; leave --format, --subtype and --bitrate out, or choose a folder with -o.")
    check_pipe()
    if request.resume or request.template != DEFAULT_TEMPLATE:
        raise UsageError(f"{TO_STDOUT}, so --resume and --template have no meaning with it; leave them out.")


def check_pipe() -> None:
    """Refuse a standard output that audio cannot go to."""
    if sys.stdout is None:
        raise UsageError(f"{TO_STDOUT}, which is closed; redirect it to a file or a pipe.")
    if sys.stdout.isatty():
        raise UsageError(f"{TO_STDOUT}, which is the terminal; redirect it to a file or a pipe.")


def unless_left_out(model: str | None, default: str, *, separate: bool) -> str:
    """The model that separates a stem, by default this one; "" where nothing is separated.

    Raises:
        UsageError: a model is named, and nothing is separated.
    """
    if model is not None and not separate:
        raise UsageError("-m names the model that separates, which --no-separate leaves out; give one of them.")
    return (model or default) if separate else ""


def check_json_alone(*, as_json: bool, output: str | None) -> None:
    """Refuse JSON and audio, or text, on standard output at once."""
    if as_json and output == "-":
        raise UsageError("--json and -o - both write to standard output; choose one of them.")


def check_one_text(given: bool, file: Path | None) -> None:
    """Refuse a command without a text, and one with two."""
    if given == (file is not None):
        raise UsageError("Give a text, - for standard input, or --file FILE; one of them.")


def decoded(data: bytes, place: str) -> str:
    """Bytes of a file or of standard input as text."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{place}: this is not text in UTF-8; convert it first.") from None
