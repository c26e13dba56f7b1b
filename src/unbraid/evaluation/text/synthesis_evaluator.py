"""The evaluation of a text-to-speech model from the request to its outcome."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from unbraid.corpora.transcripts import find_utterances
from unbraid.errors import UsageError
from unbraid.evaluation.request import EvaluationRequest, name_of
from unbraid.evaluation.run import EvaluationReport, Running, peak_memory_bytes, report_of
from unbraid.evaluation.text import sphinx
from unbraid.evaluation.text import transcription_report as transcripts
from unbraid.evaluation.text.synthesis import SynthesisEvaluation, known_words, transcribable
from unbraid.evaluation.text.transcription import Transcribes
from unbraid.hub.spec import ModelSpec
from unbraid.runtime.executor import Precision
from unbraid.tasks.synthesis.synthesizer import Synthesizer
from unbraid.tasks.transcription.transcriber import Transcriber


class SynthesisEvaluator:
    """Texts that are synthesised, and transcribed by a recogniser."""

    noun = "texts"

    def __init__(self, spec: ModelSpec, request: EvaluationRequest, metrics: Sequence[str] | None) -> None:
        if metrics is not None:
            raise UsageError("What is said is scored by word and sentence error rate, always; leave --metrics out.")
        if request.recogniser is None:
            raise UsageError(
                f"{spec.name} speaks, so somebody has to listen: name a model, or pocketsphinx, by --recogniser."
            )
        self.skipped: list[str] = []
        self._spec, self._request, self._recogniser = spec, request, request.recogniser
        self._evaluation = SynthesisEvaluation()

    @contextmanager
    def running(self, model: str, device: str, precision: Precision) -> Iterator[Running]:
        """The evaluation with the models loaded, under way."""
        if precision != "float32":
            raise UsageError(f"{precision} is for SepFormers, and {self._spec.name} speaks: use float32.")
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
            yield Running(
                synthesizer.device, len(utterances), self._evaluation.synthesise(synthesizer, recogniser, utterances)
            )

    def report(self, device: str, precision: str) -> EvaluationReport:
        """The report, once the evaluation has run on a device."""
        spec, request, evaluation = self._spec, self._request, self._evaluation
        by = f", vocoder {request.vocoder}" if request.vocoder else ""
        name = f"{spec.name}{by}, heard by {self._recogniser},"
        setting = transcripts.TranscriptSetting(
            name, name_of(request.dataset), request.split, request.speakers, device, request.threads
        )
        found = transcripts.summarise_transcripts(evaluation, setting, peak_memory_bytes())
        models = {"model": spec.name, "vocoder": request.vocoder, "recogniser": self._recogniser}
        values, table = transcripts.transcripts_as_json(found) | models, transcripts.table(evaluation.results).csv()
        page = transcripts.page(evaluation, found, self.noun)
        return report_of(values, transcripts.lines(found), self.noun, table, page)


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
