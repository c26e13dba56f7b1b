"""One call for each task: separate, separate_speakers, enhance, transcribe, align.

Those that make speech or pronunciations of a text are in `speech_api`, with `convert`.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import cast

from unbraid.audio import (
    ArrayLike,
    Excerpt,
    Reader,
    ReadOptions,
    Source,
    TrackChoice,
    check_rate_given,
    is_array,
)
from unbraid.dsp.arrays import FloatArray
from unbraid.hub.defaults import DEFAULTS, MUSIC
from unbraid.runtime.executor import Precision
from unbraid.tasks.alignment.aligner import Aligner
from unbraid.tasks.alignment.models import model_for
from unbraid.tasks.alignment.result import Alignment
from unbraid.tasks.alignment.texts import read_text
from unbraid.tasks.conversation.conversation import Conversation
from unbraid.tasks.conversation.enrolment import enrolled_people
from unbraid.tasks.separation.content import content_of, content_of_file
from unbraid.tasks.separation.ensemble import open_separator
from unbraid.tasks.separation.options import Options, check_follows_people, check_stem
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.separation.stems import Stems, joined
from unbraid.tasks.transcription.channels import Channels
from unbraid.tasks.transcription.result import Transcript
from unbraid.tasks.transcription.transcriber import Transcriber


def separate(
    recording: Source | ArrayLike,
    model: str | Path | None = None,
    *,
    sample_rate: int | None = None,
    track: TrackChoice = 0,
    reading: ReadOptions = ReadOptions(),
    stems: Sequence[str] | None = None,
    speakers: int | tuple[int, int] | None = None,
    precision: Precision = "float32",
    device: str = "auto",
) -> Stems:
    """Separate a recording into stems: {stem: float32 (C, T)} at its own sample rate, channels and length.

    The result is a dictionary with a `sample_rate`, and saves and shows itself (see `Stems`).

    Without a `model`, what sounds like music is separated with `music-4`, and everything else with `speech`, as is
    any recording whose number of `speakers` is given. Stems of several models, "htdemucs,music-4", are averaged.

    `recording` is a path, a binary file object, or an array (C, T) with its `sample_rate` in Hz: of NumPy, a tensor on
    the CPU, or lists of numbers; integers are scaled by their type. `track` is the number of an audio track of the
    file, from 0, or "auto" for the first that is not silent; `reading` holds options for irregular or damaged files.
    A model that follows people returns a track for each whom it finds: speaker1, speaker2, …; `speakers` is their
    number, or the fewest and most (see `separate_speakers`). `stems` are those to return, all by default; `precision`
    "int8" is faster and slightly less accurate, for SepFormers.
    For many recordings make one `Separator`; for long ones use its `blocks`.

    Raises:
        AudioError: the recording cannot be read or separated as it is.
        ModelError: there is no such model, or its folder is damaged.
        UsageError: an array came without its sample rate, or a file with one; or the model cannot give so many voices,
            or has no such stem.
    """
    check_rate_given("separate", recording, sample_rate)
    options, excerpt = Options(speakers=speakers), Excerpt(track=track, reading=reading)
    heard, chosen = None, str(model or DEFAULTS["separation"])
    if model is None and speakers is None:
        heard = _audio(recording, sample_rate, excerpt)
        chosen = content_of(*heard).model
    wanted = [stems] if isinstance(stems, str) else stems
    options = replace(options, stems=tuple(wanted or ()))

    def opened(name: str | Path, options: Options) -> Separator:
        return Separator(name, device=device, precision=precision, options=options)

    with open_separator(chosen, opened, options) as separator:
        for stem in wanted or ():
            check_stem(stem, separator.stems(), separator.spec.name)
        found = separator(*(heard or _audio(recording, sample_rate, excerpt)))
    return found if wanted is None else found.chosen(wanted)


def separate_speakers(
    recording: Source | ArrayLike,
    model: str | Path = DEFAULTS["separation"],
    *,
    sample_rate: int | None = None,
    track: TrackChoice = 0,
    reading: ReadOptions = ReadOptions(),
    speakers: int | tuple[int, int] | None = None,
    enrol: Mapping[str, str | Path] | None = None,
    embedder: str | Path | None = None,
    precision: Precision = "float32",
    device: str = "auto",
) -> Conversation:
    """Separate a conversation into a track for each person, and tell who speaks when.

    Where somebody is active, the tracks add up to the recording; the rest, such as music between turns, is `residual`.
    `speakers` is the number of people, or the fewest and most. `enrol` gives people whose voices are in files their
    names; others are speaker1, speaker2, … in the order in which they begin to speak. `embedder` is the model of
    speaker embeddings by which they are told apart; `voice` if none is given. For `recording`, `track` and
    `reading` see `separate`. All tracks are in memory; for long recordings use `Separator.blocks`, whose run has the
    segments in `diagnostics.conversation`, or `Separator.converse` for the segments alone.

    Raises:
        AudioError: the recording cannot be read or separated as it is.
        ModelError: there is no such model, or its folder is damaged.
        UsageError: the model does not follow people, a file holds no voice of one person, or an array came without its
            sample rate, or a file with one.
    """
    check_rate_given("separate_speakers", recording, sample_rate)
    people = enrolled_people(enrol)
    by = None if embedder is None else str(embedder)
    options = Options(speakers=speakers, enrol=people, embedder=by, residual=True)
    with Separator(model, device=device, precision=precision, options=options) as separator:
        check_follows_people(separator.spec, separator.options)
        audio, rate = _audio(recording, sample_rate, Excerpt(track=track, reading=reading))
        run = separator.run_array(audio, rate)
        tracks = joined(list(run), rate)
    conversation = run.diagnostics.conversation
    assert conversation is not None
    return replace(conversation, residual=tracks.pop("residual"), tracks=tracks, sample_rate=rate)


def enhance(
    recording: Source | ArrayLike,
    model: str | Path = DEFAULTS["enhancement"],
    *,
    sample_rate: int | None = None,
    track: TrackChoice = 0,
    reading: ReadOptions = ReadOptions(),
    strength: float = 1.0,
    bypass: bool = True,
    device: str = "auto",
) -> FloatArray:
    """Remove noise from speech: float32 (C, T) at the recording's own sample rate, channels and length.

    `strength` is the share of the noise that is removed, 0 to 1; with `bypass`, speech that is clean passes as it is.
    For `recording`, `track` and `reading` see `separate`; for many recordings make one `Separator("denoise")`, which
    returns the noise as well.

    Raises:
        AudioError: the recording cannot be read or enhanced as it is.
        ModelError: there is no such model, or its folder is damaged.
        UsageError: the model has no stem "speech", or an array came without its sample rate, or a file with one.
    """
    check_rate_given("enhance", recording, sample_rate)
    with Separator(model, device=device, options=Options(strength=strength, bypass=bypass)) as separator:
        check_stem("speech", separator.stems(), separator.spec.name)
        return separator(*_audio(recording, sample_rate, Excerpt(track=track, reading=reading)))["speech"]


def transcribe(
    recording: Source | ArrayLike,
    model: str | Path = DEFAULTS["transcription"],
    *,
    sample_rate: int | None = None,
    track: TrackChoice = 0,
    reading: ReadOptions = ReadOptions(),
    channels: Channels = "mix",
    separate: bool | Options = False,
    device: str = "auto",
    precision: Precision = "float32",
) -> Transcript:
    """Transcribe speech: `.text`, and `.words` with their times and the model's confidence.

    For `recording`, `track` and `reading` see `separate`. `channels="apart"` transcribes each channel alone, as of a
    call with one party on each: every word then has its `voice`, "channel 1" or "channel 2". `separate=True`
    transcribes the people of a conversation, each alone and only where they speak: `voice` is then the person,
    "speaker1", and words come sentence by sentence; `Options(speakers=(2, 6), enrol=(("anna", "anna.wav"),))` says more
    about the people. "int8" is a `precision` for Whispers: faster and slightly less accurate. For many recordings make
    one `Transcriber`; for long ones use its `stream`.

    Raises:
        AudioError: the recording cannot be read, or the model knows digits alone and has heard none; a `Transcriber`
            with `force=True` gives them anyway.
        ModelError: there is no such model, or its folder is damaged.
        UsageError: the model writes no text; an array came without its sample rate, or a file with one; or people
            are both separated and on channels of their own.
    """
    check_rate_given("transcribe", recording, sample_rate)
    with ExitStack() as opened:
        transcriber, separator = opened.enter_context(Transcriber(model, device=device, precision=precision)), None
        if separate:
            options = separate if isinstance(separate, Options) else Options()
            separator = opened.enter_context(Separator(device=device, options=options))
        if is_array(recording):
            return transcriber(recording, sample_rate or 0, channels=channels, separator=separator)
        run = transcriber.run(recording, Excerpt(track=track, reading=reading), channels=channels, separator=separator)
        return Transcript.of(run, run.diagnostics)


def align(
    text: str | os.PathLike[str],
    recording: Source | ArrayLike,
    model: str | Path | None = None,
    *,
    sample_rate: int | None = None,
    track: TrackChoice = 0,
    reading: ReadOptions = ReadOptions(),
    vocals: bool | None = None,
    device: str = "auto",
) -> Alignment:
    """The times of the lines and words of a text that is known, in a recording of it (forced alignment).

    `text` is the text itself, or the path of a file: lyrics, LRC, SRT, WebVTT, ASS or a script; a string on one line
    that ends in .txt, .lrc, .srt, .vtt, .ass or .md is a path. Lines that nobody says are not found, and have no times.
    `model` is one with CTC, such as facebook/wav2vec2-base-960h; by default one on this machine that has the letters
    of the text; for digits `digits`. With `vocals`, the voice of a song is separated first; by default where the
    recording sounds like music. For `recording`, `track` and `reading` see `separate`; for many recordings make one
    `Aligner`.

    Raises:
        AudioError: the recording cannot be read, is silent or too short for the text, or no line is found in it.
        ModelError: there is no such model, or its folder is damaged.
        UsageError: the text is empty, or in another script than the model's; the model has no CTC; or an array came
            without its sample rate, or a file with one.
    """
    check_rate_given("align", recording, sample_rate)
    words, excerpt = read_text(text), Excerpt(track=track, reading=reading)
    with ExitStack() as opened:
        aligner = opened.enter_context(Aligner(model or model_for(words), device=device))
        heard = None if isinstance(recording, str | os.PathLike) else _audio(recording, sample_rate, excerpt)
        if vocals is None:
            content = content_of_file(cast(Source, recording), excerpt) if heard is None else content_of(*heard)
            vocals = content.kind == "music"
        separator = opened.enter_context(Separator(MUSIC, device=device)) if vocals else None
        if heard is not None:
            return aligner(words, *heard, separator=separator)
        return aligner.file(words, cast(Source, recording), excerpt, separator=separator)


def _audio(recording: Source | ArrayLike, sample_rate: int | None, excerpt: Excerpt) -> tuple[ArrayLike, int]:
    """An array and its sample rate, or those of a file that is read whole."""
    if is_array(recording):
        return recording, sample_rate or 0
    with Reader(recording, excerpt) as reader:
        return reader.read(), reader.info.sample_rate
