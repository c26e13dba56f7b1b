"""The work of a job: a recording in, files in a folder out."""

from contextlib import closing
from pathlib import Path

from unbraid.audio import Excerpt, probe
from unbraid.corpora.rttm import to_rttm
from unbraid.hub.defaults import DEFAULTS
from unbraid.service.align_task import align
from unbraid.service.bench import Bench, notices_of
from unbraid.service.jobs import (
    AlignOptions,
    AnalyseOptions,
    DiarizeOptions,
    EnhanceOptions,
    Job,
    SeparateOptions,
    TranscribeOptions,
    options_of,
)
from unbraid.service.player import PlayerData, turns_of
from unbraid.service.song_task import analyse
from unbraid.service.stem_files import SEPARATED, write_stems
from unbraid.tasks.conversation.conversation import Conversation
from unbraid.tasks.conversation.formats import to_json
from unbraid.tasks.separation.content import content_of_file
from unbraid.tasks.separation.options import Options
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.separation.stem_files import Signal
from unbraid.tasks.transcription.subtitles import SENTENCES, SHORT, as_data, lines_of, written
from unbraid.tasks.transcription.transcriber import Transcriber


def perform(job: Job, bench: Bench) -> PlayerData:
    """Do a job: write its files into the folder, and return the data of its player.

    Raises:
        UnbraidError: it cannot be done.
        OSError: the disk refuses.
    """
    bench.progress.check_length(probe(bench.source).duration or 0.0)
    match options_of(job.kind, job.options):
        case SeparateOptions() as options:
            data = _separate(options, bench)
        case EnhanceOptions() as options:
            data = _enhance(options, bench)
        case TranscribeOptions() as options:
            data = _transcribe(options, bench)
        case AlignOptions() as options:
            data = align(options, bench)
        case AnalyseOptions() as options:
            data = analyse(options, bench)
        case DiarizeOptions() as options:
            data = _diarize(options, bench)
    data.write(bench.folder)
    return data


def _separate(options: SeparateOptions, bench: Bench) -> PlayerData:
    """Separate, with the model for what the recording sounds like, where none is named."""
    model, speakers = options.model, speakers_of(options.speakers)
    if model is None:
        model = DEFAULTS["separation"] if speakers else content_of_file(bench.source).model
    chosen = Options(speakers=speakers, residual=options.residual)
    with Separator(model, threads=bench.threads, options=chosen) as separator:
        data, conversation = _stems(separator, options.format, bench)
    if conversation is not None:
        _write_turns(conversation, bench.folder)
        data.turns = turns_of(conversation.segments)
    return data


def _enhance(options: EnhanceOptions, bench: Bench) -> PlayerData:
    with Separator(options.model, threads=bench.threads, options=Options(strength=options.strength)) as separator:
        return _stems(separator, options.format, bench)[0]


def _stems(separator: Separator, fmt: str, bench: Bench) -> tuple[PlayerData, Conversation | None]:
    """Stems and their player, and who speaks when, if the model follows people."""
    info = probe(bench.source)
    rate, channels = separator.output_rate(info.sample_rate), separator.output_channels(info.channels)
    signal = Signal.of(fmt, info, rate, channels)
    bench.progress.stage(0.0, SEPARATED)
    with closing(separator.run(bench.source, Excerpt(), bench.progress)) as run:
        tracks = write_stems(run, signal, bench.folder, bench.work, bench.progress)
    found = run.diagnostics
    return (
        PlayerData(separator.spec.name, bench.progress.audio_seconds, tracks, notices=notices_of(found)),
        found.conversation,
    )


def _transcribe(options: TranscribeOptions, bench: Bench) -> PlayerData:
    """Transcribe into text, subtitles and JSON."""
    bench.progress.stage(0.0, 0.95)
    transcriber, people = Transcriber(options.model, threads=bench.threads), None
    if options.separate:
        people = Separator(threads=bench.threads, options=Options(speakers=speakers_of(options.speakers)))
    try:
        run = transcriber.run(bench.source, separator=people, progress=bench.progress)
        words = list(run)
    finally:
        transcriber.close()
        if people is not None:
            people.close()
    lines = list(lines_of(words, limits=SHORT if people is None else SENTENCES))
    for form in ("txt", "srt", "vtt", "json"):
        text = "".join(written(lines, form, run.diagnostics.model))
        (bench.folder / f"transcript.{form}").write_text(text, encoding="utf-8", newline="\n")
    track, seconds = bench.previewed()
    turns = [] if run.diagnostics.conversation is None else turns_of(run.diagnostics.conversation.segments)
    told = [as_data(line) for line in lines]
    return PlayerData(run.diagnostics.model, seconds, [track], told, turns, notices_of(run.diagnostics))


def _diarize(options: DiarizeOptions, bench: Bench) -> PlayerData:
    bench.progress.stage(0.0, 0.95)
    chosen = Options(speakers=speakers_of(options.speakers))
    with Separator(options.model, threads=bench.threads, options=chosen) as separator:
        listening = separator.listen(bench.source, progress=bench.progress)
        (conversation,) = listening
    _write_turns(conversation, bench.folder)
    track, seconds = bench.previewed()
    turns = turns_of(conversation.segments)
    return PlayerData(separator.spec.name, seconds, [track], turns=turns, notices=notices_of(listening.diagnostics))


def _write_turns(conversation: Conversation, folder: Path) -> None:
    (folder / "speakers.rttm").write_text(to_rttm(conversation.segments, "recording"), encoding="utf-8")
    (folder / "speakers.json").write_text(to_json(conversation, "recording"), encoding="utf-8")


def speakers_of(text: str | None) -> int | tuple[int, int] | None:
    """The number of people of "3", or the fewest and most of "2-6"; the options' pattern lets nothing else through."""
    if text is None:
        return None
    fewest, _, most = text.partition("-")
    return (int(fewest), int(most)) if most else int(fewest)
