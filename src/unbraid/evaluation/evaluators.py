"""An evaluation from the request to its report, for each kind of model."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial

from unbraid.corpora.conversations import Conversation, find_conversations
from unbraid.corpora.pairs import find_pairs, is_pairs
from unbraid.corpora.pronunciations import find_pronunciations
from unbraid.corpora.transcripts import find_utterances
from unbraid.errors import UsageError
from unbraid.evaluation.audio import report as sounds
from unbraid.evaluation.audio.run import STOI, SoundResult, is_vocoder, score_spectrogram, score_vocoder
from unbraid.evaluation.conversation import report as conversations
from unbraid.evaluation.conversation import segments
from unbraid.evaluation.conversation.run import ConversationResult
from unbraid.evaluation.conversation.run import separate_and_score as separate_and_score_conversation
from unbraid.evaluation.conversation.transcripts import check_texts
from unbraid.evaluation.conversation.transcripts import transcribe_and_score as transcribe_conversation
from unbraid.evaluation.measures import check_metrics, choose_measures
from unbraid.evaluation.music import report as songs
from unbraid.evaluation.music.run import MusicEvaluation, separate_and_score_song
from unbraid.evaluation.pairs import report as pairs
from unbraid.evaluation.pairs.run import PairResult, measure_of, score_pair
from unbraid.evaluation.report import Report, Setting
from unbraid.evaluation.request import EvaluationRequest
from unbraid.evaluation.run import Evaluation, Running
from unbraid.evaluation.speakers import report as voices
from unbraid.evaluation.speakers.trials import Speaker, SpeakerEvaluation, embed_speaker
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
from unbraid.tasks.any_to_any import AnyToAny
from unbraid.tasks.audio_to_audio import AudioToAudio
from unbraid.tasks.conversation.embedder import SpeakerEmbedder
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.synthesis.phonemizer import Phonemizer
from unbraid.tasks.synthesis.synthesizer import Synthesizer
from unbraid.tasks.transcription.transcriber import Transcriber


@dataclass(frozen=True)
class Evaluator:
    """An evaluation of one model."""

    noun: str  # of the scored items, in the plural
    running: Callable[[str, str, Precision], AbstractContextManager[Running]]  # with a model, on a device
    report: Callable[[str, str], Report]  # once it has run on a device, in a precision
    skipped: Sequence[str] = ()  # a sentence for each metric, or the items, that are left out


def evaluator_of(spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> Evaluator:
    """The evaluation of a model.

    Raises:
        UsageError: the request is for another kind of model, or there is no such metric.
        RuntimeUnavailable: a metric that was asked for needs a package that is not installed.
    """
    request.check(spec)
    if is_pairs(request.dataset):
        return _pairs(spec, request, metrics)
    if request.conversations:
        return _conversations(spec, request, metrics)
    by_task = {
        "transcription": _transcripts,
        "phonemes": _words,
        "acoustic model": _synthesis,
        "vocoder": _sounds,
        "audio to audio": _sounds,
        "speaker embedding": _speakers,
    }
    return by_task.get(spec.task, _music if spec.separates_songs else _speech)(spec, request, metrics)


def _speech(spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> Evaluator:
    """Mixtures of voices."""
    measures, skipped = choose_measures(metrics, spec.sample_rate)
    evaluation = SpeechEvaluation(measures)

    @contextmanager
    def running(model: str, device: str, precision: Precision) -> Iterator[Running]:
        options = Options(tracks=False)  # all outputs, whoever speaks on them
        threads = request.threads
        with Separator(model, device=device, precision=precision, threads=threads, options=options) as separator:
            mixtures, noise = request.mixtures(spec), request.added_noise(spec)
            outcomes = evaluation.run(mixtures, lambda mixture: separate_and_score(separator, mixture, measures, noise))
            yield Running(separator.device, len(mixtures), outcomes)

    return Evaluator("mixtures", running, _reported(partial(speech.report, evaluation), spec, request), skipped)


def _conversations(spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> Evaluator:
    """Conversations, of which each person gets a track."""
    _refuse_metrics(metrics, "Conversations have measures of their own")
    evaluation, found = Evaluation[ConversationResult](), find_conversations(request.dataset, request.split)
    found, recogniser = found[: request.limit], request.recogniser
    if recogniser is not None:
        check_texts(found, request.dataset)

    @contextmanager
    def running(model: str, device: str, precision: Precision) -> Iterator[Running]:
        options, threads = Options(embedder=request.embedder), request.threads
        with ExitStack() as opened:
            separator = opened.enter_context(
                Separator(model, device=device, precision=precision, threads=threads, options=options)
            )
            transcriber = None
            if recogniser is not None:
                alone = Transcriber(recogniser, device=device, threads=threads, long_seconds=math.inf)
                transcriber = opened.enter_context(alone)

            def scored(conversation: Conversation) -> ConversationResult:
                result = separate_and_score_conversation(separator, conversation)
                if transcriber is None or conversation.texts is None:
                    return result
                return replace(result, words=transcribe_conversation(transcriber, separator, conversation))

            yield Running(separator.device, len(found), evaluation.run(found, scored))

    skipped = [] if segments.has_diarization_metrics() else [f"{segments.MISSING} They are left out."]
    return Evaluator(
        "conversations", running, _reported(partial(conversations.report, evaluation), spec, request), skipped
    )


def _music(spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> Evaluator:
    """Songs."""
    check_metrics(metrics, ("usdr", "museval"), " for music models")
    evaluation = MusicEvaluation("museval" in (metrics or ()))

    @contextmanager
    def running(model: str, device: str, precision: Precision) -> Iterator[Running]:
        threads, wiener = request.threads, request.wiener
        with Separator(model, device=device, precision=precision, threads=threads, wiener=wiener) as separator:
            found = request.songs()
            outcomes = evaluation.run(found, lambda song: separate_and_score_song(separator, song, evaluation.with_bss))
            yield Running(separator.device, len(found), outcomes)

    return Evaluator("songs", running, _reported(partial(songs.report, evaluation), spec, request))


def _words(spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> Evaluator:
    """Words of a dictionary."""
    _refuse_metrics(metrics, "Words are scored by phoneme and word error rate")
    evaluation = WordEvaluation()

    @contextmanager
    def running(model: str, device: str, precision: Precision) -> Iterator[Running]:
        _refuse_int8(precision, f"for speech models, and {spec.name} is a text model")
        entries = find_pronunciations(request.dataset, request.split)[: request.limit]
        with Phonemizer(model, device=device, threads=request.threads) as phonemizer:
            yield Running(phonemizer.device, len(entries), evaluation.pronounce(phonemizer, entries))

    return Evaluator("words", running, _reported(partial(words.report, evaluation), spec, request))


def _transcripts(spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> Evaluator:
    """Recordings whose words are known."""
    _refuse_metrics(metrics, "Transcripts are scored by word and sentence error rate")
    evaluation = Evaluation[TranscriptResult]()
    found = find_utterances(request.dataset, request.split, speakers=request.speakers)
    known = transcribable(found, known_words(spec))
    where, left_out = f"{request.dataset}, split {request.split}", len(found) - len(known)
    if not known:
        raise UsageError(f"{where}: {spec.name} knows the words of no recording; choose others by --speakers.")
    told = f"{left_out} of {len(found)} recordings are left out: they have words that {spec.name} does not know"
    utterances = known[: request.limit]

    @contextmanager
    def running(model: str, device: str, precision: Precision) -> Iterator[Running]:
        _refuse_int8("float32" if spec.geometry.has_int8 else precision, "for SepFormers and Whispers")
        load = partial(Transcriber, device=device, precision=precision, threads=request.threads, force=True)
        with load(model, long_seconds=math.inf) as transcriber:  # however long it is, no other model takes its place
            outcomes = evaluation.run(utterances, partial(transcribe_and_score, transcriber))
            yield Running(transcriber.device, len(utterances), outcomes)

    report = _reported(partial(transcripts.report, evaluation), spec, request)
    return Evaluator("recordings", running, report, [told] if left_out else [])


def _synthesis(spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> Evaluator:
    """Texts that are synthesised, and transcribed by a recogniser."""
    _refuse_metrics(metrics, "What is said is scored by word and sentence error rate")
    evaluation, listener = Evaluation[TranscriptResult](), request.recogniser
    if listener is None:
        raise UsageError(
            f"{spec.name} speaks, so somebody has to listen: name a model, or pocketsphinx, by --recogniser."
        )

    @contextmanager
    def running(model: str, device: str, precision: Precision) -> Iterator[Running]:
        _refuse_int8(precision, f"for SepFormers, and {spec.name} speaks")
        with (
            Synthesizer(model, vocoder=request.vocoder, device=device, threads=request.threads) as synthesizer,
            _recogniser(listener, device, request.threads) as (recogniser, known),
        ):
            found = find_utterances(request.dataset, request.split, speakers=request.speakers)
            utterances = transcribable(found, known)[: request.limit]
            if not utterances:
                raise UsageError(
                    f"{request.dataset} has no text in its split {request.split} whose words {listener} knows."
                )
            outcomes = evaluation.run(utterances, partial(synthesise_and_score, synthesizer, recogniser))
            yield Running(synthesizer.device, len(utterances), outcomes)

    return Evaluator("texts", running, _reported(partial(transcripts.report, evaluation), spec, request))


def _sounds(spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> Evaluator:
    """Recordings of a voice that become spectrograms, or waveforms again."""
    _refuse_metrics(metrics, "Spectrograms and vocoders have measures of their own")
    if is_vocoder(spec) and request.noise is not None:
        raise UsageError(f"{spec.name} is a vocoder, which takes no noise away; leave --noise and --snr out.")
    evaluation = Evaluation[SoundResult]()
    measures, skipped = choose_measures(None, spec.sample_rate) if is_vocoder(spec) else ((), [])
    stoi = next((measure for measure in measures if measure.key == STOI), None)

    @contextmanager
    def running(model: str, device: str, precision: Precision) -> Iterator[Running]:
        _refuse_int8(precision, f"for SepFormers, and {spec.name} is none")
        mixtures, noise = request.mixtures(spec), request.added_noise(spec)
        with AudioToAudio(model, device=device, threads=request.threads) as converter:
            score = (
                partial(score_vocoder, converter, stoi=stoi)
                if is_vocoder(spec)
                else partial(score_spectrogram, converter, noise=noise)
            )
            yield Running(converter.device, len(mixtures), evaluation.run(mixtures, score))

    report = _reported(partial(sounds.report, evaluation), spec, request)
    return Evaluator("recordings", running, report, [told for told in skipped if told.startswith("STOI")])


def _pairs(spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> Evaluator:
    """One's own pairs of text, spectrogram and waveform, for any audio Transformer."""
    _refuse_metrics(metrics, f"Pairs are scored by {measure_of(spec)}")
    evaluation = Evaluation[PairResult]()

    @contextmanager
    def running(model: str, device: str, precision: Precision) -> Iterator[Running]:
        _refuse_int8(precision, f"for SepFormers, and {spec.name} is none")
        found = find_pairs(request.dataset, request.split)[: request.limit]
        with AnyToAny(model, device=device, threads=request.threads) as loaded:
            yield Running(loaded.device, len(found), evaluation.run(found, partial(score_pair, loaded)))

    return Evaluator("pairs", running, _reported(partial(pairs.report, evaluation), spec, request))


