"""The model of `unbraid transcribe` where none is named, and what is said about it."""

from unbraid.cli.console import notice
from unbraid.cli.offers import offer
from unbraid.hub.defaults import DEFAULTS
from unbraid.runtime.executor import Precision
from unbraid.tasks.transcription.dictation import PUBLISHED, dictation_models
from unbraid.tasks.transcription.whisper.options import WhisperOptions

WHY = "The model in the package knows spoken digits only (-m digits takes it unasked). For speech, "


def chosen_model(whisper: WhisperOptions | None, precision: Precision, *, force: bool, yes: bool, silent: bool) -> str:
    """The best model on this machine for what is asked for; else one that is downloaded if somebody agrees, or digits.

    With `force`, which is about digits, it is always digits.

    Raises:
        ModelError: the download failed.
    """
    if force:
        return DEFAULTS["transcription"]
    language, translates = (whisper.language, whisper.task == "translate") if whisper else (None, False)
    prompted = whisper is not None or precision == "int8"
    models = dictation_models(language, prompted=prompted, translates=translates)
    if not models and offer([PUBLISHED], yes=yes, silent=silent, why=WHY):
        return PUBLISHED
    if not models:
        return DEFAULTS["transcription"]
    if not silent:
        best = "the only model here for it" if len(models) == 1 else f"the best of {len(models)} models here for it"
        notice(f"transcribed by {models[0]}, {best}; -m names another.")
    return models[0]
