"""Separator: a model, loaded once, that separates audio of any length, whole or block by block.

    stems = Separator("music-4")(audio, sample_rate)               # {"vocals": (C, T), …}
    for block in Separator("music-4").blocks("eight_hours.flac"):  # the same in constant memory
        ...

One stream, whatever the model: read a block, resample it to the model's rate, run the family's front end, bring the
stems back to the input's rate and length, and share out the difference to the mixture (docs/design.md, the output
contract).
"""

import dataclasses
import functools
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Self, cast

import numpy as np

from unbraid.audio import ArrayLike, Excerpt, ReadOptions, Source, TrackChoice, as_audio, checked_rate
from unbraid.dsp.arrays import Blocks, FloatArray
from unbraid.dsp.mixture_consistency import with_residual
from unbraid.errors import AudioError, UsageError
from unbraid.hub.defaults import DEFAULTS
from unbraid.hub.spec import ModelSpec
from unbraid.runtime import Engine, Executor
from unbraid.runtime.bag import Bag
from unbraid.runtime.executor import Precision
from unbraid.tasks.conversation.conversation import Conversation
from unbraid.tasks.conversation.embedder import SpeakerEmbedder
from unbraid.tasks.conversation.enrolment import voice_in
from unbraid.tasks.conversation.tracking import Embedder, Wanted
from unbraid.tasks.loading import Loaded, LoadedModel, load
from unbraid.tasks.results import Diagnostics, Run
from unbraid.tasks.separation.bypass import spared
from unbraid.tasks.separation.high_band import shared_among, voice_over_noise
from unbraid.tasks.separation.incoming import incoming_run
from unbraid.tasks.separation.options import (
    Options,
    all_stems,
    check_follows_people,
    check_options,
    follows_people,
    graphs_of,
    has_residual,
    named_stems,
    narrowed,
    people_bounds,
)
from unbraid.tasks.separation.outputs import on_waveforms, output_channels, outputs, passes_of, speech_front
from unbraid.tasks.separation.shifts import delays, shifted
from unbraid.tasks.separation.stems import Stems, joined
from unbraid.tasks.separation.stream import Feed, Network, Progress, Reference, Tap, Track, Waiting, beside, with_rumble
from unbraid.tasks.separation.tracks import WORK, Followed


