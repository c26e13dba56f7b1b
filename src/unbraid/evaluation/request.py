"""What is to be evaluated, as one value, and the choices that follow from it: mixtures or songs, noise, and words."""

import math
from dataclasses import dataclass
from pathlib import Path

from unbraid.corpora import Mixture, Wanted, find_mixtures, find_noises
from unbraid.corpora.song_layouts import find_songs
from unbraid.corpora.songs import Song
from unbraid.errors import UsageError
from unbraid.evaluation.noise import AddedNoise
from unbraid.evaluation.summary import Setting
from unbraid.spec import ModelSpec


@dataclass(frozen=True)
class Request:
    """Which mixtures or songs, and what is added to them; some of it is for speech alone, some for music."""

    dataset: Path
    split: str = "test"
    layout: str = "auto"
    condition: str | None = None  # None: clean; single for models of one voice, which have nothing to do there
    mode: str | None = None  # None: min
    limit: int | None = None  # the first so many
    noise: Path | None = None  # a folder
    snr_db: float | None = None
    noise_split: str | None = None  # None: as the dataset's
    threads: int | None = None  # None: all
    wiener: int = 0  # iterations, of music models

    def __post_init__(self) -> None:
        if (self.noise is None) != (self.snr_db is None):
            raise UsageError("--noise and --snr belong together: a folder of noises, and how many dB below the voices.")
        if self.noise_split is not None and self.noise is None:
            raise UsageError("--noise-split says which clips of --noise are used; give a folder of noises too.")
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"A limit of {self.limit} mixtures is not possible; give 1 or more.")
        if self.threads is not None and self.threads < 1:
            raise UsageError(f"{self.threads} threads are not possible; give 1 or more, or leave --threads out.")
        if self.snr_db is not None and not math.isfinite(self.snr_db):
            raise UsageError(f"An SNR of {self.snr_db:g} dB is not possible; give a number.")
        for folder in (self.dataset, self.noise):
            if folder is not None and not folder.is_dir():
                raise UsageError(f"{folder} is not a folder; name one that holds a dataset.")

    def check(self, spec: ModelSpec) -> None:
        """Refuse what is for other kinds of models.

        Raises:
            UsageError: something is.
        """
        own = "text" if spec.vocabularies else "music" if spec.spectral else "speech"
        speech = {
            "--condition": self.condition is not None,
            "--mode": self.mode is not None,
            "--noise and --snr": self.noise is not None,
        }
        for kind, options in {"speech": speech, "music": {"--wiener": self.wiener > 0}}.items():
            given = [name for name, is_given in options.items() if is_given]
            if given and kind != own:
                raise UsageError(
                    f"{', '.join(given)} can be had with {kind} models only, and {spec.name} is a {own} model; "
                    "leave that out."
                )

    def songs(self) -> list[Song]:
        """The songs for any music model.

        Raises:
            UsageError: there are none.
        """
        return find_songs(self.dataset, self.split, self.layout)[: self.limit]

    def wanted(self, spec: ModelSpec) -> Wanted:
        """What a model's mixtures are like."""
        voices = len(spec.stems)
        condition = self.condition or ("clean" if voices > 1 else "single")
        return Wanted(self.layout, voices, spec.sample_rate, condition, self.mode or "min")

    def mixtures(self, spec: ModelSpec) -> list[Mixture]:
        """The mixtures for a model.

        Raises:
            UsageError: there are none, or none that is mixed with anything.
        """
        found = find_mixtures(self.dataset, self.split, self.wanted(spec))
        if not found:
            raise UsageError(f"{self.dataset} has no mixtures of {len(spec.stems)} voices in its split {self.split}.")
        if len(spec.stems) == 1 and self.noise is None and not any(m.mixture or m.noise for m in found):
            raise UsageError(
                f"The voices of {self.dataset} have no noise, which a model of one voice takes away; "
                "add some by --noise FOLDER --snr DB."
            )
        return found[: self.limit]

    def added_noise(self, spec: ModelSpec) -> AddedNoise | None:
        """The noise for a model.

        Raises:
            UsageError: the folder has none in the split.
        """
        if self.noise is None or self.snr_db is None:
            return None
        split = self.noise_split or self.split
        wanted = Wanted(sources=len(spec.stems), sample_rate=spec.sample_rate, mode=self.mode or "min")
        clips = find_noises(self.noise, split, wanted)
        if not clips:
            raise UsageError(f"{self.noise} has no noises in its split {split}; choose another by --noise-split.")
        return AddedNoise(tuple(clips), self.snr_db)

    def noise_words(self) -> str | None:
        """The noise, for people."""
        if self.noise is None or self.snr_db is None:
            return None
        return f"noise of {name_of(self.noise)}, split {self.noise_split or self.split}, at {self.snr_db:g} dB SNR"

    def setting(self, spec: ModelSpec, device: str, precision: str) -> Setting:
        """All of it in words, for the record."""
        wanted = self.wanted(spec)
        dataset, noise = name_of(self.dataset), self.noise_words()
        return Setting(
            spec.name, wanted.sources, spec.sample_rate,
            dataset, self.split, wanted.condition, wanted.mode, noise,
            precision, device, self.threads,
        )  # fmt: skip

    def title(self, spec: ModelSpec) -> str:
        """A name for the folder of an evaluation: model, dataset, split, and whatever is not as usual."""
        parts = [spec.name.replace("/", "-"), name_of(self.dataset), self.split]
        parts += [self.condition] if self.condition else []
        parts += [self.mode] if self.mode not in (None, "min") else []
        parts += [f"{name_of(self.noise)}-{self.snr_db:g}dB"] if self.noise else []
        parts += [f"wiener-{self.wiener}"] if self.wiener else []
        parts += [f"first-{self.limit}"] if self.limit else []
        return "-".join(parts)


def name_of(folder: Path) -> str:
    """How a folder is called, `.` too."""
    return folder.resolve().name or "root"
