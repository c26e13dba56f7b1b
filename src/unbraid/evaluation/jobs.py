"""An evaluation from the request to what is told of it, whichever kind of model it is of: speech, music or text."""

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeVar

from unbraid.corpora.pronunciations import find_pronunciations
from unbraid.corpora.transcripts import find_utterances
from unbraid.errors import UsageError
from unbraid.evaluation import summary, tables
from unbraid.evaluation.audio.run import STOI, SoundEvaluation, is_vocoder, without_it
from unbraid.evaluation.audio.tables import SoundSetting, sounds_as_json, sounds_report_html, summarise_sounds
from unbraid.evaluation.audio.tables import csv_text as sounds_csv_text
from unbraid.evaluation.audio.tables import lines as sounds_lines
from unbraid.evaluation.measures import choose_measures
from unbraid.evaluation.music.report import songs_report_html
from unbraid.evaluation.music.run import MusicEvaluation, song_outcomes
from unbraid.evaluation.music.summary import MusicSetting, songs_as_json, summarise_songs
from unbraid.evaluation.music.tables import csv_text as songs_csv_text
from unbraid.evaluation.music.tables import lines as songs_lines
from unbraid.evaluation.outcome import Running, Told, report_files
from unbraid.evaluation.report import report_html
from unbraid.evaluation.request import Request, name_of
from unbraid.evaluation.run import Evaluation, Failure, outcomes, peak_memory_bytes
from unbraid.evaluation.text.run import WordEvaluation
from unbraid.evaluation.text.synthesis import hearable, known_words
from unbraid.evaluation.text.synthesis_run import SayingJob
from unbraid.evaluation.text.tables import WordSetting, summarise_words, words_as_json, words_report_html
from unbraid.evaluation.text.tables import csv_text as words_csv_text
from unbraid.evaluation.text.tables import lines as words_lines
from unbraid.evaluation.text.transcription import HeardEvaluation
from unbraid.evaluation.text.transcripts import HeardSetting, heard_as_json, heard_report_html, summarise_heard
from unbraid.evaluation.text.transcripts import csv_text as heard_csv_text
from unbraid.evaluation.text.transcripts import lines as heard_lines
from unbraid.hub.spec import ModelSpec
from unbraid.runtime.executor import Precision
from unbraid.tasks.audio_to_audio import AudioToAudio
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.synthesis.phonemizer import Phonemizer
from unbraid.tasks.transcription.transcriber import Transcriber

Outcome = TypeVar("Outcome", contravariant=True)
_MUSIC_METRICS = ("usdr", "museval")


class Job(Protocol):
    """An evaluation to do."""

    noun: str  # what is scored, many of them
    skipped: list[str]  # a sentence for each metric that is left out

    def running(self, model: str, device: str, precision: Precision) -> AbstractContextManager[Running]:
        """The model, loaded, and what it is scored on."""
        ...

    def told(self, device: str, precision: str) -> Told:
        """What came of it, on a device."""
        ...


def job_of(spec: ModelSpec, request: Request, metrics: Sequence[str] | None) -> Job:
    """The evaluation of a model.

    Raises:
        UsageError: the request is for another kind of model, or there is no such metric.
        RuntimeUnavailable: a metric that was asked for needs a package that is not installed.
    """
    request.check(spec)
    if spec.vocabularies and spec.vocabularies.source and spec.mel:
        return SayingJob(spec, request, metrics)
    if spec.vocabularies and not spec.vocabularies.source:
        return TranscriptsJob(spec, request, metrics)
    if spec.vocabularies:
        return WordsJob(spec, request, metrics)
    if spec.mel:
        return SoundsJob(spec, request, metrics)
    return MusicJob(spec, request, metrics) if spec.spectral else SpeechJob(spec, request, metrics)


