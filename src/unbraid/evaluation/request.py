"""The options of an evaluation as one value, and the data that they select."""

import math
from dataclasses import dataclass
from pathlib import Path

from unbraid.corpora import Clip, Mixture, Wanted, find_mixtures, find_noises, find_speakers
from unbraid.corpora.noise import AddedNoise
from unbraid.corpora.pairs import is_pairs
from unbraid.corpora.song_layouts import find_songs
from unbraid.corpora.songs import Song
from unbraid.errors import UsageError
from unbraid.evaluation.audio.run import is_vocoder
from unbraid.hub.spec import ModelSpec


@dataclass(frozen=True)
class EvaluationRequest:
    """The dataset and the options of an evaluation; some options are for one kind of model only."""

    dataset: Path
    split: str = "test"
    layout: str = "auto"
    condition: str | None = None  # None: clean, or single for models of one voice
    mode: str | None = None  # None: min
    limit: int | None = None  # items, from the first on
    noise: Path | None = None  # a folder
    snr_db: float | None = None
    noise_split: str | None = None  # None: as the dataset's
    threads: int | None = None  # None: all
    wiener: int = 0  # iterations, of music models
    speakers: tuple[str, ...] = ()  # of texts: these, or those in folders of such names; none: all
    snr_to_db: float | None = None  # SNRs are drawn from snr_db up to this; None: all are snr_db
    recogniser: str | None = None  # that transcribes synthesised speech, or conversations
    vocoder: str | None = None  # for speech synthesis; None: Griffin-Lim
    voices: int | None = None  # of the mixtures; None: as many as the model has outputs
    conversations: bool = False  # recordings of minutes, with who speaks when (`corpora/conversations.py`)
    embedder: str | None = None  # that people are followed by in conversations; None: the default

    def __post_init__(self) -> None:
        if (self.noise is None) != (self.snr_db is None):
            raise UsageError("--noise and --snr belong together: a folder of noises, and how many dB below the voices.")
        if self.snr_to_db is not None and (self.snr_db is None or not self.snr_db < self.snr_to_db < math.inf):
            raise UsageError(
                "--snr-to is where the range of SNRs ends that --snr begins; give a larger number than that."
            )
        if self.noise_split is not None and self.noise is None:
            raise UsageError("--noise-split says which clips of --noise are used; give a folder of noises too.")
        if self.voices is not None and self.voices < 1:
            raise UsageError(f"Mixtures of {self.voices} voices are not possible; give 1 or more, or leave it out.")
        if self.embedder is not None and not self.conversations:
            raise UsageError("--embedder is for conversations; give --conversations too, or leave it out.")
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"A limit of {self.limit} mixtures is not possible; give 1 or more.")
        if self.snr_db is not None and not math.isfinite(self.snr_db):
            raise UsageError(f"An SNR of {self.snr_db:g} dB is not possible; give a number.")
        for folder, other in ((self.dataset, ", or a CSV of pairs"), (self.noise, "")):
            if folder is not None and not folder.is_dir() and not (other and is_pairs(folder)):
                raise UsageError(f"{folder} is not a folder; name one that holds a dataset{other}.")

    def check(self, spec: ModelSpec) -> None:
        """Refuse options for other kinds of models.

        Raises:
            UsageError: one was given.
        """
        own = _kind(spec)
        of_kinds = {
            ("speech",): {
                "--condition": self.condition is not None,
                "--mode": self.mode is not None,
                "--noise and --snr": self.noise is not None,
                "--voices": self.voices is not None,
                "--conversations": self.conversations,
            },
            ("music",): {"--wiener": self.wiener > 0},
            ("transcription", "speaking"): {"--speakers": bool(self.speakers)},
            ("speaking",): {
                "--recogniser": self.recogniser is not None and not self.conversations,
                "--vocoder": self.vocoder is not None,
            },
        }
        for kinds, options in of_kinds.items():
            given = [name for name, is_given in options.items() if is_given]
            if given and own not in kinds:
                raise UsageError(
                    f"{', '.join(given)} can be had with {' and '.join(kinds)} models only, and {spec.name} is a {own} "
                    "model; leave that out."
                )
        if self.voices not in (None, 1) and len(spec.stems) == 1:
            raise UsageError(f"{spec.name} is a model of one voice; leave --voices out.")
        if self.conversations:
            self._check_conversations(spec)
        if is_pairs(self.dataset):
            self._check_pairs(spec)

    def _check_pairs(self, spec: ModelSpec) -> None:
        """Refuse pairs for other models than audio Transformers, and options of other datasets.

        Raises:
            UsageError: one was given.
        """
        if spec.family != "audio_transformer":
            raise UsageError(f"Pairs are for audio Transformers, and {spec.name} is none; name a folder as dataset.")
        options = {
            "--layout": self.layout != "auto",
            "--condition": self.condition is not None,
            "--mode": self.mode is not None,
            "--noise and --snr": self.noise is not None,
            "--voices": self.voices is not None,
            "--conversations": self.conversations,
            "--speakers": bool(self.speakers),
            "--recogniser": self.recogniser is not None,
            "--vocoder": self.vocoder is not None,
        }
        if given := [name for name, is_given in options.items() if is_given]:
            raise UsageError(f"Pairs are scored as they are; leave {', '.join(given)} out.")

    def _check_conversations(self, spec: ModelSpec) -> None:
        """Refuse conversations for other models than those that separate voices, and options of short mixtures.

        Raises:
            UsageError: one was given.
        """
        if len(spec.stems) < 2:
            raise UsageError(f"{spec.name} does not separate voices; leave --conversations out.")
        options = {
            "--condition": self.condition is not None,
            "--mode": self.mode is not None,
            "--noise and --snr": self.noise is not None,
            "--voices": self.voices is not None,
            "--layout": self.layout != "auto",
        }
        if given := [name for name, is_given in options.items() if is_given]:
            raise UsageError(f"Conversations are scored as they are; leave {', '.join(given)} out.")

    def songs(self) -> list[Song]:
        """The songs for any music model.

        Raises:
            UsageError: there are none.
        """
        return find_songs(self.dataset, self.split, self.layout)[: self.limit]

    def voices_of(self, spec: ModelSpec) -> dict[str, list[Clip]]:
        """The recordings of each speaker, for a model that tells speakers apart.

        Raises:
            UsageError: there are fewer than two.
        """
        found = find_speakers(self.dataset, self.split, Wanted(self.layout, 1, spec.sample_rate))
        if len(some := dict(list(found.items())[: self.limit])) < 2:
            raise UsageError(f"Speakers are told apart, and {self.dataset} has {len(some)} in its split {self.split}.")
        return some

    def wanted(self, spec: ModelSpec) -> Wanted:
        """The kind of mixtures for a model."""
        voices = self.voices or max(1, len(spec.stems))
        condition = self.condition or ("clean" if voices > 1 else "single")
        return Wanted(self.layout, voices, spec.sample_rate, condition, self.mode or "min")

    def mixtures(self, spec: ModelSpec) -> list[Mixture]:
        """The mixtures for a model.

        Raises:
            UsageError: there are none, or none that is mixed with anything.
        """
        voices = self.wanted(spec).sources
        found = find_mixtures(self.dataset, self.split, self.wanted(spec))
        if not found:
            raise UsageError(f"{self.dataset} has no mixtures of {voices} voices in its split {self.split}.")
        is_mixed = len(spec.stems) > 1 or self.noise is not None or any(m.mixture or m.noise for m in found)
        if not is_mixed and not is_vocoder(spec):
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
        wanted = Wanted(sources=self.wanted(spec).sources, sample_rate=spec.sample_rate, mode=self.mode or "min")
        clips = find_noises(self.noise, split, wanted)
        if not clips:
            raise UsageError(f"{self.noise} has no noises in its split {split}; choose another by --noise-split.")
        return AddedNoise(tuple(clips), self.snr_db, self.snr_to_db)

    def noise_words(self) -> str | None:
        """The noise, for people."""
        if self.noise is None or self.snr_db is None:
            return None
        return f"noise of {name_of(self.noise)}, split {self.noise_split or self.split}, at {self._ratio()} SNR"

    def _ratio(self) -> str:
        """The SNR, or the range of it."""
        return f"{self.snr_db:g} dB" if self.snr_to_db is None else f"{self.snr_db:g} to {self.snr_to_db:g} dB"

    def title(self, spec: ModelSpec) -> str:
        """A name for the folder of an evaluation: model, dataset, split, and options other than the defaults."""
        parts = [spec.name.replace("/", "-"), name_of(self.dataset), self.split]
        parts += ["conversations"] if self.conversations else []
        parts += [f"voices-{self.voices}"] if self.voices else []
        parts += [self.condition] if self.condition else []
        parts += [self.mode] if self.mode not in (None, "min") else []
        parts += [f"{name_of(self.noise)}-{self._ratio().replace(' ', '')}"] if self.noise else []
        parts += [f"wiener-{self.wiener}"] if self.wiener else []
        parts += [name.replace("/", "-") for name in self.speakers]
        parts += [Path(name).name for name in (self.embedder, self.vocoder) if name]
        parts += [f"first-{self.limit}"] if self.limit else []
        return "-".join(parts)


def _kind(spec: ModelSpec) -> str:
    """The kind of a model, in a word.

    Raises:
        UsageError: it is of a task that is not scored.
    """
    if spec.task == "voice conversion":
        raise UsageError(f"{spec.name} converts voices, and `unbraid evaluate` does not score that.")
    kinds = {
        "transcription": "transcription",
        "phonemes": "text",
        "acoustic model": "speaking",
        "speaker embedding": "speaker",
    }
    return kinds.get(spec.task, "music" if spec.separates_songs else "speech")


def name_of(folder: Path) -> str:
    """The name of a folder, also of `.`."""
    return folder.resolve().name or "root"
