"""The mixtures, speakers and noises in a folder, in the layouts of published scripts and in two of our own.

    wsj0mix     2speakers/wav8k/min/{tr,cv,tt}/{mix,s1,s2}            WSJ0-2mix, -3mix (Hershey, arXiv 1508.04306)
    librimix    Libri2Mix/wav8k/min/{train-100,…}/{mix_clean,s1,…}    LibriMix (Cosentino, arXiv 2005.11262)
    wham        wav8k/min/{tr,cv,tt}/{mix_clean,mix_both,s1,s2,…}     WHAM! (Wichern, arXiv 1907.01160)
    whamr       wav8k/min/{tr,cv,tt}/{mix_both_reverb,s1_anechoic,…}  WHAMR! (Maciejewski, arXiv 1910.10279)
    manifest    manifest.csv: path, speaker, split                    see manifest.py
    speakers    one folder for each speaker                           see speakers.py

The folders suffice; LibriMix's metadata CSVs are not needed. The targets of WHAMR! are the anechoic sources,
whatever the mixture's condition, as in SpeechBrain's recipe.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from unbraid.corpora import fixed, manifest, speakers
from unbraid.corpora.mixtures import Clip, Mixture
from unbraid.errors import UsageError
from unbraid.files.walk import files_in

Speakers = dict[str, list[Clip]]


@dataclass(frozen=True)
class Wanted:
    """Criteria for the recordings in a folder."""

    layout: str = "auto"  # or one of NAMES
    sources: int = 2
    sample_rate: int = 8000  # Hz; selects wav8k or wav16k if both are there, and clips are resampled to it
    condition: str = "clean"  # clean, noisy, single (one voice and noise); WHAMR!: also reverb, noisy-reverb, …
    mode: str = "min"  # mixtures end with the shortest voice (min) or with the longest (max)


@dataclass(frozen=True)
class Layout:
    """The folder structure written by a published script."""

    tops: tuple[str, ...]  # possible folders above wav8k; {n} is the number of voices
    splits: Mapping[str, tuple[str, ...]]  # our name: their names, of which the first that exists is used
    mixtures: Mapping[str, str]  # condition: folder
    source: str  # folder of source {j}
    speaker: Callable[[str, int], str]  # (file name, j) -> who speaks


def _wsj0_speaker(name: str, source: int) -> str:
    """01aa010b_0.97482_209a010p_-0.97482: the first three characters of each utterance."""
    return name.split("_")[2 * (source - 1)][:3]


def _librimix_speaker(name: str, source: int) -> str:
    """4446-2273-0025_6529-62556-0014: the number before the first dash of each utterance."""
    return name.split("_")[source - 1].split("-")[0]


_WSJ0_SPLITS = {"train": ("tr",), "dev": ("cv",), "test": ("tt",)}
_LIBRIMIX_SPLITS = {"train": ("train-360", "train-100"), "dev": ("dev",), "test": ("test",)}
_NOISY = {"clean": "mix_clean", "noisy": "mix_both", "single": "mix_single"}
_REVERB = {
    "clean": "mix_clean_anechoic",
    "noisy": "mix_both_anechoic",
    "single": "mix_single_anechoic",
    "reverb": "mix_clean_reverb",
    "noisy-reverb": "mix_both_reverb",
    "single-reverb": "mix_single_reverb",
}

LAYOUTS = {
    "wsj0mix": Layout(("{n}speakers", ""), _WSJ0_SPLITS, {"clean": "mix"}, "s{j}", _wsj0_speaker),
    "librimix": Layout(("Libri{n}Mix", ""), _LIBRIMIX_SPLITS, _NOISY, "s{j}", _librimix_speaker),
    "wham": Layout(("",), _WSJ0_SPLITS, _NOISY, "s{j}", _wsj0_speaker),
    "whamr": Layout(("",), _WSJ0_SPLITS, _REVERB, "s{j}_anechoic", _wsj0_speaker),
}
NAMES = (*LAYOUTS, "manifest", "speakers")


def find_mixtures(folder: Path, split: str, wanted: Wanted) -> list[Mixture]:
    """The mixtures of a split (train, dev, test, or the layout's own name for one), in the order of their names.

    Raises:
        UsageError: the folder does not hold them; the message says what was looked for.
    """
    layout = _layout(folder, wanted)
    if layout in LAYOUTS:
        rows = _rows(folder, split, wanted, LAYOUTS[layout])
        return [Mixture(mix.stem, tuple(map(Clip, sources)), Clip(mix)) for mix, sources in rows]
    _check_drawn(folder, wanted)
    if layout == "manifest" and (listed := folder / f"{split}_mix{wanted.sources}.csv").is_file():
        return fixed.listed(listed, wanted.sources)
    return fixed.drawn(find_speakers(folder, split, wanted), split, wanted.sources)


def find_speakers(folder: Path, split: str, wanted: Wanted) -> Speakers:
    """The recordings of each speaker of a split, for dynamic mixing.

    Raises:
        UsageError: the folder does not hold them; the message says what was looked for.
    """
    layout = _layout(folder, wanted)
    if layout == "manifest":
        return manifest.find_speakers(folder, split)
    if layout == "speakers":
        return speakers.find_speakers(folder, split, wanted.sources)
    found: Speakers = {}
    for _, sources in _rows(folder, split, wanted, LAYOUTS[layout]):
        for j, path in enumerate(sources, 1):
            found.setdefault(_who(path, j, layout), []).append(Clip(path))
    return dict(sorted(found.items()))


def find_noises(folder: Path, split: str, wanted: Wanted) -> list[Clip]:
    """The noises of a split: a published layout's `noise` folder, the rows of a manifest, or all files of a folder.

    Raises:
        UsageError: there are none.
    """
    layout = _recognised(folder, wanted) if wanted.layout == "auto" else _layout(folder, wanted)
    if layout == "manifest":
        return manifest.find_clips(folder, split)
    if layout not in LAYOUTS:
        return speakers.find_clips(folder, split)
    noises = _base(folder, split, wanted, LAYOUTS[layout], "noise") / "noise"
    return [Clip(path) for path in _recordings(noises)]


def _check_drawn(folder: Path, wanted: Wanted) -> None:
    """Refuse other criteria than clean mixtures that end with the shortest voice: a folder of speakers gives these."""
    if wanted.mode != "min":
        raise UsageError(
            f"Mixtures of the speakers in {folder} end with the shortest (min), not {wanted.mode!r}; leave it out."
        )
    if wanted.condition not in (("clean",) if wanted.sources > 1 else ("clean", "single")):
        raise UsageError(
            f"Mixtures of the speakers in {folder} are clean, not {wanted.condition!r}; leave it out, or add noise of "
            f"a folder of its own."
        )


def _layout(folder: Path, wanted: Wanted) -> str:
    """The name of the folder's layout: the one wanted, or the one whose folders are there."""
    if wanted.layout != "auto" and wanted.layout not in NAMES:
        raise UsageError(f"There is no layout {wanted.layout!r}; choose auto, {', '.join(NAMES)}.")
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}. Name the folder that holds the corpus.")
    layout = _recognised(folder, wanted) if wanted.layout == "auto" else wanted.layout
    if layout is None:
        places = [
            f"{place.relative_to(folder)}" for rules in LAYOUTS.values() for place in _levels(folder, wanted, rules)
        ]
        raise UsageError(
            f"{folder} is in none of the layouts {', '.join(NAMES)}: it holds no manifest.csv, no two folders with "
            f"audio, and no mixtures in {', '.join(dict.fromkeys(places))}."
        )
    return layout


