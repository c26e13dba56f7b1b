"""The description of a model: the spec.json of a model folder.

A frozen dataclass that travels with the weights. The reader is strict: an unknown key, a missing one or a value
of the wrong kind is a `SpecError`, never a silent default.
"""

import dataclasses
import json
import re
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from unbraid.dsp.framing import Mel as Mel
from unbraid.dsp.framing import Spectral as Spectral
from unbraid.dsp.framing import Windows as Windows
from unbraid.errors import SpecError, quoted
from unbraid.files.bounded import read_json
from unbraid.files.ranges import Range, check_range
from unbraid.hub.schema import build
from unbraid.hub.vocabulary import Vocabulary
from unbraid.models.audio_transformer.config import (
    AudioTransformerConfig,
    PretrainedSide,
    Side,
    SpectrogramSide,
    TextSide,
    WaveSide,
)
from unbraid.models.band_split.config import BandSplitConfig
from unbraid.models.family import Config
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.unet.config import UNetConfig
from unbraid.models.wav2vec2.config import Wav2Vec2Config

FORMAT = 1
Family = Literal["sepformer", "band_split", "unet", "audio_transformer", "wav2vec2"]
Level = Literal["fitted", "own"]
_FAMILIES: dict[type[Config], Family] = {
    SepFormerConfig: "sepformer",
    BandSplitConfig: "band_split",
    UNetConfig: "unet",
    AudioTransformerConfig: "audio_transformer",
    Wav2Vec2Config: "wav2vec2",
}
SAMPLE_RATES = Range(1000, 1_000_000)  # Hz
TEXT_LENGTHS = {"name": 200, "licence": 2000, "provenance": 2000}  # characters, at most
_FILE = re.compile(r"[^/\\:\0]{1,100}")
_PARTS = ("spectral", "windows", "vocabularies", "mel")  # that a spec has or has not, see `_needed`


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
    family: Family
    sample_rate: int  # Hz; 0 without audio
    channels: int  # of the network's input: 1 or 2; 0 without audio
    stems: tuple[str, ...]  # in the order of the network's outputs; none where nothing is pulled apart
    geometry: Config
    licence: str
    provenance: str  # the origin of the weights, in one sentence
    spectral: Spectral | None = None  # U-Nets
    windows: Windows | None = None  # SepFormers, band-split Transformers, and Transformers that read audio
    vocabularies: Vocabularies | None = None  # Transformers that read or write text
    mel: Mel | None = None  # audio Transformers that read or write spectrograms
    level: Level = (
        "fitted"  # of the outputs of a network of voices: to the mixture, or their own where training gave them one
    )
    scores: dict[str, float] = field(default_factory=dict)  # "SI-SDRi dB, test_mix2": 5.1
    files: dict[str, str] = field(default_factory=dict)  # name: sha256
    format: int = FORMAT

    def __post_init__(self) -> None:
        self._check_texts()
        if family_of(self.geometry) != self.family:
            raise SpecError(f"{self.name}: the geometry is not that of the family {self.family}.")
        given = [part for part in _PARTS if getattr(self, part) is not None]
        if given != (needed := _needed(self.geometry)):
            raise SpecError(
                f"{self.name}: of {', '.join(_PARTS)} its network needs {', '.join(needed)} and no other; "
                f"found {', '.join(given) or 'none'}."
            )
        if isinstance(self.geometry, AudioTransformerConfig):
            self._check_sides(self.geometry)
        elif isinstance(self.geometry, Wav2Vec2Config):
            self._check_transcriber(self.geometry)
        else:
            self._check_audio(self.geometry)
        if len({*self.stems, "residual"}) <= len(self.stems):
            raise SpecError(f"{self.name}: stems must differ, and none is called 'residual'; got {quoted(self.stems)}.")
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
        for stem in self.stems:
            if not _FILE.fullmatch(stem) or not stem.isprintable() or stem.strip(" .") != stem:
                raise SpecError(f"{self.name}: {quoted(stem)} cannot name a stem, since files are named after it.")
        for name, digest in self.files.items():
            if not _FILE.fullmatch(name) or not name.isprintable() or name.strip(" .") != name:
                raise SpecError(f"{self.name}: files names {quoted(name)}, which is not a file in the model folder.")
            if len(digest) > 64:
                raise SpecError(
                    f"{self.name}: files gives {quoted(name)} the hash {quoted(digest)}, which is not a SHA-256."
                )

    def _check_audio(self, geometry: SepFormerConfig | BandSplitConfig | UNetConfig) -> None:
        if isinstance(geometry, SepFormerConfig | BandSplitConfig):
            outputs, channels = geometry.sources, 1
        else:
            outputs, channels = geometry.stems, geometry.channels
            if self.spectral and geometry.bins not in (0, self.spectral.bins):
                raise SpecError(f"{self.name}: its network sees {geometry.bins} bins, not {self.spectral.bins}.")
            multiple = 2 ** len(geometry.filters)
            if self.spectral and (self.spectral.frames % multiple or self.spectral.bins % multiple):
                raise SpecError(
                    f"{self.name}: frames and bins must be multiples of {multiple} (2 to the number of filters), got "
                    f"{self.spectral.frames} and {self.spectral.bins}."
                )
        if outputs != len(self.stems):
            raise SpecError(f"{self.name}: the network has {outputs} outputs, but {len(self.stems)} stems are named.")
        if self.sample_rate < 1:
            raise SpecError(f"{self.name}: the sample rate must be above 0 Hz, got {self.sample_rate}.")
        if self.channels != channels:
            raise SpecError(f"{self.name}: its network takes {channels} channels, not {self.channels}.")

    def _check_sides(self, geometry: AudioTransformerConfig) -> None:
        self._check_symbols(geometry)
        sides = (geometry.source, geometry.target)
        for side in sides:
            if isinstance(side, SpectrogramSide) and self.mel and side.bins != self.mel.bins:
                raise SpecError(f"{self.name}: its network has {side.bins} mel bands, its spectrogram {self.mel.bins}.")
        if self.mel and self.mel.normalized and not isinstance(geometry.target, TextSide):
            raise SpecError(f"{self.name}: normalized levels are for networks that write text; audio has a level.")
        if all(isinstance(side, TextSide) for side in sides):
            if (self.sample_rate, self.channels, self.stems) != (0, 0, ()):
                raise SpecError(f"{self.name}: text has no sample rate, no channels and no stems; write 0, 0 and [].")
        else:
            self._check_mono(int(all(isinstance(side, WaveSide) for side in sides)))
        if geometry.is_aligned and len({samples_in_step(side, self.mel) for side in sides}) > 1:
            read, written = (samples_in_step(side, self.mel) for side in sides)
            raise SpecError(f"{self.name}: a step of what it reads is {read} samples, of what it writes {written}.")

    def _check_transcriber(self, geometry: Wav2Vec2Config) -> None:
        assert self.vocabularies is not None
        if self.vocabularies.source:
            raise SpecError(f"{self.name}: its network reads audio, so its source has no vocabulary; write [].")
        if geometry.symbols != (found := len(self.vocabularies.target)):
            raise SpecError(
                f"{self.name}: the network's target has {geometry.symbols} symbols, its vocabulary {found}."
            )
        self._check_mono(0)

    def _check_mono(self, stems: int) -> None:
        if self.sample_rate < 1 or self.channels != 1 or len(self.stems) != stems:
            raise SpecError(
                f"{self.name}: its network takes a sample rate above 0 Hz, 1 channel and {stems} stems, not "
                f"{self.sample_rate} Hz, {self.channels} and {len(self.stems)}."
            )

    def _check_symbols(self, geometry: AudioTransformerConfig) -> None:
        if not self.vocabularies:
            return
        for name in ("source", "target"):
            side, found = getattr(geometry, name), len(getattr(self.vocabularies, name))
            rows = side.symbols if isinstance(side, TextSide) else 0
            if rows != found:
                raise SpecError(f"{self.name}: the network's {name} has {rows} symbols, its vocabulary {found}.")

    def to_json(self) -> str:
        """The text of spec.json."""
        return json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False) + "\n"


