r"""A song as texts: JSON, JAMS, tables, and labels for Audacity.

song.json     all of it but the frames of the melody, each part with its model and stem
song.jams     the same for researchers (Humphrey et al., "JAMS: a JSON annotated music specification for reproducible
              MIR research", ISMIR 2014, schema 0.3)
labels        1.250000\t3.000000\tAm                     (File, Import, Labels)
"""

import json
from collections.abc import Iterable, Mapping, Sequence

from unbraid import __version__
from unbraid.files.printable import printable
from unbraid.tasks.alignment.formats import as_json as line_json
from unbraid.tasks.alignment.lines import AlignedLine
from unbraid.tasks.analysis.formats import csv_text
from unbraid.tasks.analysis.midi import midi_file
from unbraid.tasks.analysis.notes import PROGRAMS, Note, as_json
from unbraid.tasks.analysis.singers import passage_json
from unbraid.tasks.analysis.song import Song

JAMS_VERSION = "0.3.5"


def song_json(song: Song, recording: str) -> str:
    """The facts of a song, then a list each of chords, sung passages and notes."""
    key, chords, melody = song.key, song.chords, song.melody
    made = {"separator": song.separator, "seconds": round(song.seconds, 3)}
    lists: dict[str, Sequence[object]] = {
        "chords": [chord_json(chord.start, chord.end, chord.name, chord.confidence) for chord in chords],
        "sung": [{"start": round(start, 3), "end": round(end, 3)} for start, end in song.sung],
        "singers": list(map(passage_json, song.singers.passages)),
        "lyrics": list(map(line_json, song.lyrics.lines)),
        "melody_notes": list(map(as_json, melody.notes)),
        **{f"notes_{stem}": list(map(as_json, notes)) for stem, notes in song.notes.items()},
        "drums": list(map(as_json, song.drums)),
    }
    facts = {
        "recording": recording,
        **made,
        "unbraid": __version__,
        "key": {"name": key.name, "fit": key.fit, "second": key.second, "tuning_cents": key.tuning_cents},
        "made_by": {
            "key": _origin(key.model, key.stem, key.reason),
            "chords": _origin(chords.model, chords.stem, chords.reason),
            "melody": _origin(melody.model, melody.stem, melody.reason),
            "singers": _origin(song.singers.model, song.singers.stem, song.singers.reason),
            "lyrics": _origin(song.lyrics.model, song.lyrics.stem, song.lyrics.reason),
            **{f"notes_{stem}": _origin(notes.model, notes.stem, notes.reason) for stem, notes in song.notes.items()},
            "drums": _origin(song.drums.model, song.drums.stem, song.drums.reason),
        },
    }
    head = json.dumps(facts, ensure_ascii=False, indent=1)[:-2]
    parts = (f' "{name}": [\n{_rows(rows)}\n ]' for name, rows in lists.items())
    return head + ",\n" + ",\n".join(parts) + "\n}\n"


def chord_json(start: float, end: float, name: str, confidence: float) -> dict[str, object]:
    """A chord as a JSON object."""
    return {"start": round(start, 3), "end": round(end, 3), "name": name, "confidence": confidence}


def _origin(model: str | None, stem: str | None, reason: str | None) -> dict[str, object]:
    return {"model": model, "stem": stem, "reason": reason}


def _rows(rows: Iterable[object]) -> str:
    return ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in rows)


def jams(song: Song, recording: str) -> str:
    """A JAMS document with annotations of the namespaces key_mode, chord, lyrics, pitch_contour and note_midi."""
    key, chords, melody = song.key, song.chords, song.melody
    annotations = []
    if key.name is not None:
        tonic, mode = key.name.split()
        named = [_observed(0.0, song.seconds, f"{tonic}:{mode}", key.fit)]
        annotations.append(_annotation("key_mode", named, song, f"{key.model} of {key.stem}"))
    if len(chords):
        spans = [_observed(c.start, c.end - c.start, c.name, c.confidence) for c in chords]
        annotations.append(_annotation("chord", spans, song, f"{chords.model} of {chords.stem}"))
    if sung := [line for line in song.lyrics.lines if line.found]:
        lines = [_observed(*_span(line), line.text, round(line.confidence, 4)) for line in sung]
        annotations.append(_annotation("lyrics", lines, song, f"{song.lyrics.model} of {song.lyrics.stem}"))
    if len(melody):
        frames = {
            "time": [round(time, 4) for time in melody.times.tolist()],
            "duration": [0.0] * len(melody),
            "value": [{"index": 0, "frequency": round(hz, 3), "voiced": hz > 0} for hz in melody.hz.tolist()],
            "confidence": [round(confidence, 4) for confidence in melody.confidence.tolist()],
        }
        annotations.append(_annotation("pitch_contour", frames, song, f"{melody.model} of {melody.stem}"))
    for notes in song.notes.values():
        if len(notes):
            played = [_observed(n.start, n.end - n.start, n.pitch, round(n.amplitude, 4)) for n in notes]
            annotations.append(_annotation("note_midi", played, song, f"{notes.model} of {notes.stem}"))
    meta = {"title": recording, "artist": "", "release": "", "duration": max(song.seconds, 0.0), "identifiers": {}}
    document = {"annotations": annotations, "file_metadata": {**meta, "jams_version": JAMS_VERSION}, "sandbox": {}}
    return json.dumps(document, ensure_ascii=False) + "\n"


