"""The model that aligns a text where none is named: one on this machine that has its letters."""

from collections.abc import Iterator

from unbraid.errors import ModelNotFound
from unbraid.hub.defaults import DEFAULTS
from unbraid.hub.names import entries, resolve
from unbraid.hub.spec import ModelSpec, read_spec
from unbraid.hub.vocabulary import Vocabulary
from unbraid.models.audio_transformer.config import AudioTransformerConfig
from unbraid.models.wav2vec2.config import Wav2Vec2Config
from unbraid.tasks.alignment.spelling import Script
from unbraid.tasks.alignment.texts import lines_in

PUBLISHED = "facebook/wav2vec2-base-960h"
_MOST_LACKING = 0.1  # share of a text's letters that its model may lack


def model_for(text: str) -> str:
    """The name of the first model on this machine that has the letters of a text; of digits `digits`.

    Raises:
        ModelNotFound: there is none; the message says which could be pulled.
        UsageError: the text has no lines.
    """
    lines = lines_in(text)
    for spec in (read_spec(resolve(DEFAULTS["transcription"])), *_others()):
        assert spec.vocabularies is not None
        if Script.of(lines, Vocabulary(spec.vocabularies.target)).fits(_MOST_LACKING):
            return spec.name
    raise ModelNotFound(
        "No model on this machine has the letters of this text. Get one for English with `unbraid models pull "
        f"{PUBLISHED}`, or import a Wav2Vec2 of its language with `unbraid models import`, and name it with -m."
    )


def has_ctc(spec: ModelSpec) -> bool:
    """Whether a recogniser tells by CTC when each symbol is said."""
    sizes = spec.geometry
    return isinstance(sizes, Wav2Vec2Config) or (isinstance(sizes, AudioTransformerConfig) and sizes.ctc)


def aligns(spec: ModelSpec) -> bool:
    """Whether a model aligns texts: a recogniser of speech with CTC."""
    return spec.task == "transcription" and has_ctc(spec) and spec.vocabularies is not None


def _others() -> Iterator[ModelSpec]:
    """Recognisers with CTC on this machine, besides the default one."""
    for entry in entries():
        if entry.folder is None or entry.writes != "text" or entry.name == DEFAULTS["transcription"]:
            continue
        if aligns(spec := read_spec(entry.folder)):
            yield spec
