"""An evaluation from the request to its outcome, for each kind of model."""

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from unbraid.corpora.pronunciations import find_pronunciations
from unbraid.corpora.transcripts import find_utterances
from unbraid.errors import UsageError
from unbraid.evaluation.audio import report as sounds
from unbraid.evaluation.audio.run import STOI, SoundEvaluation, baseline, is_vocoder
from unbraid.evaluation.measures import choose_measures
from unbraid.evaluation.music import report as songs
from unbraid.evaluation.music.run import MusicEvaluation
from unbraid.evaluation.request import EvaluationRequest, name_of
from unbraid.evaluation.run import EvaluationReport, Running, peak_memory_bytes, report_of
from unbraid.evaluation.speech import report as speech
from unbraid.evaluation.speech.run import SpeechEvaluation
from unbraid.evaluation.text import pronunciation_report as words
from unbraid.evaluation.text import transcription_report as transcripts
from unbraid.evaluation.text.pronunciation import WordEvaluation
from unbraid.evaluation.text.synthesis import known_words, transcribable
from unbraid.evaluation.text.synthesis_evaluator import SynthesisEvaluator
from unbraid.evaluation.text.transcription import TranscriptEvaluation
from unbraid.hub.spec import ModelSpec
from unbraid.runtime.executor import Precision
from unbraid.tasks.audio_to_audio import AudioToAudio
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.synthesis.phonemizer import Phonemizer
from unbraid.tasks.transcription.transcriber import Transcriber

_MUSIC_METRICS = ("usdr", "museval")


class Evaluator(Protocol):
    """An evaluation of one model."""

    noun: str  # of the scored items, in the plural
    skipped: list[str]  # a sentence for each metric that is left out

    def running(self, model: str, device: str, precision: Precision) -> AbstractContextManager[Running]:
        """The evaluation with the model loaded, under way."""
        ...

    def report(self, device: str, precision: str) -> EvaluationReport:
        """The report, once the evaluation has run on a device."""
        ...


