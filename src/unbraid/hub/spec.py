"""The description of a model: the spec.json of a model folder.

A frozen dataclass that travels with the weights. The reader is strict: an unknown key, a missing one or a value
of the wrong kind is a `SpecError`, never a silent default.
"""

import dataclasses
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from unbraid.dsp.framing import Mel as Mel
from unbraid.dsp.framing import Spectral as Spectral
from unbraid.dsp.framing import Windows as Windows
from unbraid.errors import SpecError, quoted
from unbraid.files.bounded import read_json, readable
from unbraid.files.ranges import Range, check_range
from unbraid.files.strict import build
from unbraid.hub.tokens import Tokens
from unbraid.hub.vocabulary import Vocabulary
from unbraid.models.config import Config, Task
from unbraid.models.family import FAMILIES, families_with, family_of, has_sizes

FORMAT = 1
Level = Literal["fitted", "own"]
SAMPLE_RATES = Range(1000, 1_000_000)  # Hz
TEXT_LENGTHS = {"name": 200, "licence": 2000, "provenance": 2000}  # characters, at most
_FILE = re.compile(r"[^/\\:\0]{1,100}")
_PARTS = ("spectral", "windows", "vocabularies", "mel", "tokens")  # optional; `Config.needs` names those of a network


@dataclass(frozen=True)
class Vocabularies:
    """The symbols of a Transformer's texts, special ones included, in the order of the rows of its embeddings.

    A side that is no text has none.

    Raises:
        ValueError: one of them is no vocabulary.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]

    def __post_init__(self) -> None:
        for symbols in filter(None, (self.source, self.target)):
            Vocabulary(symbols)


@dataclass(frozen=True)
class ModelSpec:
    """Everything a run needs to know about a model, but for its weights."""

    name: str
    family: str  # one of `models.family.FAMILIES`
    sample_rate: int  # Hz; 0 where there is no audio
    channels: int  # that the network takes: 1 or 2; 0 where there is no audio
    stems: tuple[str, ...]  # in the order of the network's outputs; empty for models that do not separate
    geometry: Config
    licence: str
    provenance: str  # the origin of the weights, in one sentence
    spectral: Spectral | None = None  # U-Nets
    windows: Windows | None = None  # SepFormers, band-split Transformers, and Transformers that read audio
    vocabularies: Vocabularies | None = None  # Transformers that read or write text
    mel: Mel | None = None  # audio Transformers that read or write spectrograms
    tokens: Tokens | None = None  # Transformers that write text after prompts
    level: Level = "fitted"  # of the outputs of a network of voices: to the mixture; or their own, learnt in training
    silent_outputs: bool = False  # where fewer voices speak than there are stems, so that they can be counted
    remainder: str = "residual"  # the stem of what is left of a recording: instrumental, where the only stem is vocals
    same_speaker: float | None = None  # speaker embeddings: the cosine from which on two are of one speaker
    scores: dict[str, float] = field(default_factory=dict)  # "SI-SDRi dB, test_mix2": 5.1
    files: dict[str, str] = field(default_factory=dict)  # name: sha256
    format: int = FORMAT

    def __post_init__(self) -> None:
        self._check_texts()
        if family_of(self.geometry) != self.family:
            raise SpecError(f"{self.name}: the geometry is not that of the family {self.family}.")
        given = [part for part in _PARTS if getattr(self, part) is not None]
        if given != (needed := list(self.geometry.needs)):
            raise SpecError(
                f"{self.name}: of {', '.join(_PARTS)} its network needs {', '.join(needed)} and no other; "
                f"found {', '.join(given) or 'none'}."
            )
        texts, tokens = self.vocabularies, self.tokens
        symbols = (len(texts.source), len(texts.target)) if texts else (0, tokens.symbols if tokens else 0)
        try:
            self.geometry.check(self.spectral, self.mel, symbols)
        except ValueError as error:
            raise SpecError(f"{self.name}: {error}") from None
        self._check_audio()
        if self.silent_outputs and (len(self.stems) < 2 or not self.windows or self.level != "own"):
            raise SpecError(
                f"{self.name}: silent_outputs is for networks on waveforms with several stems and a level of their own."
            )
        if self.same_speaker is not None and not (self.task == "speaker embedding" and -1 < self.same_speaker < 1):
            raise SpecError(f"{self.name}: same_speaker is for speaker embeddings, a cosine between -1 and 1.")
        if len({*self.stems, "residual", self.remainder}) < len(self.stems) + 1 + (self.remainder != "residual"):
            raise SpecError(
                f"{self.name}: stems must differ, and none is called 'residual' or as the remainder; "
                f"got {quoted(self.stems)}."
            )
        if self.sample_rate:
            try:
                check_range("the sample rate", self.sample_rate, SAMPLE_RATES)
            except ValueError as error:
                raise SpecError(f"{self.name}: {error}") from None

    def _check_texts(self) -> None:
        """Names become parts of paths and messages, so they are short and printable."""
        for name, most in TEXT_LENGTHS.items():
            if len(text := getattr(self, name)) > most or (name == "name" and not text.isprintable()):
                raise SpecError(f"A model's {name} has at most {most} printable characters, not {quoted(text)}.")
        if "\\" in self.name or not self.name.strip(" ."):
            raise SpecError(f"{quoted(self.name)} cannot name a model, since folders are named after it.")
        for score in self.scores:
            if len(score) > (most := TEXT_LENGTHS["name"]):
                raise SpecError(f"{self.name}: a score's name has at most {most} characters, not {quoted(score)}.")
        for stem in (*self.stems, self.remainder):
            if not is_file_name(stem):
                raise SpecError(f"{self.name}: {quoted(stem)} cannot name a stem, since files are named after it.")
        for name, digest in self.files.items():
            if not is_file_name(name):
                raise SpecError(f"{self.name}: files names {quoted(name)}, which is not a file in the model folder.")
            if len(digest) > 64:
                raise SpecError(
                    f"{self.name}: files gives {quoted(name)} the hash {quoted(digest)}, which is not a SHA-256."
                )

    def _check_audio(self) -> None:
        """Compare rate, channels and stems with those of the network."""
        geometry, audio = self.geometry, (self.sample_rate, self.channels, len(self.stems))
        if not geometry.channels:
            if audio != (0, 0, 0):
                raise SpecError(f"{self.name}: text has no sample rate, no channels and no stems; write 0, 0 and [].")
        elif self.sample_rate < 1 or audio[1:] != (geometry.channels, geometry.outputs):
            raise SpecError(
                f"{self.name}: its network takes a sample rate above 0 Hz, {geometry.channels} "
                f"channel{'s' * (geometry.channels > 1)} and {geometry.outputs} stems, not {self.sample_rate} Hz, "
                f"{self.channels} and {len(self.stems)}."
            )

    @property
    def task(self) -> Task:
        """What the model is for."""
        return self.geometry.task

    @property
    def separates_songs(self) -> bool:
        """Whether the model is for music, and not for speech."""
        return self.geometry.separates_songs

    @property
    def latency_seconds(self) -> float | None:
        """How much later than its input the output of a causal model can come; None for models that look ahead."""
        samples = self.geometry.latency_samples
        return None if samples is None else samples / self.sample_rate

    def to_json(self) -> str:
        """The text of spec.json."""
        return json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False) + "\n"


def is_file_name(name: str) -> bool:
    """Whether a file can have this name on every system: short, printable, and without separators."""
    return bool(_FILE.fullmatch(name)) and name.isprintable() and name.strip(" .") == name


def read_spec(folder: Path) -> ModelSpec:
    """Read and check FOLDER/spec.json.

    Raises:
        SpecError: the file is missing, is not JSON, or has unknown, missing or ill-typed keys.
    """
    path = folder / "spec.json"
    with readable(path, SpecError):
        try:
            data = read_json(path)
        except FileNotFoundError:
            raise SpecError(f"{folder} is not a model folder: it has no spec.json.") from None
    return parse_spec(data, str(path))


def parse_spec(data: Any, where: str) -> ModelSpec:
    """Build a ModelSpec from the parsed JSON, naming the place of anything that does not fit (SpecError)."""
    if isinstance(data, dict) and data.get("format") != FORMAT:
        raise SpecError(f"{where}: format {quoted(data.get('format'))} is not {FORMAT}; install a newer unbraid.")
    family: Any = data.get("family") if isinstance(data, dict) else None
    if isinstance(data, dict) and family not in tuple(FAMILIES):
        raise SpecError(f"{where}: family {quoted(family)} is not one of {', '.join(FAMILIES)}.")
    try:
        spec: ModelSpec = build(ModelSpec, data, where, {"geometry": lambda item: _config_type(item, family)})
    except ValueError as error:
        raise SpecError(str(error)) from None
    return spec


def _config_type(item: Any, family: str) -> type[Config]:
    """The config of a family, or of another whose sizes these are; that one is refused as a whole then."""
    own = FAMILIES[family].config_type()
    if not isinstance(item, dict) or has_sizes(own, item):
        return own
    others = families_with(item)
    return FAMILIES[others[0]].config_type() if others else own