class Separator(LoadedModel):
    """A loaded model; use it as often as you like. `close()`, or a `with` statement, frees its memory."""

    def __init__(
        self,
        model: str | Path | Loaded = DEFAULTS["separation"],
        *,
        device: str = "auto",
        precision: Precision = "float32",
        threads: int | None = None,
        wiener: bool | int = False,
        raw: bool = False,
        options: Options = Options(),
        embedder: Embedder | None = None,
    ):
        """Load a model by name or folder.

        `wiener` and `raw` are short for the same fields of `options`. See `runtime.open_executor` for
        `device` and `threads`. Models that follow people through a recording do so with the `embedder`, which is closed
        with the model; if none is given, with the default `SpeakerEmbedder`.

        Raises:
            ModelError: there is no such model, or its folder is damaged.
            RuntimeUnavailable: the device is not there.
            UsageError: the options do not apply to the model, or `model` is neither a name nor a path.
        """
        options = dataclasses.replace(options, wiener=int(wiener) or options.wiener, raw=raw or options.raw)
        engine = Engine(device, precision, threads)
        spec, executors = load(
            model, lambda spec: check_options(spec, options), engine, lambda spec: graphs_of(spec, options)
        )
        if isinstance(model, Loaded):  # all of its networks run, whatever is wanted
            options = dataclasses.replace(options, stems=())
        else:
            spec, options = narrowed(spec, options)
        executor = executors[0] if len(executors) == 1 else Bag(executors)
        super().__init__(spec, executor)
        self.options, self._embedder, self._enrolled = options, embedder, dict[str, FloatArray]()
        if follows_people(spec, options):
            self._embedder = embedder or SpeakerEmbedder(
                options.embedder or DEFAULTS["speaker embedding"], device=device, threads=threads
            )
            self._networks.append(self._embedder)
            self._enrolled = {name: voice_in(file, self._embedder) for name, file in options.enrol}
        elif options.speakers is not None:  # it is the number that the model gives anyway
            self.options = dataclasses.replace(options, speakers=None)
        self._executor = on_waveforms(executor, spec)

    @classmethod
    def over(
        cls, executor: Executor, spec: ModelSpec, options: Options = Options(), embedder: Embedder | None = None
    ) -> Self:
        """A separator over an executor of one's own: another engine, or a fake in a test."""
        return cls(Loaded(spec, (executor,)), options=options, embedder=embedder)

    @property
    def has_residual(self) -> bool:
        """Whether a run adds a `residual` stem: on request, and always where there is one source."""
        return has_residual(self.spec, self.options)

    @property
    def follows_people(self) -> bool:
        """Whether a run gives a track for each person that it finds; their names are some of `stems`, in this order."""
        return follows_people(self.spec, self.options) and self.options.tracks

    def stems(self) -> tuple[str, ...]:
        """Names of the stems a run returns, of a model that follows people as many as there can be."""
        return named_stems(all_stems(self.spec, self.options), self.options)

    def output_rate(self, sample_rate: int) -> int:
        """The sample rate of the stems of audio at `sample_rate`."""
        return self.spec.sample_rate if self.options.raw else sample_rate

    def output_channels(self, channels: int) -> int:
        """The number of channels of the stems of audio with so many."""
        return output_channels(self.spec, self.options, channels)

    def __call__(self, audio: ArrayLike, sample_rate: int, *, progress: Progress | None = None) -> Stems:
        """Separate an array (C, T): {stem: (C, T)}, with its `sample_rate`. The input is not changed.

        It is an array or tensor of any library on the CPU, or lists of numbers; integers are scaled by their type.

        Raises:
            AudioError: it is not an array of real numbers (C, T), is empty, or holds NaN or infinity.
        """
        return joined(list(self.run_array(audio, sample_rate, progress)), self.output_rate(sample_rate))

    def blocks(
        self,
        source: Source | Iterator[ArrayLike],
        *,
        sample_rate: int | None = None,
        start: float = 0.0,
        duration: float | None = None,
        track: TrackChoice = 0,
        reading: ReadOptions = ReadOptions(),
        progress: Progress | None = None,
    ) -> Run[dict[str, FloatArray]]:
        """Separate a file (or a binary file object) block by block: {stem: (C, n)}, in constant memory.

        Or an iterator of arrays (C, n) of any lengths, with their `sample_rate` and without the options of files: stems
        then come as soon as a window is full. Where `passes` is more than 1, the arrays are first kept in a temporary
        file.

        `start` and `duration` are in seconds; `track` is the number of an audio track, from 0, or "auto" for the first
        that is not silent. Warnings about the file are in the run's `diagnostics.notices` afterwards.
        `progress(done_seconds, total_seconds or None)` is called as the file is read; raise `Cancelled` in it to stop.
        A model that follows people reads the file twice, and gives the first block once it has found them; who speaks
        when is in `diagnostics.conversation` from then on.

        Raises:
            AudioError: the file cannot be read, or the disk for temporary files is full.
        """
        excerpt = Excerpt(start, duration, track, reading)
        if isinstance(source, Iterator) and not hasattr(source, "read"):
            if sample_rate is None or excerpt != Excerpt():
                raise UsageError("An iterator of arrays needs its sample_rate, and takes no options of files.")
            diagnostics = Diagnostics(self.spec.name)
            named = functools.partial(self.separated, progress=progress, diagnostics=diagnostics)
            return incoming_run(source, sample_rate, self.passes, named, diagnostics)
        if sample_rate is not None:
            raise UsageError("A file says its sample rate itself; leave sample_rate out.")
        return self.run(cast(Source, source), excerpt, progress)

    @property
    def passes(self) -> int:
        """How often a run reads its input; 1: stems come while it is read."""
        return len(WORK) if follows_people(self.spec, self.options) else passes_of(self.spec, self.options)

    def run(
        self, source: Source, excerpt: Excerpt = Excerpt(), progress: Progress | None = None, tap: Tap | None = None
    ) -> Run[dict[str, FloatArray]]:
        """Separate an excerpt of a file, as `blocks` does; its blocks go through the `tap` before their stems come."""
        ends, on_pass = Diagnostics(self.spec.name), self.passes
        return Run.over_file(source, excerpt, lambda t: self.separated(t.tapped(tap, on_pass), progress, ends), ends)

    def converse(self, source: Source, excerpt: Excerpt = Excerpt(), progress: Progress | None = None) -> Conversation:
        """Who speaks when in an excerpt of a file, without tracks, in constant memory.

        Raises:
            AudioError: the file cannot be read, or the disk for temporary files is full.
            UsageError: the model does not follow people.
        """
        (conversation,) = self.listen(source, excerpt, progress)
        return conversation

    def listen(
        self, source: Source, excerpt: Excerpt = Excerpt(), progress: Progress | None = None
    ) -> Run[Conversation]:
        """A run whose only result is that of `converse`; it raises the same errors."""
        check_follows_people(self.spec, self.options)
        diagnostics = Diagnostics(self.spec.name)
        followed = self._followed(diagnostics)
        return Run.over_file(source, excerpt, lambda track: followed.conversation(track, progress), diagnostics)

    def run_array(
        self, audio: ArrayLike, sample_rate: int, progress: Progress | None = None
    ) -> Run[dict[str, FloatArray]]:
        """Separate an array (C, T) block by block."""
        track, diagnostics = Track.of(as_audio(audio), checked_rate(sample_rate)), Diagnostics(self.spec.name)
        return Run(self.separated(track, progress, diagnostics), diagnostics)

    def separated(
        self, track: Track, progress: Progress | None, diagnostics: Diagnostics
    ) -> Generator[dict[str, FloatArray], None, None]:
        """The stems of a track by their names, or the sum of all that are not removed.

        Raises:
            AudioError: nothing is left of those that were found.
        """
        for stems in self._parts(track, progress, diagnostics):
            names = all_stems(self.spec, self.options, diagnostics.conversation)
            yield named(names, stems, self.options, self.stems())

    def _parts(self, track: Track, progress: Progress | None, diagnostics: Diagnostics) -> Blocks:
        """All stems (S, C, n) of a track, residual included."""
        rate, options, residual = self.spec.sample_rate, self.options, self.has_residual
        network: Network = functools.partial(outputs, self._executor, self.spec, options, track, diagnostics)
        if options.shifts:
            network = shifted(network, delays(options.shifts, rate), any_order=not self.spec.separates_songs)
        if options.raw:
            feed = Feed(track, rate, passes_of(self.spec, options), "model", progress)
            return (stems for _, stems in feed.run(network))
        rumble, followed = Waiting(), None
        reference: Reference = "narrow" if options.high_band == "drop" and track.sample_rate > rate else "input"
        feed = Feed(track, rate, 1 + options.wiener, reference, progress, rumble)
        if follows_people(self.spec, options):
            followed, feed = self._followed(diagnostics), dataclasses.replace(feed, passes=len(WORK), work=WORK)
            if options.tracks:
                return followed.separated(feed, rumble, residual=residual)
        stems = _summing(self.spec, options, feed.run(followed.outputs if followed else network), track.sample_rate)
        return with_rumble(stems, rumble, track.sample_rate, residual=residual, strength=options.strength)

    def _followed(self, diagnostics: Diagnostics) -> Followed:
        """The network, ready to follow people."""
        assert self._embedder is not None
        wanted = Wanted(*people_bounds(self.options), self._enrolled)
        front = speech_front(self.spec, self.options, self._executor)
        return Followed(front, self.spec, self._embedder, wanted, diagnostics)


