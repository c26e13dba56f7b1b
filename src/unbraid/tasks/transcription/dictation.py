"""The model that transcribes speech where none is named: the best one on this machine for the language.

Larger Whispers come first. One for English alone is taken where English is asked for, or where there is no other; so
are the published Wav2Vec2s, HuBERTs and SpeechT5s, which write English without punctuation. Models of one's own are
taken by name only: their language is unknown.
"""

from unbraid.hub.catalogue import catalogue
from unbraid.hub.names import ListedModel, entries
from unbraid.hub.spec import ModelSpec, read_spec

PUBLISHED = "openai/whisper-base"  # to pull where there is none
ENGLISH = "en"


def dictation_models(language: str | None = None, *, prompted: bool = False, translates: bool = False) -> list[str]:
    """Names of the models here that write speech in a language (None: whatever is spoken), the best one first.

    `prompted`: Whispers alone, which take a task, a prompt and int8; with `translates` those of many languages.
    """
    here = [(entry, read_spec(entry.folder)) for entry in entries() if entry.folder and entry.writes == "text"]
    fitting = [
        (entry, spec)
        for entry, spec in here
        if spec.task == "transcription" and _knows(spec, language, prompted=prompted, translates=translates)
    ]
    return [entry.name for entry, _ in sorted(fitting, key=lambda pair: _rank(pair[0], pair[1], language))]


def _knows(spec: ModelSpec, language: str | None, *, prompted: bool, translates: bool) -> bool:
    """Whether a recogniser writes a language, or one that is not told."""
    if spec.tokens and spec.tokens.languages:
        return language is None or language in spec.tokens.languages
    if translates or (prompted and not spec.tokens):
        return False
    return language in (None, ENGLISH) and (spec.tokens is not None or spec.name in catalogue().published)


def _rank(entry: ListedModel, spec: ModelSpec, language: str | None) -> tuple[bool, bool, int]:
    """Where a model comes: Whispers, of them those of many languages, unless English is asked for; then by size."""
    english_alone = not (spec.tokens and spec.tokens.languages)
    return spec.tokens is None, english_alone and language is None, -entry.bytes
