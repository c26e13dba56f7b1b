"""How Whisper decodes: language, task, and the limits at which a text is rejected."""

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from unbraid.errors import UsageError
from unbraid.files.ranges import Range, check_ranges
from unbraid.hub.tokens import Tokens

Job = Literal["transcribe", "translate"]


@dataclass(frozen=True)
class WhisperOptions:
    """How a Whisper decodes; the defaults are those of the paper (section 4.5) and of its authors' program.

    Raises:
        UsageError: a value is out of range.
    """

    language: str | None = None  # "de"; None: found in the first window that is not silent
    task: Job = "transcribe"  # or translate to English
    word_times: bool = False  # by cross-attention; else words share the time of their phrase by their letters
    prompt: str = ""  # a text as if spoken before: names and words to expect, spelling, style
    follow: bool = True  # each window is given the text before it
    vad: bool = True  # windows of steady sound, which is no speech, are skipped
    batch: Annotated[int, Range(1, 256)] = 1  # pieces at a time; above 1, none is given the text before it
    beams: Annotated[int, Range(1, 64)] = 5
    patience: Annotated[float, Range(0.1, 16)] = 1.0  # times as many ended texts as beams end a search
    length_penalty: Annotated[float, Range(0, 10)] | None = None  # α of Wu et al.; None: the mean per token
    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # the next one where a text is rejected
    samples: Annotated[int, Range(1, 64)] = 5  # texts sampled at a temperature above 0, of which the best counts
    most_compression: Annotated[float, Range(0, 1000)] = 2.4  # of a text by gzip: a larger ratio means a loop
    least_log_prob: Annotated[float, Range(-1000, 0)] = -1.0  # mean of a text's tokens
    no_speech: Annotated[float, Range(0, 1)] = 0.6  # probability above which an unlikely text is no speech

    def __post_init__(self) -> None:
        try:
            check_ranges(self)
        except ValueError as error:
            raise UsageError(f"Whisper's option {error}") from None
        if self.task not in get_args(Job):
            raise UsageError(f"The task is one of {', '.join(get_args(Job))}, not {self.task!r}.")
        if not self.temperatures or not all(0 <= value <= 10 for value in self.temperatures):
            raise UsageError(f"Temperatures are numbers from 0 to 10, one at least, not {self.temperatures}.")


def check_options(options: WhisperOptions, tokens: Tokens, name: str) -> None:
    """Compare options with the languages and tasks of a model.

    Raises:
        UsageError: the model lacks the language or the task.
    """
    known = tokens.languages or {"en": 0}
    if options.language is not None and options.language not in known:
        only = "English (en) only" if not tokens.languages else ", ".join(sorted(known))
        raise UsageError(f"{name} does not know the language {options.language!r}; it knows {only}.")
    if options.task == "translate" and not tokens.languages:
        raise UsageError(f"{name} knows English only, so it does not translate; choose a model without .en.")
