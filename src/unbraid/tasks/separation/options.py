"""Options of a separation model, and checks that they apply to it."""

import dataclasses
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from unbraid.errors import UsageError, quoted
from unbraid.hub.catalogue import nearest
from unbraid.hub.names import models_with_stem
from unbraid.hub.spec import ModelSpec, is_file_name
from unbraid.models.htdemucs.config import HtdemucsConfig
from unbraid.tasks.conversation.conversation import Conversation
from unbraid.tasks.conversation.people import MOST_PEOPLE

MOST_NAMED = 8  # stems in a message
MOST_SHIFTS = 20


@dataclass(frozen=True)
class Options:
    """Options for running a model; the defaults suit most people."""

    wiener: int = 0  # iterations of the multichannel Wiener filter; 0: soft masks
    raw: bool = False  # exactly the output of the published system, at the model's rate
    residual: bool = False  # add a stem for the difference between the mixture and all stems, instead of sharing it out
    high_band: Literal["share", "drop"] = "share"  # the band above half the model's sample rate
    mask_exponent: float | None = None  # music: of the soft masks; None: the model's own
    stems: tuple[str, ...] = ()  # of a model with a network for each stem: run only those of these; others run whole
    two_stems: str = ""  # return this stem and the sum of all others: "vocals" gives vocals and no_vocals
    shifts: int = 0  # the mean over so many copies of the recording that begin a random time later; 0: as it is
    remove: tuple[str, ...] = ()  # return one stem, the sum of all but these: ("vocals",) leaves no-vocals
    window_seconds: float | None = None  # of models that have windows; the model's own by default
    overlap_seconds: float | None = None
    speakers: int | tuple[int, int] | None = (
        None  # speech: how many people, or (fewest, most); None: as many as there are
    )
    enrol: tuple[tuple[str, str], ...] = ()  # (name, file): a person whose voice is in the file has this name
    embedder: str | None = None  # the model of speaker embeddings that people are followed by; None: the default
    tracks: bool = True  # of models that follow people: a track for each; False: the network's outputs
    strength: float = 1.0  # models of one voice: the share of the noise that is removed, 0 to 1
    bypass: bool = True  # models of one voice: speech that is clean passes as it is
    force: bool = False  # run a raw SepFormer however long the file is


def check_stem(stem: str, available: Sequence[str], model: str) -> None:
    """Refuse a stem that a model lacks, naming its stems and the models that have this one.

    Raises:
        UsageError: the model has no such stem.
    """
    if stem not in available:
        named = available if len(available) <= MOST_NAMED else (*available[:3], "…", available[-1])
        if others := [name for name in models_with_stem(stem) if name != model]:
            hint = f"it is in {', '.join(others)}."
        else:
            hint = f"did you mean {' or '.join(alike)}?" if (alike := nearest(stem, available)) else "no model has it."
        raise UsageError(f"{model} has no stem {stem!r}, only {', '.join(named)}; {hint}")


def narrowed(spec: ModelSpec, options: Options) -> tuple[ModelSpec, Options]:
    """The model of the networks that are wanted, with a residual for the rest, where each stem has a network.

    Any other model stays as it is.
    """
    asked = (options.two_stems,) if options.two_stems else options.stems
    wanted = tuple(stem for stem in spec.stems if stem in asked)
    options = dataclasses.replace(options, stems=())
    if not spec.geometry.has_stem_graphs or len(wanted) < len(asked) or len(wanted) in (0, len(spec.stems)):
        return spec, options
    geometry = spec.geometry.of_stems(tuple(map(spec.stems.index, wanted)))
    return dataclasses.replace(spec, stems=wanted, geometry=geometry), dataclasses.replace(
        options, residual=True, stems=wanted
    )


def graphs_of(spec: ModelSpec, options: Options) -> tuple[str, ...]:
    """The graphs of the networks that are wanted, in the order of `Config.graphs`."""
    graphs, stems = spec.geometry.graphs, narrowed(spec, options)[0].stems
    if stems == spec.stems:
        return graphs
    return tuple(graph for graph, stem in zip(graphs, spec.stems, strict=True) if stem in stems)


def check_two_stems(available: Sequence[str], options: Options, model: str) -> None:
    """Refuse to return two stems, one of which the model lacks, or of which some are to be removed.

    Raises:
        UsageError: as it says.
    """
    if options.two_stems and options.remove:
        raise UsageError("Two stems are one and the sum of all others; leave out what is to be removed.")
    if options.two_stems:
        check_stem(options.two_stems, available, model)


