"""Songs in which known voices sing known words: utterances on the melodies of MIDI files, over rendered instruments.

    python bench/sung.py speech8k --split test --songs 24 --midi MIDI --soundfont FILE.sf2 --out songs
    python bench/sung.py speech16k --texts --split test --songs 6 …  # speakers of test-other, with their words

    songs/song-SEED-NUMBER/vocals.flac, accompaniment.flac, song.json    who sings which utterance when
    songs/voices/SPEAKER/sung.flac, spoken.flac                          for enrolment: utterances that no song has

WORLD sings an utterance as it is, with longer vowels, on the pitches that the melody has at that time, and pauses
between two utterances. Formants stay, so that a voice is the same in all of its songs. Each second song has two voices,
which take turns of two utterances.
"""

import argparse
import csv
import json
import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from unbraid import audio
from unbraid.corpora.rendering import Material, Rendering, find_stock
from unbraid.corpora.rendering.draw import draw_plan, play_through
from unbraid.corpora.rendering.effects import in_hall, placed
from unbraid.corpora.rendering.melody import Tone, into_range, made_up, melodic_channels, one_line, together
from unbraid.corpora.rendering.midi import notes_of
from unbraid.corpora.rendering.plan import Plan, SingerPlan
from unbraid.corpora.rendering.singing import FRAME_SECONDS, Voice, analysed, analysis_rate, sing
from unbraid.corpora.rendering.song import balanced, mixed
from unbraid.corpora.rendering.synth import RATE

PAUSE_SECONDS = 0.5  # between utterances
TURN = 2  # utterances, before the other voice sings
LEAST_SECONDS, LEAST_FILES = 20.0, 4  # of a speaker
ENROLMENT_SECONDS = 12.0
TEXTS = {"dev": "librispeech_train_clean_100", "test": "librispeech_test_other"}  # parts of transcripts.csv
FLAC = audio.choose_format("flac", subtype="16")


@dataclass(frozen=True)
class Utterance:
    """A recording of one speaker."""

    path: Path
    speaker: str
    seconds: float
    text: str


