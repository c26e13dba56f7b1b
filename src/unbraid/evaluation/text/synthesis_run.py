"""The evaluation of a model that speaks, from the request to what is told of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from unbraid.corpora.transcripts import find_utterances
from unbraid.errors import UsageError
from unbraid.evaluation.outcome import Running, Told, report_files
from unbraid.evaluation.request import Request, name_of
from unbraid.evaluation.run import peak_memory_bytes
from unbraid.evaluation.text import sphinx
from unbraid.evaluation.text.synthesis import SaidEvaluation, hearable, known_words
from unbraid.evaluation.text.transcription import Transcribes
from unbraid.evaluation.text.transcripts import (
    HeardSetting,
    csv_text,
    heard_as_json,
    heard_report_html,
    lines,
    summarise_heard,
)
from unbraid.hub.spec import ModelSpec
from unbraid.runtime.executor import Precision
from unbraid.tasks.synthesis.synthesizer import Synthesizer
from unbraid.tasks.transcription.transcriber import Transcriber


class SayingJob:
    """Texts that are said, and heard by a recogniser."""

    noun = "texts"

    def __init__(self, spec: ModelSpec, request: Request, metrics: Sequence[str] | None) -> None:
        if metrics is not None:
            raise UsageError("What is said is scored by word and sentence error rate, always; leave --metrics out.")
        if request.recogniser is None:
            raise UsageError(
                f"{spec.name} speaks, so somebody has to listen: name a model, or pocketsphinx, by --recogniser."
            )
        self.skipped: list[str] = []
        self._spec, self._request, self._recogniser = spec, request, request.recogniser
        self._evaluation = SaidEvaluation()

    @contextmanager
    def running(self, model: str, device: str, precision: Precision) -> Iterator[Running]:
        if precision != "float32":
            raise UsageError(f"{precision} is for SepFormers, and {self._spec.name} speaks: use float32.")
        request = self._request
        with (
            Synthesizer(model, vocoder=request.vocoder, device=device, threads=request.threads) as synthesizer,
            _listening(self._recogniser, device, request.threads) as (listener, known),
        ):
            found = find_utterances(request.dataset, request.split, speakers=request.speakers)
            utterances = hearable(found, known)[: request.limit]
            if not utterances:
                raise UsageError(
                    f"{request.dataset} has no text in its split {request.split} whose words {self._recogniser} knows."
                )
            yield Running(synthesizer.device, len(utterances), self._evaluation.say(synthesizer, listener, utterances))

    def told(self, device: str, precision: str) -> Told:
        spec, request = self._spec, self._request
        by = f", vocoder {request.vocoder}" if request.vocoder else ""
        name = f"{spec.name}{by}, heard by {self._recogniser},"
        setting = HeardSetting(name, name_of(request.dataset), request.split, request.speakers, device, request.threads)
        found = summarise_heard(self._evaluation, setting, peak_memory_bytes())
        values = heard_as_json(found) | {
            "model": spec.name, "vocoder": request.vocoder, "recogniser": self._recogniser,
        }  # fmt: skip
        table = csv_text(self._evaluation.results)
        page = heard_report_html(self._evaluation, found, self.noun)
        return Told(values, lines(found), report_files(values, f"{self.noun}.csv", table, page))


@contextmanager
def _listening(
    recogniser: str, device: str, threads: int | None
) -> Iterator[tuple[Transcribes, frozenset[str] | None]]:
    """Whoever listens, and the words that are known there; None: any."""
    if recogniser == sphinx.NAME:
        yield sphinx.Sphinx(), sphinx.WORDS
    else:
        with Transcriber(recogniser, device=device, threads=threads) as transcriber:
            yield transcriber, known_words(transcriber.spec)
