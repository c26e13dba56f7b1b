"""The tasks: a recording in, files in a folder out. A worker keeps its models open from one recording to the next."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from unbraid.audio import Excerpt, probe
from unbraid.batch.places import Draft
from unbraid.batch.settings import Settings
from unbraid.corpora.rttm import to_rttm
from unbraid.dsp.arrays import FloatArray
from unbraid.errors import AudioError
from unbraid.hub.spec import ModelSpec
from unbraid.tasks.conversation.conversation import Conversation
from unbraid.tasks.conversation.formats import to_json
from unbraid.tasks.results import Diagnostics
from unbraid.tasks.separation.content import content_of_file
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.separation.stem_files import FloatStems, Signal
from unbraid.tasks.transcription.subtitles import SHORT, lines_of, written
from unbraid.tasks.transcription.transcriber import Transcriber

WHOLE = Excerpt()


@dataclass(frozen=True)
class Done:
    """Facts about work that is done."""

    spec: ModelSpec  # of the model that was run
    audio_seconds: float
    notices: tuple[str, ...]
    gain_db: float = 0.0  # of all stems; 0 unless one would have clipped


class Models:
    """The models of a batch, each opened when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened = ExitStack()
        self._separators: dict[str, Separator] = {}
        self._transcriber: Transcriber | None = None

    def perform(self, source: Path, name: str, draft: Draft, excerpt: Excerpt = WHOLE) -> Done:
        """Do the task for an excerpt of a recording called NAME.

        Raises:
            UnbraidError: it cannot be done.
            OSError: the disk refuses.
        """
        if self._settings.task == "transcribe":
            return self._transcribe(source, draft.outputs, excerpt)
        return self._separate(source, name, draft, excerpt)

    def close(self) -> None:
        """Close the models."""
        self._opened.close()

    def _separate(self, source: Path, name: str, draft: Draft, excerpt: Excerpt) -> Done:
        listens = self._settings.listens
        separator = self._separator(content_of_file(source, excerpt).model if listens else self._settings.models[0])
        info = probe(source, excerpt)
        rate, channels = separator.output_rate(info.sample_rate), separator.output_channels(info.channels)
        signal = Signal.of(self._settings.format, info, rate, channels)
        with closing(separator.run(source, excerpt)) as run:
            stems = FloatStems.of(_only(self._settings.stems, run), signal, draft.work)
        samples = 0
        for number, stem in enumerate(stems.files):
            for block in stems.encode(stem, draft.outputs):  # (C, n)
                samples += block.shape[1] if number == 0 else 0
        if separator.follows_people and run.diagnostics.conversation is not None:
            _write_turns(run.diagnostics.conversation, name, draft.outputs)
        return Done(separator.spec, samples / rate, _notices(run.diagnostics), 20 * math.log10(stems.gain))

    def _transcribe(self, source: Path, outputs: Path, excerpt: Excerpt) -> Done:
        settings = self._settings
        if self._transcriber is None:
            transcriber = Transcriber(
                settings.models[0], device=settings.device, precision=settings.precision, threads=settings.threads
            )
            self._transcriber = self._opened.enter_context(closing(transcriber))
        heard = 0.0

        def progress(done_seconds: float, total_seconds: float | None) -> None:
            nonlocal heard
            heard = max(heard, done_seconds)

        run = self._transcriber.run(source, excerpt, progress=progress)
        lines = list(lines_of(run, limits=SHORT))
        for form in ("txt", "srt", "vtt", "json"):
            text = "".join(written(lines, form, run.diagnostics.model))
            (outputs / f"transcript.{form}").write_text(text, encoding="utf-8", newline="\n")
        return Done(self._transcriber.spec, heard, _notices(run.diagnostics))

    def _separator(self, model: str) -> Separator:
        if model not in self._separators:
            settings = self._settings
            separator = Separator(
                model,
                device=settings.device,
                precision=settings.precision,
                threads=settings.threads,
                options=settings.options,
            )
            self._separators[model] = self._opened.enter_context(closing(separator))
        return self._separators[model]


def _only(
    wanted: Sequence[str] | None, blocks: Iterable[Mapping[str, FloatArray]]
) -> Iterator[Mapping[str, FloatArray]]:
    """The stems that are wanted, or all, of blocks {stem: (C, n)}.

    Raises:
        AudioError: none of them is there, as where fewer people speak.
    """
    for block in blocks:
        chosen = {stem: samples for stem, samples in block.items() if wanted is None or stem in wanted}
        if wanted is not None and not chosen:
            raise AudioError(
                f"{', '.join(wanted)} was not found in the recording, only {', '.join(block)}; leave --stems out for "
                "all people, or say how many there are with --speakers."
            )
        yield chosen


def _notices(found: Diagnostics) -> tuple[str, ...]:
    return (*found.notices, *filter(None, [found.notice]))


def _write_turns(conversation: Conversation, name: str, folder: Path) -> None:
    recording = name.rpartition("/")[2]
    (folder / "speakers.rttm").write_text(to_rttm(conversation.segments, recording), encoding="utf-8")
    (folder / "speakers.json").write_text(to_json(conversation, recording), encoding="utf-8")