def has_residual(spec: ModelSpec, options: Options) -> bool:
    """Whether a run adds a stem for the difference between the mixture and all other stems."""
    return not options.raw and (options.residual or len(spec.stems) == 1)


def all_stems(spec: ModelSpec, options: Options, found: Conversation | None = None) -> tuple[str, ...]:
    """Names of all stems before any is removed, the residual included.

    Of a model that follows people, those who were found, or as long as that is not known, all who might be.
    """
    stems = spec.stems
    if follows_people(spec, options) and options.tracks:
        stems = possible_names(options) if found is None else found.speakers
    return (*stems, spec.remainder) if has_residual(spec, options) else stems


def named_stems(stems: tuple[str, ...], options: Options) -> tuple[str, ...]:
    """The names of what is returned: all of these stems, or sums of them."""
    if two := options.two_stems:
        return two, f"no_{two}"
    removed = [stem for stem in stems if stem in options.remove]
    return ("-".join(("no", *removed)),) if removed else stems


def possible_names(options: Options) -> tuple[str, ...]:
    """The names that people may get."""
    numbered = (f"speaker{k + 1}" for k in range(people_bounds(options)[1]))
    return (*(name for name, _ in options.enrol), *numbered)


def follows_people(spec: ModelSpec, options: Options) -> bool:
    """Whether a run follows people from one window of the network to the next, and over pauses."""
    return spec.silent_outputs and not options.raw


def check_follows_people(spec: ModelSpec, options: Options) -> None:
    """Refuse a model that does not follow people.

    Raises:
        UsageError: naming it.
    """
    if not follows_people(spec, options):
        raise UsageError(f"{spec.name} does not tell people apart; choose a model that does, such as speech.")


def people_bounds(options: Options) -> tuple[int, int]:
    """The fewest and most people."""
    if options.speakers is None:
        return 1, MOST_PEOPLE
    return options.speakers if isinstance(options.speakers, tuple) else (options.speakers, options.speakers)


def check_options(spec: ModelSpec, options: Options) -> None:
    """Refuse options that do not apply to the model.

    Raises:
        UsageError: one does not, or is out of range.
    """
    if not spec.stems:
        raise UsageError(f"{spec.name} pulls nothing apart; `unbraid models` lists those that do.")
    if options.wiener < 0:
        raise UsageError(f"Iterations of the Wiener filter are counted from 0, got {options.wiener}.")
    if options.high_band not in (bands := ("share", "drop")):
        raise UsageError(f"high_band is one of {', '.join(bands)}, not {options.high_band!r}.")
    exponent = options.mask_exponent
    if exponent is not None and not 0 < exponent < math.inf:
        raise UsageError(f"Masks take an exponent above 0 (Spleeter's is 2), got {exponent:g}.")
    if not 0 <= options.strength <= 1:
        raise UsageError(f"The strength is from 0 (nothing is taken away) to 1 (all of it), got {options.strength:g}.")
    if not options.bypass and (options.raw or len(spec.stems) > 1):
        raise UsageError("bypass=False goes with models of one voice, and not with raw; leave it out.")
    if options.strength < 1 and (options.raw or len(spec.stems) > 1):
        raise UsageError("A strength goes with models of one voice, and not with raw; leave it out.")
    check_speakers(spec, options)
    if options.raw and options.residual:
        raise UsageError("Raw returns just what the network gives: it has no residual.")
    _check_chosen(spec, options)
    _check_shifts(spec, options)
    if spec.family == "unet":
        _check_music(spec, options)
    elif options.wiener or exponent is not None:
        what = "The Wiener filter is" if options.wiener else "Exponents of masks are"
        whose = "U-Nets" if spec.separates_songs else "music models"
        raise UsageError(f"{what} for {whose}; {spec.name} is a {spec.family}.")
    if spec.latency_seconds is not None and (options.window_seconds, options.overlap_seconds) != (None, None):
        raise UsageError(f"{spec.name} is causal and has no windows; leave their length and overlap out.")
    if spec.windows:
        seconds, overlap = windows_of(spec, options)
        if not 0 <= overlap <= seconds / 2 and not (options.raw and options.overlap_seconds is None):
            raise UsageError(
                f"An overlap of {overlap:g} s does not fit windows of {seconds:g} s; at most half may overlap."
            )
        if (
            isinstance(spec.geometry, HtdemucsConfig)
            and round(seconds * spec.sample_rate) > spec.geometry.segment_samples
        ):
            raise UsageError(f"{spec.name} hears at most {spec.windows.seconds:g} s at once; leave the window out.")
        least = spec.geometry.least_samples / spec.sample_rate
        if seconds < least:
            raise UsageError(
                f"Windows of {seconds:g} s are too short; they must hold a kernel of the network, {least:g} s."
            )


