"""Aligner: the times of a text that is known, in a recording of any length.

    alignment = Aligner("facebook/wav2vec2-base-960h").file(text, "talk.wav")
    alignment.lines[0].start, alignment.words[0].confidence, alignment.to_srt()

Audio becomes log probabilities as for a transcript, window by window; of a song, those of its vocals, which a separator
gives. The text becomes symbols (`spelling.py`), and the likeliest path of its lines (`trellis.py`) times each of them.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from unbraid.audio import ArrayLike, Excerpt, Source, as_audio, checked_rate
from unbraid.dsp.arrays import Blocks
from unbraid.dsp.downmix import Downmix
from unbraid.dsp.rumble import without_rumble
from unbraid.errors import AudioError, UsageError, quoted
from unbraid.runtime import Engine
from unbraid.tasks.alignment.edges import Levels
from unbraid.tasks.alignment.result import Alignment
from unbraid.tasks.alignment.spelling import Script, known_symbols
from unbraid.tasks.alignment.texts import lines_in
from unbraid.tasks.alignment.timing import counted, note_lines, stretches, timed_lines
from unbraid.tasks.alignment.trellis import Steps, align_lines, least_steps
from unbraid.tasks.loading import LoadedModel
from unbraid.tasks.results import Diagnostics, Run
from unbraid.tasks.separation.options import check_stem
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.separation.stream import PassProgress, Progress, Track, resampled
from unbraid.tasks.transcription.recognizer import Recognizer, vocabulary_of
from unbraid.tasks.transcription.transcriber import open_recognizer
from unbraid.tasks.transcription.transcript import SPACE, holds_words

VOCALS = "vocals"  # the stem of a song that is heard
THRESHOLD, WORD_THRESHOLD = -3.0, -1.3  # of letters, and where each symbol is a word; see docs/alignment.md
GAP_LOSS = 0.5  # of a second between the symbols of a line: chosen on digits over music
MOST_LACKING = 0.5  # share of a text's letters that a vocabulary may lack


class Aligner(LoadedModel):
    """A loaded model; use it as often as you like. `close()`, or a `with` statement, frees its memory."""

    def __init__(
        self,
        model: str | Path | Recognizer,
        *,
        device: str = "auto",
        threads: int | None = None,
        threshold: float | None = None,
    ):
        """Load a model by name or folder: a Wav2Vec2, a HuBERT or an audio Transformer with CTC.

        A line whose symbols have a mean log probability below the `threshold`, relative to the likeliest text, is not
        found; by default that is -3, or -1.3 for a model whose symbols are words, such as `digits`. See
        `runtime.open_executor` for `device` and `threads`.

        Raises:
            ModelError: there is no such model, or its folder is damaged.
            RuntimeUnavailable: the device is not there.
            UsageError: the model is not a speech recogniser with CTC, or the threshold is not below 0.
        """
        if threshold is not None and not -1000 <= threshold < 0:
            raise UsageError(f"The threshold is a log probability from -1000 to below 0, not {threshold:g}.")
        self._recognizer = open_recognizer(model, Engine(device, threads=threads))
        super().__init__(self._recognizer.spec, self._recognizer)
        try:
            self._recognizer.log_probs_of(iter(()))  # refuses a model without CTC
        except UsageError:
            self.close()
            raise
        self._vocabulary = vocabulary_of(self.spec)
        self._space = self._vocabulary.encode(SPACE)[0] if SPACE in self._vocabulary.symbols else None
        self.threshold = threshold or (WORD_THRESHOLD if holds_words(self._vocabulary) else THRESHOLD)

    def __call__(
        self,
        text: str,
        audio: ArrayLike,
        sample_rate: int,
        *,
        separator: Separator | None = None,
        progress: Progress | None = None,
    ) -> Alignment:
        """Align a text with an array (C, T); of a song, with the stem `vocals` of a `separator`.

        Raises:
            AudioError: it is not an array of real numbers (C, T), is empty, or holds NaN or infinity; nothing is said
                in it, it is too short for the text, or no line of the text is found.
            UsageError: the text has no words, or is in another script than the model's; or the separator has no vocals.
        """
        track = Track.of(as_audio(audio), checked_rate(sample_rate))
        return self.of_track(text, track, separator=separator, progress=progress)

    def of_track(
        self, text: str, track: Track, *, separator: Separator | None = None, progress: Progress | None = None
    ) -> Alignment:
        """Align a text with audio that is read in blocks; raises what calling it with an array does."""
        diagnostics = Diagnostics(self.spec.name)
        (alignment,) = self._aligned(text, track, 0.0, (separator, progress), diagnostics)
        return dataclasses.replace(alignment, notice=diagnostics.notice)

    def file(
        self,
        text: str,
        source: Source,
        excerpt: Excerpt = Excerpt(),
        *,
        separator: Separator | None = None,
        progress: Progress | None = None,
    ) -> Alignment:
        """Align a text with an excerpt of a file, which is read in constant memory; times are the file's.

        Raises:
            AudioError, UsageError: as calling it with an array; or the file cannot be read.
        """
        diagnostics = Diagnostics(self.spec.name)
        chain = (separator, progress)
        run = Run.over_file(
            source, excerpt, lambda t: self._aligned(text, t, excerpt.start, chain, diagnostics), diagnostics
        )
        (alignment,) = run
        return dataclasses.replace(alignment, notice=diagnostics.notice, notices=diagnostics.notices)

    def _aligned(
        self,
        text: str,
        track: Track,
        start: float,
        chain: tuple[Separator | None, Progress | None],
        diagnostics: Diagnostics,
    ) -> Iterator[Alignment]:
        """The only result: the alignment of a text with a track that begins `start` seconds into its file."""
        separator, progress = chain
        if separator is not None:
            check_stem(VOCALS, separator.stems(), separator.spec.name)
        script = self._script(text, diagnostics)
        step = self._recognizer.step_seconds
        steps = Steps(script.symbols, self._space, GAP_LOSS * step)
        levels = Levels(self.spec.sample_rate)
        audio = levels.over(self._voice(track, separator, progress, diagnostics))
        for log_probs in self._recognizer.log_probs_of(audio):
            steps.add(log_probs)
        self._check_steps(steps, script, step)
        spans, stars = align_lines(steps, script.symbols, -self.threshold)
        if not any(spans):
            raise AudioError(
                f"No line of the text was found: the text or its language is another, or the voice is not clear "
                f"enough for {self.spec.name}. Of a song, the vocals are heard best alone: use --vocals (vocals=True)."
            )
        timed = timed_lines(script, spans, step, levels, starts=holds_words(self._vocabulary))
        lines = tuple(line.after(start) for line in timed)
        extra = stretches(np.intersect1d(stars, np.flatnonzero(steps.heard)), step, start)
        note_lines(lines, extra, diagnostics)
        yield Alignment(lines, self.spec.name, start + levels.seconds, extra)

    def _voice(
        self, track: Track, separator: Separator | None, progress: Progress | None, diagnostics: Diagnostics
    ) -> Blocks:
        """The audio that is heard, in blocks (1, n) at the model's rate: all channels of a track, or of its vocals."""
        if separator is None:
            heard = PassProgress(progress, 1, track).reported(track.blocks())
        else:
            heard = (stems[VOCALS] for stems in separator.separated(track, progress, diagnostics))
        clean = without_rumble(Downmix(track.sample_rate).blocks(heard), track.sample_rate)
        return resampled(clean, track.sample_rate, self.spec.sample_rate)

    def _script(self, text: str, diagnostics: Diagnostics) -> Script:
        """A text in the symbols of the model; notes single words that it cannot write.

        Raises:
            UsageError: the text has no words, or most are of other letters than the model's.
        """
        script = Script.of(lines_in(text), self._vocabulary)
        strange = script.strange
        if not script.fits(MOST_LACKING):
            example = f", such as {quoted(strange[0].text)}" if strange else ""
            raise UsageError(
                f"{self.spec.name} does not write most of this text{example}; its symbols are "
                f"{known_symbols(self._vocabulary)}. Choose a model of the text's language with -m."
            )
        if strange:
            diagnostics.note(
                f"{self.spec.name} lacks letters of {counted(len(strange), 'word')}, such as "
                f"{quoted(strange[0].text)}; their other letters time them, or the words around them"
            )
        return script

    def _check_steps(self, steps: Steps, script: Script, step: float) -> None:
        """Refuse a recording that no text could be found in.

        Raises:
            AudioError: nothing is said in it, or it is too short.
        """
        if not steps.heard.any():
            raise AudioError("Nothing is said in it: it is silent or has no voice, so that no line can be found.")
        if (least := least_steps(script.symbols)) > len(steps):
            raise AudioError(
                f"The recording lasts {len(steps) * step:.1f} s, and the text takes at least {least * step:.1f} s; "
                "give the text of this part alone, or the whole recording."
            )