class SpeechJob:
    """Mixtures of voices."""

    noun = "mixtures"

    def __init__(self, spec: ModelSpec, request: Request, metrics: Sequence[str] | None) -> None:
        self._spec, self._request = spec, request
        measures, self.skipped = choose_measures(metrics, spec.sample_rate)
        self._evaluation = Evaluation(measures)

    @contextmanager
    def running(self, model: str, device: str, precision: Precision) -> Iterator[Running]:
        with _separator(model, device, precision, self._request) as separator:
            mixtures, noise = self._request.mixtures(self._spec), self._request.added_noise(self._spec)
            found = outcomes(separator, mixtures, self._evaluation.measures, noise)
            yield Running(separator.device, len(mixtures), _added(self._evaluation, found))

    def told(self, device: str, precision: str) -> Told:
        setting = self._request.setting(self._spec, device, precision)
        found = summary.summarise(self._evaluation, setting, peak_memory_bytes())
        values = summary.as_json(found)
        table = tables.csv_text(self._evaluation.results, self._evaluation.measures)
        files = report_files(values, "mixtures.csv", table, report_html(self._evaluation, found))
        return Told(values, tables.lines(found), files)


class MusicJob:
    """Songs."""

    noun = "songs"

    def __init__(self, spec: ModelSpec, request: Request, metrics: Sequence[str] | None) -> None:
        if metrics is not None and (not metrics or set(metrics) - set(_MUSIC_METRICS)):
            wrong = next((name for name in metrics if name not in _MUSIC_METRICS), None)
            what = "No metric is named" if wrong is None else f"There is no metric {wrong!r} for music models"
            raise UsageError(f"{what}; choose among {', '.join(_MUSIC_METRICS)}.")
        self.skipped: list[str] = []
        self._spec, self._request = spec, request
        self._evaluation = MusicEvaluation("museval" in (metrics or ()))

    @contextmanager
    def running(self, model: str, device: str, precision: Precision) -> Iterator[Running]:
        with _separator(model, device, precision, self._request) as separator:
            songs = self._request.songs()
            found = song_outcomes(separator, songs, self._evaluation.with_bss)
            yield Running(separator.device, len(songs), _added(self._evaluation, found))

    def told(self, device: str, precision: str) -> Told:
        spec, request = self._spec, self._request
        setting = MusicSetting(
            spec.name, spec.stems, spec.sample_rate,
            name_of(request.dataset), request.split, request.wiener, precision, device, request.threads,
        )  # fmt: skip
        found = summarise_songs(self._evaluation, setting, peak_memory_bytes())
        values = songs_as_json(found)
        table = songs_csv_text(self._evaluation.results, self._evaluation.with_bss)
        files = report_files(values, "songs.csv", table, songs_report_html(self._evaluation, found))
        return Told(values, songs_lines(found), files)


class WordsJob:
    """Words of a dictionary."""

    noun = "words"

    def __init__(self, spec: ModelSpec, request: Request, metrics: Sequence[str] | None) -> None:
        if metrics is not None:
            raise UsageError("Words are scored by phoneme and word error rate, always; leave --metrics out.")
        self.skipped: list[str] = []
        self._spec, self._request, self._evaluation = spec, request, WordEvaluation()

    @contextmanager
    def running(self, model: str, device: str, precision: Precision) -> Iterator[Running]:
        if precision != "float32":
            raise UsageError(f"{precision} is for speech models, and {self._spec.name} is a text model: use float32.")
        entries = find_pronunciations(self._request.dataset, self._request.split)[: self._request.limit]
        with Phonemizer(model, device=device, threads=self._request.threads) as phonemizer:
            yield Running(phonemizer.device, len(entries), self._evaluation.run(phonemizer, entries))

    def told(self, device: str, precision: str) -> Told:
        request = self._request
        setting = WordSetting(self._spec.name, name_of(request.dataset), request.split, device, request.threads)
        found = summarise_words(self._evaluation, setting, peak_memory_bytes())
        values = words_as_json(found)
        table = words_csv_text(self._evaluation.results)
        return Told(
            values,
            words_lines(found),
            report_files(values, "words.csv", table, words_report_html(self._evaluation, found)),
        )


