"""The work of a job of kind analyse: a song in, its stems and everything that is found in them out."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from unbraid.audio import probe
from unbraid.dsp.arrays import FloatArray
from unbraid.files.printable import printable_page
from unbraid.hub.defaults import DEFAULTS
from unbraid.service.bench import Bench
from unbraid.service.jobs import AnalyseOptions
from unbraid.service.player import PlayerData
from unbraid.service.stem_files import SEPARATED, encode_stems
from unbraid.tasks.analysis.notes import Notes
from unbraid.tasks.analysis.singer_search import SingerSearch
from unbraid.tasks.analysis.song import Song
from unbraid.tasks.analysis.song_api import SongListening, open_transcriber, song_of_file
from unbraid.tasks.analysis.song_formats import song_files
from unbraid.tasks.conversation.embedder import SpeakerEmbedder
from unbraid.tasks.pages import Gathering, RunFacts, report_page
from unbraid.tasks.pages.gather import Gathered
from unbraid.tasks.pages.song_lanes import chord_hue, key_told
from unbraid.tasks.separation.separator import Separator
from unbraid.tasks.separation.stem_files import FloatStems, Signal, StemWriters


def analyse(options: AnalyseOptions, bench: Bench) -> PlayerData:
    """Analyse a song, and write the files of `unbraid analyse`.

    Raises:
        UnbraidError: it cannot be read or separated.
    """
    started = time.monotonic()
    song, stems, gathered = _analysed(options, bench)
    for name, content in song_files(song, bench.name).items():
        (bench.folder / name).write_bytes(content)
    facts = RunFacts(bench.name, song.separator, time.monotonic() - started, song=song, stems_kept=options.stems)
    (bench.folder / "index.html").write_text(printable_page(report_page(gathered, facts)), encoding="utf-8")
    tracks = encode_stems(stems, bench.folder, bench.progress)
    if not options.stems:
        for track in tracks:
            (bench.folder / stems.name(track.name)).unlink()
        tracks = [replace(track, file=None) for track in tracks]
    return PlayerData(song.separator, song.seconds, tracks, song=shown(song), notices=song.notices)


def _analysed(options: AnalyseOptions, bench: Bench) -> tuple[Song, FloatStems, Gathered]:
    """The song, its stems and the data of its page, in one pass."""
    with ExitStack() as opened:
        separator = opened.enter_context(Separator(options.model, threads=bench.threads))
        voice = opened.enter_context(SpeakerEmbedder(DEFAULTS["speaker embedding"], threads=bench.threads))
        transcriber = open_transcriber(threads=bench.threads)
        if transcriber is not None:
            opened.enter_context(transcriber)
        info = probe(bench.source)
        rate, channels = separator.output_rate(info.sample_rate), separator.output_channels(info.channels)
        gathering = Gathering(rate, channels)
        bench.progress.stage(0.0, SEPARATED)
        with ExitStack() as writing:
            writers = StemWriters(Signal.of(options.format, info, rate, channels), bench.work, writing)

            def take(block: Mapping[str, FloatArray]) -> None:
                writers(block)
                gathering.add(block)

            listening = SongListening(
                separator,
                SingerSearch(voice),
                transcriber,
                force=options.force,
                threads=bench.threads,
                progress=bench.progress,
                taker=take,
                tap=gathering.hear,
            )
            song = song_of_file(bench.source, listening)
    stems = writers.stems()
    return song, stems, gathering.finish(stems.gain)


def shown(song: Song) -> dict[str, Any]:
    """All of a song that the player shows: its key, chords and notes, and why something is missing."""
    voices = {"melody": song.melody.notes, **{f"notes of {stem}": notes for stem, notes in song.notes.items()}}
    reasons = {"key": song.key.reason, "chords": song.chords.reason, "melody": song.melody.reason}
    reasons |= {"singers": song.singers.reason, "drums": song.drums.reason}
    reasons |= {f"notes of {stem}": notes.reason for stem, notes in song.notes.items()}
    return {
        "key": key_told(song.key) if song.key.name else None,
        "chords": [
            {"start": c.start, "end": c.end, "name": c.short, "hue": chord_hue(c.name.partition(":")[0])}
            for c in song.chords
            if c.name != "N"
        ],
        "voices": [{"name": name, "notes": _notes(notes)} for name, notes in voices.items() if len(notes)],
        "missing": [{"part": part, "reason": reason} for part, reason in reasons.items() if reason],
    }


def _notes(notes: Notes) -> list[tuple[float, float, int]]:
    """(start, end, pitch) of each note."""
    return [(round(note.start, 3), round(note.end, 3), note.pitch) for note in notes]
