"""Several models as one: the mean of their stems, "htdemucs,music-4".

Stems of one name are averaged. Where the models do not have the same stems, those that all have are averaged, and so is
the sum of all others: the means add up to the recording as the stems of each model do. All models read the recording
together, block by block.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np

from unbraid.dsp.arrays import Blocks
from unbraid.errors import UsageError
from unbraid.hub.catalogue import folder_name
from unbraid.hub.spec import ModelSpec
from unbraid.tasks.results import Diagnostics
from unbraid.tasks.separation.options import Options, check_stem, check_two_stems, named_stems
from unbraid.tasks.separation.separator import Separator, named
from unbraid.tasks.separation.shifts import mean
from unbraid.tasks.separation.stream import Progress, Track

Opening = Callable[[str | Path, Options], Separator]
MOST_MODELS = 8


def open_separator(model: str | Path, open_one: Opening, options: Options = Options()) -> Separator:
    """The separator of a name or folder, or the ensemble of several names with commas between them.

    Raises:
        ModelError, RuntimeUnavailable, UsageError: as `Separator` and `Ensemble`.
    """
    names = [name.strip() for name in str(model).split(",")]
    if len(names) == 1 or Path(model).exists():
        return open_one(model, options)
    if not all(names) or not len(set(names)) == len(names) <= MOST_MODELS:
        raise UsageError(f"An ensemble is of 2 to {MOST_MODELS} different models, with commas between them.")
    with ExitStack() as opened:
        two = (options.two_stems,) if options.two_stems else options.stems
        own = dataclasses.replace(options, remove=(), two_stems="", stems=two)
        ensemble = Ensemble([opened.enter_context(closing(open_one(name, own))) for name in names], options)
        opened.pop_all()
    return ensemble


class Ensemble(Separator):
    """Separators whose stems are averaged; it closes them."""

    def __init__(self, members: Sequence[Separator], options: Options = Options()):
        """Members return their own stems; `options.remove` and `options.two_stems` are of the means.

        Raises:
            UsageError: the models have different sample rates or no stem in common, give voices in no order, or would
                read a recording more than once.
        """
        first = members[0]
        self.members, self._networks = tuple(members), list(members)
        self.device, self.device_reason = first.device, first.device_reason
        names = [member.spec.name for member in members]
        if options.raw:
            raise UsageError("Raw is the output of one published system; name one model, or leave raw out.")
        self._check([member.spec for member in members])
        files = {f"{folder_name(m.spec.name)} {file}": sha for m in members for file, sha in m.spec.files.items()}
        self.spec = dataclasses.replace(first.spec, name=",".join(names), files=files)
        self.options = dataclasses.replace(options, stems=())
        rests = {name for member in members for name in ("residual", member.spec.remainder)}
        own = [member.stems() for member in members]
        self._common = tuple(name for name in own[0] if name not in rests and all(name in stems for stems in own))
        if not self._common:
            raise UsageError(f"{' and '.join(names)} have no stem in common; an ensemble needs one.")
        has_rest = any(len(stems) > len(self._common) for stems in own)
        rest = next((m.spec.remainder for m in members if m.spec.remainder != "residual"), "residual")
        self._all = (*self._common, rest) if has_rest else self._common
        for stem in options.remove:
            check_stem(stem, self._all, self.spec.name)
        check_two_stems(self._all, options, self.spec.name)

    def _check(self, specs: Sequence[ModelSpec]) -> None:
        """Refuse models that cannot be averaged."""
        if len({spec.sample_rate for spec in specs}) > 1:
            listed = ", ".join(f"{spec.name} at {spec.sample_rate} Hz" for spec in specs)
            raise UsageError(f"An ensemble is of models of one sample rate, not {listed}; leave some out.")
        for member in self.members:
            if not member.spec.separates_songs and len(member.spec.stems) > 1:
                raise UsageError(
                    f"{member.spec.name} gives voices in any order, which cannot be averaged; leave it out."
                )
            if member.passes > 1:
                raise UsageError(
                    f"{member.spec.name} would read a recording more than once, which an ensemble does not."
                )

    @property
    def has_residual(self) -> bool:
        """As `Separator.has_residual`."""
        return len(self._all) > len(self._common)

    @property
    def follows_people(self) -> bool:
        """Never."""
        return False

    @property
    def passes(self) -> int:
        """As `Separator.passes`."""
        return 1

    def stems(self) -> tuple[str, ...]:
        """As `Separator.stems`."""
        return named_stems(self._all, self.options)

    def output_channels(self, channels: int) -> int:
        """As `Separator.output_channels`."""
        return max(member.output_channels(channels) for member in self.members)

    def separated(
        self, track: Track, progress: Progress | None, diagnostics: Diagnostics
    ) -> Generator[dict[str, np.ndarray], None, None]:
        """As `Separator.separated`."""
        copies = itertools.tee(track.blocks(), len(self.members))
        runs = []
        for i, (member, blocks) in enumerate(zip(self.members, copies, strict=True)):
            copy = dataclasses.replace(track, blocks=functools.partial(iter, blocks))
            runs.append(self._stems(member.separated(copy, None if i else progress, diagnostics)))
        for stems in mean(runs):
            yield named(self._all, stems, self.options, self.stems())

    def _stems(self, blocks: Generator[dict[str, np.ndarray], None, None]) -> Blocks:
        """The common stems of a member, and the sum of its others: (S, C, n)."""
        for stems in blocks:
            found = [stems[name] for name in self._common]
            if self.has_residual:
                others = [stem for name, stem in stems.items() if name not in self._common]
                found.append(np.sum(others, 0) if others else np.zeros_like(found[0]))
            yield np.stack(found)