def _speakers(spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> Evaluator:
    """Pairs of pieces of speech."""
    _refuse_metrics(metrics, "Speaker embeddings are scored by EER and minDCF")
    evaluation = SpeakerEvaluation()

    @contextmanager
    def running(model: str, device: str, precision: Precision) -> Iterator[Running]:
        _refuse_int8(precision, f"for SepFormers, and {spec.name} is none")
        speakers = [Speaker(name, tuple(clips)) for name, clips in request.voices_of(spec).items()]
        with SpeakerEmbedder(model, device=device, threads=request.threads) as embedder:
            yield Running(embedder.device, len(speakers), evaluation.run(speakers, partial(embed_speaker, embedder)))

    return Evaluator("speakers", running, _reported(partial(voices.report, evaluation), spec, request))


def _reported(
    report: Callable[[Setting], Report], spec: ModelSpec, request: EvaluationRequest
) -> Callable[[str, str], Report]:
    """The report of a model on a device, in a precision."""
    return lambda device, precision: report(Setting(spec, request, device, precision))


def _refuse_metrics(metrics: Sequence[str] | None, why: str) -> None:
    if metrics is not None:
        raise UsageError(f"{why}, always; leave --metrics out.")


def _refuse_int8(precision: Precision, why: str) -> None:
    if precision != "float32":
        raise UsageError(f"{precision} is {why}: use float32.")


@contextmanager
def _recogniser(
    recogniser: str, device: str, threads: int | None
) -> Iterator[tuple[Transcribes, frozenset[str] | None]]:
    """The recogniser and the words that it knows; None: any."""
    if recogniser == sphinx.NAME:
        yield sphinx.Sphinx(), sphinx.WORDS
    else:
        with Transcriber(recogniser, device=device, threads=threads, force=True) as transcriber:
            yield transcriber, known_words(transcriber.spec)