def _recognised(folder: Path, wanted: Wanted) -> str | None:
    if (folder / manifest.NAME).is_file():
        return "manifest"
    for name, rules in LAYOUTS.items():
        for level in _levels(folder, wanted, rules):
            splits = [level / theirs for names in rules.splits.values() for theirs in names]
            if any((place / mixtures).is_dir() for place in splits for mixtures in rules.mixtures.values()):
                return name
    return "speakers" if len(speakers.speaker_folders(folder)) > 1 else None


def _levels(folder: Path, wanted: Wanted, rules: Layout) -> Iterator[Path]:
    """Possible parents of the split folders, the wanted rate first."""
    own = f"wav{wanted.sample_rate // 1000}k"
    for top in rules.tops:
        for rate in dict.fromkeys((own, "wav8k", "wav16k")):
            yield folder / top.format(n=max(2, wanted.sources)) / rate / wanted.mode


def _base(folder: Path, split: str, wanted: Wanted, rules: Layout, inside: str) -> Path:
    """The folder of a split that has a folder `inside`."""
    names = rules.splits.get(split, (split,))
    places = [level / theirs for level in _levels(folder, wanted, rules) for theirs in names]
    for place in places:
        if (place / inside).is_dir():
            return place
    looked = ", ".join(f"{place.relative_to(folder) / inside}" for place in places)
    raise UsageError(
        f"{folder} has no folder of that split, condition and mode; looked for {looked}. "
        f"Splits are {', '.join(rules.splits)} or the corpus's own names, modes min and max."
    )


def _rows(folder: Path, split: str, wanted: Wanted, rules: Layout) -> list[tuple[Path, list[Path]]]:
    """Each mixture's file with its sources' files."""
    if wanted.condition not in rules.mixtures:
        raise UsageError(
            f"Mixtures in the layout of {folder} come as {', '.join(rules.mixtures)}, not {wanted.condition!r}."
        )
    base = _base(folder, split, wanted, rules, rules.mixtures[wanted.condition])
    mixtures = _recordings(base / rules.mixtures[wanted.condition])
    if not mixtures:
        raise UsageError(f"{base / rules.mixtures[wanted.condition]} holds no wav files.")
    places = [base / rules.source.format(j=j) for j in range(1, wanted.sources + 1)]
    for place in places:
        missing = {path.name for path in mixtures} - {path.name for path in _recordings(place)}
        if missing:
            raise UsageError(
                f"{place} lacks {len(missing)} of {len(mixtures)} files, {min(missing)} for one; "
                f"each source must be there under the name of its mixture."
            )
    return [(path, [place / path.name for place in places]) for path in mixtures]


def _recordings(folder: Path) -> list[Path]:
    return files_in(folder, (".wav",), recursive=False) if folder.is_dir() else []


def _who(path: Path, source: int, layout: str) -> str:
    try:
        name = LAYOUTS[layout].speaker(path.stem, source)
    except IndexError:
        name = ""
    if not name:
        raise UsageError(f"{path} does not name its speakers as the files of {layout} do; use the original names.")
    return name
