"""An evaluation from the request to its report, for each kind of model."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import ClassVar

from unbraid.corpora.pronunciations import find_pronunciations
from unbraid.corpora.transcripts import find_utterances
from unbraid.errors import UsageError
from unbraid.evaluation.audio import report as sounds
from unbraid.evaluation.audio.run import STOI, SoundResult, is_vocoder, score_spectrogram, score_vocoder
from unbraid.evaluation.measures import Measure, check_metrics, choose_measures
from unbraid.evaluation.music import report as songs
from unbraid.evaluation.music.run import MusicEvaluation, separate_and_score_song
from unbraid.evaluation.report import Report, Setting
from unbraid.evaluation.request import EvaluationRequest
from unbraid.evaluation.run import Evaluation, Running, peak_memory_bytes
from unbraid.evaluation.speech import report as speech
from unbraid.evaluation.speech.run import SpeechEvaluation, separate_and_score
from unbraid.evaluation.text import pronunciation_report as words
from unbraid.evaluation.text import sphinx
from unbraid.evaluation.text import transcription_report as transcripts
from unbraid.evaluation.text.pronunciation import WordEvaluation
from unbraid.evaluation.text.synthesis import known_words, synthesise_and_score, transcribable
from unbraid.evaluation.text.transcription import Transcribes, TranscriptResult, transcribe_and_score
from unbraid.hub.spec import ModelSpec
from unbraid.runtime.executor import Precision
from unbraid.tasks.audio_to_audio import AudioToAudio
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.synthesis.phonemizer import Phonemizer
from unbraid.tasks.synthesis.synthesizer import Synthesizer
from unbraid.tasks.transcription.transcriber import Transcriber


class Evaluator(ABC):
    """An evaluation of one model.

    Raises:
        UsageError: a metric was asked for, and the scores are always the same.
    """

    noun: ClassVar[str]  # of the scored items, in the plural
    scored: ClassVar[str] = ""  # a sentence about how, where there is no choice
    float32: ClassVar[str] = ""  # a sentence about why there is no other precision

    def __init__(self, spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> None:
        if self.scored and metrics is not None:
            raise UsageError(f"{self.scored}, always; leave --metrics out.")
        self._spec, self._request = spec, request
        self.skipped: list[str] = []  # a sentence for each metric, or the items, that are left out

    def running(self, model: str, device: str, precision: Precision) -> AbstractContextManager[Running]:
        """The evaluation with the model loaded, under way.

        Raises:
            UsageError: the model has no such precision, or the dataset nothing for it.
        """
        if self.float32 and precision != "float32":
            raise UsageError(f"{precision} is {self.float32.format(self._spec.name)}: use float32.")
        return self._running(model, device, precision)

    def report(self, device: str, precision: str) -> Report:
        """The report, once the evaluation has run on a device."""
        return self._report(Setting(self._spec, self._request, device, precision, peak_memory_bytes()))

    @abstractmethod
    def _running(self, model: str, device: str, precision: Precision) -> AbstractContextManager[Running]: ...

    @abstractmethod
    def _report(self, setting: Setting) -> Report: ...


def evaluator_of(spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> Evaluator:
    """The evaluation of a model.

    Raises:
        UsageError: the request is for another kind of model, or there is no such metric.
        RuntimeUnavailable: a metric that was asked for needs a package that is not installed.
    """
    request.check(spec)
    separates = MusicEvaluator if spec.spectral else SpeechEvaluator
    return _BY_TASK.get(spec.task, separates)(spec, request, metrics)


class SpeechEvaluator(Evaluator):
    """Mixtures of voices."""

    noun = "mixtures"

    def __init__(self, spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> None:
        super().__init__(spec, request, metrics)
        measures, self.skipped = choose_measures(metrics, spec.sample_rate)
        self._evaluation = SpeechEvaluation(measures)

    @contextmanager
    def _running(self, model: str, device: str, precision: Precision) -> Iterator[Running]:
        with Separator(model, device=device, precision=precision, threads=self._request.threads) as separator:
            mixtures, noise = self._request.mixtures(self._spec), self._request.added_noise(self._spec)
            measures = self._evaluation.measures
            outcomes = self._evaluation.run(
                mixtures, lambda mixture: separate_and_score(separator, mixture, measures, noise)
            )
            yield Running(separator.device, len(mixtures), outcomes)

    def _report(self, setting: Setting) -> Report:
        return speech.report(self._evaluation, setting)


class MusicEvaluator(Evaluator):
    """Songs."""

    noun = "songs"

    def __init__(self, spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> None:
        super().__init__(spec, request, metrics)
        check_metrics(metrics, ("usdr", "museval"), " for music models")
        self._evaluation = MusicEvaluation("museval" in (metrics or ()))

    @contextmanager
    def _running(self, model: str, device: str, precision: Precision) -> Iterator[Running]:
        threads, wiener = self._request.threads, self._request.wiener
        with Separator(model, device=device, precision=precision, threads=threads, wiener=wiener) as separator:
            found, with_bss = self._request.songs(), self._evaluation.with_bss
            outcomes = self._evaluation.run(found, lambda song: separate_and_score_song(separator, song, with_bss))
            yield Running(separator.device, len(found), outcomes)

    def _report(self, setting: Setting) -> Report:
        return songs.report(self._evaluation, setting)


class WordsEvaluator(Evaluator):
    """Words of a dictionary."""

    noun = "words"
    scored = "Words are scored by phoneme and word error rate"
    float32 = "for speech models, and {} is a text model"

    def __init__(self, spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> None:
        super().__init__(spec, request, metrics)
        self._evaluation = WordEvaluation()

    @contextmanager
    def _running(self, model: str, device: str, precision: Precision) -> Iterator[Running]:
        entries = find_pronunciations(self._request.dataset, self._request.split)[: self._request.limit]
        with Phonemizer(model, device=device, threads=self._request.threads) as phonemizer:
            yield Running(phonemizer.device, len(entries), self._evaluation.pronounce(phonemizer, entries))

    def _report(self, setting: Setting) -> Report:
        return words.report(self._evaluation, setting)


class TranscriptsEvaluator(Evaluator):
    """Recordings whose words are known."""

    noun = "recordings"
    scored = "Transcripts are scored by word and sentence error rate"
    float32 = "for speech models, and {} writes text"

    def __init__(self, spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> None:
        super().__init__(spec, request, metrics)
        found = find_utterances(request.dataset, request.split, speakers=request.speakers)
        known = transcribable(found, known_words(spec))
        where, left_out = f"{request.dataset}, split {request.split}", len(found) - len(known)
        if not known:
            raise UsageError(f"{where}: {spec.name} knows the words of no recording; choose others by --speakers.")
        told = f"{left_out} of {len(found)} recordings are left out: they have words that {spec.name} does not know"
        self.skipped = [told] if left_out else []
        self._utterances, self._evaluation = known[: request.limit], Evaluation[TranscriptResult]()

    @contextmanager
    def _running(self, model: str, device: str, precision: Precision) -> Iterator[Running]:
        alone = math.inf  # however long a recording is, no other model takes this one's place
        with Transcriber(model, device=device, threads=self._request.threads, long_seconds=alone) as transcriber:
            outcomes = self._evaluation.run(self._utterances, partial(transcribe_and_score, transcriber))
            yield Running(transcriber.device, len(self._utterances), outcomes)

    def _report(self, setting: Setting) -> Report:
        return transcripts.report(self._evaluation, setting)


class SynthesisEvaluator(Evaluator):
    """Texts that are synthesised, and transcribed by a recogniser."""

    noun = "texts"
    scored = "What is said is scored by word and sentence error rate"
    float32 = "for SepFormers, and {} speaks"

    def __init__(self, spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> None:
        super().__init__(spec, request, metrics)
        if request.recogniser is None:
            raise UsageError(
                f"{spec.name} speaks, so somebody has to listen: name a model, or pocketsphinx, by --recogniser."
            )
        self._recogniser, self._evaluation = request.recogniser, Evaluation[TranscriptResult]()

    @contextmanager
    def _running(self, model: str, device: str, precision: Precision) -> Iterator[Running]:
        request = self._request
        with (
            Synthesizer(model, vocoder=request.vocoder, device=device, threads=request.threads) as synthesizer,
            _recogniser(self._recogniser, device, request.threads) as (recogniser, known),
        ):
            found = find_utterances(request.dataset, request.split, speakers=request.speakers)
            utterances = transcribable(found, known)[: request.limit]
            if not utterances:
                raise UsageError(
                    f"{request.dataset} has no text in its split {request.split} whose words {self._recogniser} knows."
                )
            outcomes = self._evaluation.run(utterances, partial(synthesise_and_score, synthesizer, recogniser))
            yield Running(synthesizer.device, len(utterances), outcomes)

    def _report(self, setting: Setting) -> Report:
        return transcripts.report(self._evaluation, setting)


class SoundsEvaluator(Evaluator):
    """Recordings of a voice that become spectrograms, or waveforms again."""

    noun = "recordings"
    scored = "Spectrograms and vocoders have measures of their own"
    float32 = "for SepFormers, and {} is none"

    def __init__(self, spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> None:
        super().__init__(spec, request, metrics)
        self._evaluation = Evaluation[SoundResult]()
        self._stoi: Measure | None = None
        if is_vocoder(spec):
            if request.noise is not None:
                raise UsageError(f"{spec.name} is a vocoder, which takes no noise away; leave --noise and --snr out.")
            measures, skipped = choose_measures(None, spec.sample_rate)
            self._stoi = next((measure for measure in measures if measure.key == STOI), None)
            self.skipped = [sentence for sentence in skipped if sentence.startswith("STOI")]

    @contextmanager
    def _running(self, model: str, device: str, precision: Precision) -> Iterator[Running]:
        mixtures, noise = self._request.mixtures(self._spec), self._request.added_noise(self._spec)
        with AudioToAudio(model, device=device, threads=self._request.threads) as converter:
            score = (
                partial(score_vocoder, converter, stoi=self._stoi)
                if is_vocoder(self._spec)
                else partial(score_spectrogram, converter, noise=noise)
            )
            outcomes = self._evaluation.run(mixtures, score)
            yield Running(converter.device, len(mixtures), outcomes)

    def _report(self, setting: Setting) -> Report:
        return sounds.report(self._evaluation, setting)


@contextmanager
def _recogniser(
    recogniser: str, device: str, threads: int | None
) -> Iterator[tuple[Transcribes, frozenset[str] | None]]:
    """The recogniser and the words that it knows; None: any."""
    if recogniser == sphinx.NAME:
        yield sphinx.Sphinx(), sphinx.WORDS
    else:
        with Transcriber(recogniser, device=device, threads=threads) as transcriber:
            yield transcriber, known_words(transcriber.spec)


_BY_TASK: dict[str, type[Evaluator]] = {
    "transcription": TranscriptsEvaluator,
    "phonemes": WordsEvaluator,
    "acoustic model": SynthesisEvaluator,
    "vocoder": SoundsEvaluator,
    "audio to audio": SoundsEvaluator,
}  # the others separate