def family_of(geometry: Config) -> Family:
    """The family whose networks have such sizes."""
    return _FAMILIES[type(geometry)]


def samples_in_step(side: Side, mel: Mel | None) -> int:
    """The samples in one step of the encoder; 0 if a step is a symbol."""
    if isinstance(side, TextSide):
        return 0
    return side.stride * mel.hop_samples if isinstance(side, SpectrogramSide) and mel else side.stride


def steps_in(side: Side, size: int) -> int:
    """The number of steps N in `size` symbols, frames or samples; the last may be incomplete.

    A pretrained encoder makes none of what is left over, as its convolutions see nothing beyond the end: N is
    ⌊(T - reach) / stride⌋ + 1, and at least 1.
    """
    if isinstance(side, TextSide):
        return size
    if isinstance(side, PretrainedSide):
        return max(0, size - side.encoder.receptive_field) // side.stride + 1
    return -(-size // side.stride)


def size_of(side: Side, steps: int) -> int:
    """The symbols, frames or samples of so many steps: the input is zero-padded, or its remainder left out."""
    if isinstance(side, TextSide):
        return steps
    return (
        (steps - 1) * side.stride + side.encoder.receptive_field
        if isinstance(side, PretrainedSide)
        else steps * side.stride
    )


def _needed(geometry: Config) -> list[str]:
    """Which of the optional parts the spec of such a network has."""
    if isinstance(geometry, SepFormerConfig | BandSplitConfig):
        return ["windows"]
    if isinstance(geometry, UNetConfig):
        return ["spectral"]
    if isinstance(geometry, Wav2Vec2Config):
        return ["windows", "vocabularies"]
    sides = (geometry.source, geometry.target)
    there = {
        "windows": not isinstance(geometry.source, TextSide),
        "vocabularies": any(isinstance(side, TextSide) for side in sides),
        "mel": any(isinstance(side, SpectrogramSide) for side in sides),
    }
    return [part for part in _PARTS if there.get(part)]


def read_spec(folder: Path) -> ModelSpec:
    """Read and check FOLDER/spec.json.

    Raises:
        SpecError: the file is missing, is not JSON, or has unknown, missing or ill-typed keys.
    """
    path = folder / "spec.json"
    try:
        data = read_json(path)
    except FileNotFoundError:
        raise SpecError(f"{folder} is not a model folder: it has no spec.json.") from None
    except OSError as error:
        raise SpecError(f"{path} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise SpecError(f"{path} cannot be read: {error}.") from None
    return parse_spec(data, str(path))


def parse_spec(data: Any, where: str) -> ModelSpec:
    """Build a ModelSpec from the parsed JSON, naming the place of anything that does not fit (SpecError)."""
    if isinstance(data, dict) and data.get("format") != FORMAT:
        raise SpecError(f"{where}: format {quoted(data.get('format'))} is not {FORMAT}; install a newer unbraid.")
    if isinstance(data, dict) and data.get("family") not in typing.get_args(Family):
        raise SpecError(
            f"{where}: family {quoted(data.get('family'))} is not one of {', '.join(typing.get_args(Family))}."
        )
    spec: ModelSpec = build(ModelSpec, data, where, {"geometry": _geometry_of})
    return spec


def _geometry_of(item: Any) -> type[Config]:
    """The geometry that an object with these keys means."""
    keys = item.keys() if isinstance(item, dict) else ()
    if "source" in keys:
        return AudioTransformerConfig
    if "symbols" in keys:
        return Wav2Vec2Config
    if "bands" in keys:
        return BandSplitConfig
    return SepFormerConfig if "features" in keys else UNetConfig