def speakers_in(folder: Path, split: str, *, texts: bool) -> dict[str, list[Utterance]]:
    """The utterances of each speaker who has enough of them."""
    table, column, wanted = ("manifest.csv", "split", split)
    if texts:
        table, column, wanted = ("transcripts.csv", "source", TEXTS[split])
    found: dict[str, list[Utterance]] = defaultdict(list)
    with (folder / table).open(encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            if row[column] == wanted and float(row["seconds"]) <= 15:
                found[row["speaker"]].append(
                    Utterance(folder / row["path"], row["speaker"], float(row["seconds"]), row["text"])
                )
    enough = 0 if texts else LEAST_FILES
    return {
        speaker: own
        for speaker, own in sorted(found.items())
        if len(own) >= enough and (texts or sum(u.seconds for u in own) >= LEAST_SECONDS)
    }


def voice_of(utterance: Utterance) -> Voice:
    """A voice taken apart."""
    sound, rate = audio.read(utterance.path)
    own = analysis_rate(rate)
    mono = audio.resample(sound[:1], rate, own)[0]
    return analysed(mono / max(1e-4, float(np.sqrt(np.mean(mono**2)))), own)


def sung(utterance: Utterance, melody: Sequence[Tone], start: float, singer: SingerPlan, seed: int) -> np.ndarray:
    """An utterance (T,) at `RATE` on the pitches that a melody has from `start` on."""
    voice, random = voice_of(utterance), np.random.default_rng(seed)
    frames = np.where(voice.f0 > 0, singer.stretch, 1.0).sum()
    seconds = float(frames) * FRAME_SECONDS
    if not voice.pitch_hz or seconds < 0.5:
        return np.zeros(0, np.float32)
    later = [t for t in into_range(melody, 1.4 * voice.pitch_hz) if t.end > start]
    line = [Tone(t.start - start, t.end - start, t.pitch) for t in later if t.start - start < seconds]
    line = line or [Tone(0.0, seconds, later[0].pitch if later else 60.0)]
    held = [Tone(max(0.0, a.start), b.start, a.pitch) for a, b in pairwise(line) if b.start > 0]
    whole = [*held, Tone(max(0.0, line[-1].start), seconds, line[-1].pitch)]
    whole[0] = whole[0]._replace(start=0.0)
    sound = sing(voice, _in_phrases(whole), seconds, replace(singer, start=0.0), random)
    return np.asarray(audio.resample(sound[None], voice.sample_rate, RATE)[0])


def _in_phrases(tones: Sequence[Tone]) -> list[Tone]:
    """Tones no longer than five seconds, since a longer one would make a phrase of its own."""
    return [
        Tone(t.start + at, min(t.end, t.start + at + 5.0), t.pitch)
        for t in tones
        for at in np.arange(0.0, max(1e-6, t.end - t.start), 5.0).tolist()
    ]


def song(plan: Plan, cast: Sequence[Sequence[Utterance]]) -> tuple[np.ndarray, np.ndarray, list[dict[str, object]]]:
    """Vocals and accompaniment (2, T) of a song, and who sings what when."""
    singer = plan.singer
    assert singer is not None
    random = np.random.default_rng((plan.seed, plan.number))
    notes = notes_of(play_through(plan.excerpts, plan.tempo))
    lines = [one_line([n for n in notes if n.channel == c]) for c in melodic_channels(notes)]
    melody = [t._replace(pitch=t.pitch + plan.transpose) for t in together(lines)] or made_up(plan.seconds, random)
    voice = np.zeros(round(plan.seconds * RATE), np.float32)
    turns: list[dict[str, object]] = []
    waiting, now, number = [list(own) for own in cast], 1.0, 0
    while waiting[(number // TURN) % len(cast)]:
        said = waiting[(number // TURN) % len(cast)].pop(0)
        sound = sung(said, melody, now, singer, plan.number * 100 + number)
        first = round(now * RATE)
        if first + len(sound) > len(voice):
            break
        number += 1
        rms = float(np.sqrt(np.mean(sound**2))) if len(sound) else 0.0
        if rms < 1e-6:
            continue
        voice[first : first + len(sound)] = 0.1 * sound / rms
        turns.append({"start": now, "end": now + len(sound) / RATE, "speaker": said.speaker, "text": said.text})
        now += len(sound) / RATE + PAUSE_SECONDS
    stereo = placed(voice, singer.pan, singer.width, RATE)
    vocals = balanced(in_hall(stereo, singer.hall_seconds, singer.hall_db, RATE, random), singer)
    rest = np.sum(list(mixed(replace(plan, singer=None)).values()), axis=0, dtype=np.float32)
    rest *= 0.1 / max(1e-6, float(np.sqrt(np.mean(rest**2))))
    gain = np.float32(0.89 / max(float(np.abs(vocals + rest).max()), float(np.abs(vocals).max())))
    return vocals * gain, rest * gain, turns


def main() -> None:
    """Read the command line, and render."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voices", type=Path, help="a corpus of speech with a table of its utterances")
    parser.add_argument("--texts", action="store_true", help="utterances of transcripts.csv, whose words are known")
    parser.add_argument("--split", default="dev")
    parser.add_argument("--songs", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=23)
    parser.add_argument("--midi", type=Path, required=True)
    parser.add_argument("--soundfont", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    people = speakers_in(arguments.voices, arguments.split, texts=arguments.texts)
    stock = find_stock(
        Material((arguments.midi,), (arguments.soundfont,), (), () if arguments.texts else (arguments.voices,)),
        arguments.split,
    )
    how, random = Rendering(arguments.seconds, arguments.seed, 1.0), np.random.default_rng(arguments.seed)
    names, number, made = list(people), 0, 0
    if not arguments.texts:
        for name, own in people.items():
            enrol(name, own, arguments.out)
    while made < arguments.songs:
        plan, _ = draw_plan(stock, how, number)
        number += 1
        plan = _with_singer(plan, np.random.default_rng((arguments.seed, number)))
        if set(plan.parts) <= {"drums"} or plan.seconds < 30:
            continue
        own = random.permutation(len(names))[: 1 if made % 2 else 2].tolist()
        cast = [_drawn(_of_songs(people[names[i]]) if not arguments.texts else people[names[i]], random) for i in own]
        vocals, rest, turns = song(plan, cast)
        if not turns:
            continue
        place = arguments.out / plan.name
        place.mkdir(parents=True, exist_ok=True)
        for stem, sound in (("vocals", vocals), ("accompaniment", rest)):
            audio.write(place / f"{stem}.flac", sound, RATE, FLAC)
        (place / "song.json").write_text(json.dumps({"seconds": plan.seconds, "turns": turns}, indent=1) + "\n")
        made += 1
        print(plan.name, plan.seconds, [turn["speaker"] for turn in turns], flush=True)


def _with_singer(plan: Plan, random: np.random.Generator) -> Plan:
    """The plan with a voice as it is: its manner is drawn, its formants are its own."""
    singer = SingerPlan(
        sung=True, files=(), start=0.0, melody_channels=(), formants=1.0, stretch=float(random.uniform(1.2, 1.8)),
        portamento_seconds=0.08, vibrato_hz=float(random.uniform(4.5, 6.5)),
        vibrato_cents=float(random.uniform(10, 50)),
        harmony_semitones=None, pan=float(random.uniform(-0.2, 0.2)), width=float(random.uniform(0, 0.3)),
        hall_seconds=float(random.uniform(0.4, 1.5)), hall_db=float(random.uniform(-24, -12)),
        level_db=float(random.uniform(0, 4)), tilt_db=float(random.uniform(-1, 1)), drive=0.0,
    )  # fmt: skip
    return replace(plan, singer=singer)


def _kept_back(own: Sequence[Utterance]) -> list[Utterance]:
    """The first utterances of a speaker, which are for enrolment."""
    kept, seconds = list[Utterance](), 0.0
    for utterance in own[: len(own) // 2]:
        kept.append(utterance)
        seconds += utterance.seconds
        if seconds >= ENROLMENT_SECONDS:
            break
    return kept


def _of_songs(own: Sequence[Utterance]) -> list[Utterance]:
    return list(own[len(_kept_back(own)) :])


def _drawn(own: Sequence[Utterance], random: np.random.Generator) -> list[Utterance]:
    return [own[i] for i in random.permutation(len(own)).tolist()]


def enrol(name: str, own: Sequence[Utterance], out: Path) -> None:
    """Write what a speaker says and sings for enrolment."""
    place, seed = out / "voices" / name.replace("/", "_"), zlib.crc32(name.encode())
    place.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    singer = _with_singer(_EMPTY, random).singer
    assert singer is not None
    melody, pause = made_up(60.0, random), np.zeros(round(PAUSE_SECONDS * RATE), np.float32)
    said = [
        np.pad(audio.resample(s[:1], r, RATE)[0], (0, len(pause)))
        for s, r in map(audio.read, (u.path for u in _kept_back(own)))
    ]
    taken = [np.concatenate((sung(u, melody, 0.0, singer, seed), pause)) for u in _kept_back(own)]
    for kind, sounds in (("spoken", said), ("sung", taken)):
        sound = np.concatenate(sounds)
        audio.write(place / f"{kind}.flac", (0.7 * sound / np.abs(sound).max())[None], RATE, FLAC)


_EMPTY = Plan(0, 0, 1.0, (), 1.0, 0, 1.0, 0, 0.0, 0, (), {}, None)


if __name__ == "__main__":
    main()