def evaluator_of(spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> Evaluator:
    """The evaluation of a model.

    Raises:
        UsageError: the request is for another kind of model, or there is no such metric.
        RuntimeUnavailable: a metric that was asked for needs a package that is not installed.
    """
    request.check(spec)
    if spec.vocabularies and spec.vocabularies.source and spec.mel:
        return SynthesisEvaluator(spec, request, metrics)
    if spec.vocabularies and not spec.vocabularies.source:
        return TranscriptsEvaluator(spec, request, metrics)
    if spec.vocabularies:
        return WordsEvaluator(spec, request, metrics)
    if spec.mel:
        return SoundsEvaluator(spec, request, metrics)
    return MusicEvaluator(spec, request, metrics) if spec.spectral else SpeechEvaluator(spec, request, metrics)


class SpeechEvaluator:
    """Mixtures of voices."""

    noun = "mixtures"

    def __init__(self, spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> None:
        self._spec, self._request = spec, request
        measures, self.skipped = choose_measures(metrics, spec.sample_rate)
        self._evaluation = SpeechEvaluation(measures)

    @contextmanager
    def running(self, model: str, device: str, precision: Precision) -> Iterator[Running]:
        """The evaluation with the model loaded, under way."""
        with _separator(model, device, precision, self._request) as separator:
            mixtures, noise = self._request.mixtures(self._spec), self._request.added_noise(self._spec)
            yield Running(separator.device, len(mixtures), self._evaluation.run(separator, mixtures, noise))

    def report(self, device: str, precision: str) -> EvaluationReport:
        """The report, once the evaluation has run on a device."""
        spec, request, evaluation = self._spec, self._request, self._evaluation
        wanted = request.wanted(spec)
        setting = speech.SpeechSetting(
            spec.name, wanted.sources, spec.sample_rate, name_of(request.dataset), request.split,
            wanted.condition, wanted.mode, request.noise_words(), precision, device, request.threads,
        )  # fmt: skip
        found = speech.summarise(evaluation, setting, peak_memory_bytes())
        table = speech.table(evaluation.results, evaluation.measures).csv()
        return report_of(speech.as_json(found), speech.lines(found), self.noun, table, speech.page(evaluation, found))


class MusicEvaluator:
    """Songs."""

    noun = "songs"

    def __init__(self, spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> None:
        if metrics is not None and (not metrics or set(metrics) - set(_MUSIC_METRICS)):
            wrong = next((name for name in metrics if name not in _MUSIC_METRICS), None)
            what = "No metric is named" if wrong is None else f"There is no metric {wrong!r} for music models"
            raise UsageError(f"{what}; choose among {', '.join(_MUSIC_METRICS)}.")
        self.skipped: list[str] = []
        self._spec, self._request = spec, request
        self._evaluation = MusicEvaluation("museval" in (metrics or ()))

    @contextmanager
    def running(self, model: str, device: str, precision: Precision) -> Iterator[Running]:
        """The evaluation with the model loaded, under way."""
        with _separator(model, device, precision, self._request) as separator:
            found = self._request.songs()
            yield Running(separator.device, len(found), self._evaluation.run(separator, found))

    def report(self, device: str, precision: str) -> EvaluationReport:
        """The report, once the evaluation has run on a device."""
        spec, request, evaluation = self._spec, self._request, self._evaluation
        setting = songs.MusicSetting(
            spec.name, spec.stems, spec.sample_rate,
            name_of(request.dataset), request.split, request.wiener, precision, device, request.threads,
        )  # fmt: skip
        found = songs.summarise_songs(evaluation, setting, peak_memory_bytes())
        table = songs.table(evaluation.results, evaluation.with_bss).csv()
        return report_of(
            songs.songs_as_json(found), songs.lines(found), self.noun, table, songs.page(evaluation, found)
        )


class WordsEvaluator:
    """Words of a dictionary."""

    noun = "words"

    def __init__(self, spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> None:
        if metrics is not None:
            raise UsageError("Words are scored by phoneme and word error rate, always; leave --metrics out.")
        self.skipped: list[str] = []
        self._spec, self._request, self._evaluation = spec, request, WordEvaluation()

    @contextmanager
    def running(self, model: str, device: str, precision: Precision) -> Iterator[Running]:
        """The evaluation with the model loaded, under way."""
        if precision != "float32":
            raise UsageError(f"{precision} is for speech models, and {self._spec.name} is a text model: use float32.")
        entries = find_pronunciations(self._request.dataset, self._request.split)[: self._request.limit]
        with Phonemizer(model, device=device, threads=self._request.threads) as phonemizer:
            yield Running(phonemizer.device, len(entries), self._evaluation.run(phonemizer, entries))

    def report(self, device: str, precision: str) -> EvaluationReport:
        """The report, once the evaluation has run on a device."""
        request, evaluation = self._request, self._evaluation
        setting = words.WordSetting(self._spec.name, name_of(request.dataset), request.split, device, request.threads)
        found = words.summarise_words(evaluation, setting, peak_memory_bytes())
        table = words.table(evaluation.results).csv()
        return report_of(
            words.words_as_json(found), words.lines(found), self.noun, table, words.page(evaluation, found)
        )


class TranscriptsEvaluator:
    """Recordings whose words are known."""

    noun = "recordings"

    def __init__(self, spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> None:
        if metrics is not None:
            raise UsageError("Transcripts are scored by word and sentence error rate, always; leave --metrics out.")
        found = find_utterances(request.dataset, request.split, speakers=request.speakers)
        known = transcribable(found, known_words(spec))
        where, left_out = f"{request.dataset}, split {request.split}", len(found) - len(known)
        if not known:
            raise UsageError(f"{where}: {spec.name} knows the words of no recording; choose others by --speakers.")
        told = f"{left_out} of {len(found)} recordings are left out: they have words that {spec.name} does not know"
        self.skipped = [told] if left_out else []
        self._utterances = known[: request.limit]
        self._spec, self._request, self._evaluation = spec, request, TranscriptEvaluation()

    @contextmanager
    def running(self, model: str, device: str, precision: Precision) -> Iterator[Running]:
        """The evaluation with the model loaded, under way."""
        if precision != "float32":
            raise UsageError(f"{precision} is for speech models, and {self._spec.name} writes text: use float32.")
        request, utterances = self._request, self._utterances
        alone = math.inf  # however long a recording is, no other model takes this one's place
        with Transcriber(model, device=device, threads=request.threads, long_seconds=alone) as transcriber:
            yield Running(transcriber.device, len(utterances), self._evaluation.run(transcriber, utterances))

    def report(self, device: str, precision: str) -> EvaluationReport:
        """The report, once the evaluation has run on a device."""
        spec, request, evaluation = self._spec, self._request, self._evaluation
        setting = transcripts.TranscriptSetting(
            spec.name, name_of(request.dataset), request.split, request.speakers, device, request.threads
        )
        found = transcripts.summarise_transcripts(evaluation, setting, peak_memory_bytes())
        values, table = transcripts.transcripts_as_json(found), transcripts.table(evaluation.results).csv()
        return report_of(values, transcripts.lines(found), self.noun, table, transcripts.page(evaluation, found))


class SoundsEvaluator:
    """Recordings of a voice that become spectrograms, or waveforms again."""

    noun = "recordings"

    def __init__(self, spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> None:
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
        """The evaluation with the model loaded, under way."""
        if precision != "float32":
            raise UsageError(f"{precision} is for SepFormers, and {self._spec.name} is none: use float32.")
        mixtures, noise = self._request.mixtures(self._spec), self._request.added_noise(self._spec)
        with AudioToAudio(model, device=device, threads=self._request.threads) as converter:
            yield Running(converter.device, len(mixtures), self._evaluation.run(converter, mixtures, noise))

    def report(self, device: str, precision: str) -> EvaluationReport:
        """The report, once the evaluation has run on a device."""
        spec, request, evaluation = self._spec, self._request, self._evaluation
        setting = sounds.SoundSetting(
            spec.name, name_of(request.dataset), request.split, request.noise_words(), baseline(spec),
            precision, device, request.threads,
        )  # fmt: skip
        found = sounds.summarise_sounds(evaluation, setting, peak_memory_bytes())
        values, table = sounds.sounds_as_json(found), sounds.table(evaluation.results).csv()
        return report_of(values, sounds.lines(found), self.noun, table, sounds.page(evaluation, found))


def _separator(model: str, device: str, precision: Precision, request: EvaluationRequest) -> Separator:
    return Separator(model, device=device, precision=precision, threads=request.threads, wiener=request.wiener)