def named(names: tuple[str, ...], stems: FloatArray, options: Options, sums: tuple[str, ...]) -> dict[str, FloatArray]:
    """Stems (S, C, n) by their names, or what options ask for instead, by the names of these sums.

    Raises:
        AudioError: nothing is left of those that were found.
    """
    if options.two_stems:
        place = names.index(options.two_stems)
        return dict(zip(sums, (stems[place], np.delete(stems, place, 0).sum(0)), strict=True))
    if options.remove:
        kept = [i for i, stem in enumerate(names) if stem not in options.remove]
        if not kept:
            raise AudioError(f"Without {', '.join(names)} nothing is left of the voices found; remove fewer stems.")
        return {sums[0]: stems[kept].sum(0)}
    return dict(zip(names, stems, strict=True))


def _summing(
    spec: ModelSpec, options: Options, pairs: Iterator[tuple[FloatArray, FloatArray]], sample_rate: int
) -> Blocks:
    """Stems (S, C, n), residual included, that add up to their reference (C, n)."""
    if has_residual(spec, options):
        if len(spec.stems) == 1:
            pairs = _enhanced(spec, options, pairs, sample_rate)
        return (with_residual(whole, stems, options.strength) for whole, stems in pairs)
    if spec.spectral and not options.wiener and sample_rate == spec.sample_rate:
        return (stems for _, stems in pairs)  # masks add up to one, and so do the stems
    return shared_among(spec, pairs, sample_rate)


def _enhanced(
    spec: ModelSpec, options: Options, pairs: Iterator[tuple[FloatArray, FloatArray]], sample_rate: int
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Recordings (C, n) and the one voice (1, C, n) of each, with its high band, and as it was where that was clean."""
    if options.high_band == "share":
        pairs = beside(pairs, functools.partial(voice_over_noise, spec, sample_rate=sample_rate))
    if options.bypass:
        pairs = beside(pairs, functools.partial(spared, sample_rate=sample_rate))
    return pairs
