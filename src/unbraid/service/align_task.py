"""The work of a job of kind align: a text and a recording of it in, lyrics and subtitles out."""

from contextlib import ExitStack

from unbraid.hub.defaults import MUSIC
from unbraid.service.bench import Bench
from unbraid.service.jobs import AlignOptions
from unbraid.service.player import PlayerData
from unbraid.tasks.alignment.aligner import Aligner
from unbraid.tasks.alignment.formats import FORMATS, WORDS, as_json, written
from unbraid.tasks.alignment.models import model_for
from unbraid.tasks.separation.content import content_of_file
from unbraid.tasks.separation.separator import Separator

SONG = f"it sounds like a song: its vocals were separated with {MUSIC}, and only they were heard"


def align(options: AlignOptions, bench: Bench) -> PlayerData:
    """Align a text, and write the result in every format.

    Raises:
        UnbraidError: no line is found, or no model on this machine has the letters of the text.
    """
    text = bench.text.read_text(encoding="utf-8")
    is_song = options.vocals is None and content_of_file(bench.source).kind == "music"
    bench.progress.stage(0.0, 0.95)
    with ExitStack() as opened:
        model = options.model or model_for(text)
        aligner = opened.enter_context(Aligner(model, threads=bench.threads, threshold=options.threshold))
        separator = None
        if options.vocals or is_song:
            separator = opened.enter_context(Separator(MUSIC, threads=bench.threads))
        alignment = aligner.file(text, bench.source, separator=separator, progress=bench.progress)
    about = (alignment.model, alignment.seconds, alignment.not_in_text)
    for form, extension in FORMATS.items():
        content = written(alignment.lines, form, about, words=options.words and form in WORDS)
        (bench.folder / f"aligned.{extension}").write_text(content, encoding="utf-8", newline="\n")
    track, seconds = bench.previewed()
    notices = (*alignment.notices, *filter(None, [alignment.notice]), *([SONG] if is_song else []))
    return PlayerData(alignment.model, seconds, [track], list(map(as_json, alignment.lines)), notices=notices)