class TranscriptsJob:
    """Recordings whose words are known."""

    noun = "recordings"

    def __init__(self, spec: ModelSpec, request: Request, metrics: Sequence[str] | None) -> None:
        if metrics is not None:
            raise UsageError("Transcripts are scored by word and sentence error rate, always; leave --metrics out.")
        found = find_utterances(request.dataset, request.split, speakers=request.speakers)
        known = hearable(found, known_words(spec))
        where, left_out = f"{request.dataset}, split {request.split}", len(found) - len(known)
        if not known:
            raise UsageError(f"{where}: {spec.name} knows the words of no recording; choose others by --speakers.")
        told = f"{left_out} of {len(found)} recordings are left out: they have words that {spec.name} does not know"
        self.skipped = [told] if left_out else []
        self._utterances = known[: request.limit]
        self._spec, self._request, self._evaluation = spec, request, HeardEvaluation()

    @contextmanager
    def running(self, model: str, device: str, precision: Precision) -> Iterator[Running]:
        if precision != "float32":
            raise UsageError(f"{precision} is for speech models, and {self._spec.name} writes text: use float32.")
        request, utterances = self._request, self._utterances
        alone = math.inf  # however long a recording is, no other model takes this one's place
        with Transcriber(model, device=device, threads=request.threads, long_seconds=alone) as transcriber:
            yield Running(transcriber.device, len(utterances), self._evaluation.run(transcriber, utterances))

    def told(self, device: str, precision: str) -> Told:
        spec, request = self._spec, self._request
        dataset = name_of(request.dataset)
        setting = HeardSetting(spec.name, dataset, request.split, request.speakers, device, request.threads)
        found = summarise_heard(self._evaluation, setting, peak_memory_bytes())
        values, table = heard_as_json(found), heard_csv_text(self._evaluation.results)
        files = report_files(values, "recordings.csv", table, heard_report_html(self._evaluation, found))
        return Told(values, heard_lines(found), files)


class SoundsJob:
    """Recordings of a voice that become spectrograms, or waveforms again."""

    noun = "recordings"

    def __init__(self, spec: ModelSpec, request: Request, metrics: Sequence[str] | None) -> None:
        if metrics is not None:
            raise UsageError("Spectrograms and vocoders have measures of their own, always; leave --metrics out.")
        self._spec, self._request = spec, request
        self.skipped: list[str] = []
        stoi = None
        if is_vocoder(spec):
            if request.noise is not None:
                raise UsageError(f"{spec.name} is a vocoder, which takes no noise away; leave --noise and --snr out.")
            measures, skipped = choose_measures(None, spec.sample_rate)
            stoi = next((measure for measure in measures if measure.key == STOI), None)
            self.skipped = [sentence for sentence in skipped if sentence.startswith("STOI")]
        self._evaluation = SoundEvaluation(stoi)

    @contextmanager
    def running(self, model: str, device: str, precision: Precision) -> Iterator[Running]:
        if precision != "float32":
            raise UsageError(f"{precision} is for SepFormers, and {self._spec.name} is none: use float32.")
        mixtures, noise = self._request.mixtures(self._spec), self._request.added_noise(self._spec)
        with AudioToAudio(model, device=device, threads=self._request.threads) as converter:
            yield Running(converter.device, len(mixtures), self._evaluation.run(converter, mixtures, noise))

    def told(self, device: str, precision: str) -> Told:
        spec, request = self._spec, self._request
        setting = SoundSetting(
            spec.name, without_it(spec), name_of(request.dataset), request.split, request.noise_words(),
            precision, device, request.threads,
        )  # fmt: skip
        found = summarise_sounds(self._evaluation, setting, peak_memory_bytes())
        values, table = sounds_as_json(found), sounds_csv_text(self._evaluation.results)
        files = report_files(values, "recordings.csv", table, sounds_report_html(self._evaluation, found))
        return Told(values, sounds_lines(found), files)


def _separator(model: str, device: str, precision: Precision, request: Request) -> Separator:
    return Separator(model, device=device, precision=precision, threads=request.threads, wiener=request.wiener)


class _Takes(Protocol[Outcome]):
    """An evaluation that results are added to."""

    def add(self, outcome: Outcome | Failure) -> None:
        """Take the next one in."""
        ...


def _added(evaluation: _Takes[Outcome], found: Iterator[Outcome | Failure]) -> Iterator[Failure | None]:
    """Add each outcome as it comes, and tell of failures."""
    for outcome in found:
        evaluation.add(outcome)
        yield outcome if isinstance(outcome, Failure) else None