def check_speakers(spec: ModelSpec, options: Options) -> None:
    """Refuse a number of speakers that the model does not separate.

    Raises:
        UsageError: it does not.
    """
    speakers, outputs = options.speakers, len(spec.stems)
    if options.enrol and not follows_people(spec, options):
        raise UsageError(f"{spec.name} does not tell people apart, so nobody can be enrolled; leave that out.")
    if options.embedder and not follows_people(spec, options):
        raise UsageError(f"{spec.name} does not follow people, so it takes no speaker embeddings; leave that out.")
    _check_names(options)
    if speakers is None:
        return
    if spec.separates_songs:
        raise UsageError(f"{spec.name} separates songs, and a number of speakers is for speech; leave it out.")
    if follows_people(spec, options):
        fewest, most = people_bounds(options)
        if not 1 <= fewest <= most <= MOST_PEOPLE:
            asked = f"{fewest}-{most}" if isinstance(speakers, tuple) else f"{speakers}"
            raise UsageError(
                f"{spec.name} tells 1 to {MOST_PEOPLE} speakers apart, not {asked}; give a number, or the fewest and "
                "most, such as 2-6."
            )
    elif speakers not in (outputs, (outputs, outputs)):
        always = "with raw" if spec.silent_outputs else "of every recording"
        voices = "1 voice" if outputs == 1 else f"{outputs} voices"
        raise UsageError(f"{spec.name} gives {voices} {always}, not {speakers}; leave the number of speakers out.")


def _check_names(options: Options) -> None:
    """Refuse names of people that others have, or that cannot name a file."""
    names = [name for name, _ in options.enrol]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"Two people are enrolled as {quoted(name)}; give each a name of their own.")
        if name == "residual" or re.fullmatch(r"speaker\d+", name):
            raise UsageError(f"{quoted(name)} is the name of another track; give the person another name.")
        if not is_file_name(name):
            raise UsageError(
                f"{quoted(name)} cannot name a person, since a file is named after them; give another name."
            )


def _check_music(spec: ModelSpec, options: Options) -> None:
    """Refuse options that do not apply to a U-Net."""
    if spec.channels != 2:
        raise UsageError(f"{spec.name} takes {spec.channels} channels; U-Nets are run on pairs of channels only.")
    if (options.window_seconds, options.overlap_seconds) != (None, None):
        raise UsageError(f"{spec.name} is a {spec.family} and has no windows; leave their length and overlap out.")
    if options.wiener and options.mask_exponent is not None:
        raise UsageError("The Wiener filter has masks of its own; leave it out, or the exponent of the masks.")


def _check_chosen(spec: ModelSpec, options: Options) -> None:
    """Refuse to remove or to name a stem that the model lacks, or to remove all stems."""
    stems = all_stems(spec, options)
    check_two_stems(stems, options, spec.name)
    if options.two_stems and follows_people(spec, options) and options.tracks:
        raise UsageError(f"{spec.name} gives a track for each person, not two stems; leave that out.")
    for stem in options.remove:
        check_stem(stem, stems, spec.name)
    if set(stems) <= set(options.remove):
        raise UsageError(f"Without {', '.join(stems)} nothing is left of {spec.name}; remove fewer stems.")


def _check_shifts(spec: ModelSpec, options: Options) -> None:
    """Refuse shifts where they have no meaning, or would read the recording many times."""
    if not 0 <= options.shifts <= MOST_SHIFTS:
        raise UsageError(f"Shifts are from 0 to {MOST_SHIFTS}, got {options.shifts}.")
    if not options.shifts:
        return
    if options.raw or options.wiener:
        other = "a raw run, which is the published system's" if options.raw else "the Wiener filter"
        raise UsageError(f"Shifts do not go with {other}; leave one of them out.")
    if follows_people(spec, options) or spec.latency_seconds is not None:
        what = "follows people through a recording" if spec.latency_seconds is None else "is causal"
        raise UsageError(f"{spec.name} {what}, which is not repeated for shifts; leave them out.")


def windows_of(spec: ModelSpec, options: Options) -> tuple[float, float]:
    """Length and overlap of a network's windows, in seconds.

    The published programs of RoFormers may hear each moment more than twice. A raw run does, too.
    """
    assert spec.windows is not None
    own = spec.windows.seconds, spec.windows.overlap_seconds
    window, overlap = options.window_seconds, options.overlap_seconds
    return (
        own[0] if window is None else window,
        overlap if overlap is not None else own[1] if options.raw else min(own[1], own[0] / 2),
    )