def _span(line: AlignedLine) -> tuple[float, float]:
    """The start and the length of a line that was found."""
    start, end = line.words[0].start, line.words[-1].end
    return start, end - start


def _observed(time: float, duration: float, value: object, confidence: float | None = None) -> dict[str, object]:
    return {"time": round(time, 4), "duration": round(duration, 4), "value": value, "confidence": confidence}


def _annotation(
    namespace: str, data: Sequence[object] | Mapping[str, object], song: Song, tools: str
) -> dict[str, object]:
    meta = {
        "curator": {"name": "", "email": ""},
        "annotator": {},
        "version": "",
        "corpus": "",
        "annotation_tools": f"unbraid {__version__}, {tools}, separated by {song.separator}",
        "annotation_rules": "",
        "validation": "",
        "data_source": "program",
    }
    span = {"time": 0.0, "duration": round(song.seconds, 4)}
    return {"namespace": namespace, "data": data, "annotation_metadata": meta, "sandbox": {}, **span}


def chords_csv(song: Song) -> str:
    """A row for each chord: start and end in seconds, name, confidence."""
    rows = ((f"{c.start:.3f}", f"{c.end:.3f}", c.name, c.confidence) for c in song.chords)
    return csv_text(("start", "end", "chord", "confidence"), rows)


def chord_labels(song: Song) -> str:
    """The chords as labels for Audacity, as musicians write them."""
    return labels((chord.start, chord.end, chord.short) for chord in song.chords)


def sung_labels(song: Song) -> str:
    """The sung passages as labels for Audacity."""
    return labels((start, end, "voice") for start, end in song.sung)


def labels(rows: Iterable[tuple[float, float, str]]) -> str:
    """Labels for Audacity, one on each line."""
    return "".join(f"{start:.6f}\t{end:.6f}\t{printable(name)}\n" for start, end, name in rows)


def all_notes_midi(song: Song) -> bytes:
    """A MIDI file with the melody, the notes of each stem and the drums as tracks of their own."""
    parts: dict[str, tuple[Note, ...]] = {"melody": song.melody.notes.notes}
    parts |= {stem: notes.notes for stem, notes in song.notes.items()} | {"drums": song.drums.notes}
    played = {name: notes for name, notes in parts.items() if notes}
    return midi_file(played, {name: PROGRAMS.get(name, 0) for name in played})


def song_files(song: Song, recording: str) -> dict[str, bytes]:
    """The files of an analysis by their names; those of parts that were not found are left out."""
    texts = {"song.json": song_json(song, recording), "song.jams": jams(song, recording)}
    if len(song.chords):
        texts |= {"chords.csv": chords_csv(song), "chords.txt": chord_labels(song)}
    if song.sung:
        texts["sung.txt"] = sung_labels(song)
    if len(song.singers):
        texts |= {"singers.csv": song.singers.to_csv(), "singers.txt": song.singers.to_labels()}
    if any(line.found for line in song.lyrics.lines):
        texts["lyrics.lrc"] = song.lyrics.to_lrc()
    if len(song.melody):
        texts |= {"melody.csv": song.melody.to_csv(), "melody.svl": song.melody.to_svl()}
    files = {name: text.encode() for name, text in texts.items()}
    if len(song.melody):
        files["melody.mid"] = song.melody.to_midi()
    if len(song.melody.notes) or len(song.drums) or any(map(len, song.notes.values())):
        files["notes.mid"] = all_notes_midi(song)
    return files
