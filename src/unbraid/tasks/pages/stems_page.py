"""The page of stems: spectrograms and levels to look at, and a player that keeps the stems in step."""

import base64
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

import numpy as np

from unbraid.dsp.arrays import FloatArray
from unbraid.tasks.analysis.song import Song
from unbraid.tasks.conversation.conversation import Conversation
from unbraid.tasks.pages.document import clock, document, facts, footer, image
from unbraid.tasks.pages.gather import AUDIBLE_DB, LEFT_OVER, MIXTURE, Gathered, Seen
from unbraid.tasks.pages.lane import LOWEST_HZ, decibels, top_hz
from unbraid.tasks.pages.picture import picture, scales
from unbraid.tasks.pages.song_lanes import (
    chord_lane,
    lyrics_section,
    music_legend,
    music_overlay,
    singer_lanes,
    song_facts,
)
from unbraid.tasks.pages.sound import LIMIT_SECONDS, page_rate
from unbraid.tasks.pages.times import ticks
from unbraid.tasks.pages.turns import COLOURS, LEGEND, described, lane, overlap_lane, spoken, strip

LEVEL_TOP_DB, LEVEL_RANGE_DB = 0.0, 72.0
MOST_POINTS = 200  # of a line


@dataclass(frozen=True)
class RunFacts:
    """The facts about a run."""

    name: str  # of the input
    model: str
    elapsed_seconds: float
    gain_db: float = 0.0  # of the written stems, all alike
    conversation: Conversation | None = None  # of a model that follows people
    song: Song | None = None  # what was found in it
    stems_kept: bool = True  # as files beside the page


def report_page(gathered: Gathered, run: RunFacts) -> str:
    """The whole document."""
    shown = dict(gathered.stems)
    if gathered.left_over_db > AUDIBLE_DB:
        shown[LEFT_OVER] = gathered.left_over
    top_db = float(decibels(gathered.mixture.spectrogram).max(initial=-120.0))
    people = run.conversation.speakers if run.conversation is not None else ()
    turns = [] if run.conversation is None else [_turns(run.conversation, gathered, shown)]
    lanes = [
        _picture(name, seen, index, top_db, gathered) if name in people else _lane(name, seen, index, top_db, gathered)
        for index, (name, seen) in enumerate(shown.items())
    ]
    body = "\n".join(
        (
            f"<h1>{escape(run.name)}</h1>",
            _facts(gathered, run),
            _transport(gathered),
            *turns,
            _mixture(gathered, top_db) if run.song is None else _song(run.song, gathered, top_db),
            *lanes,
            _levels(gathered, shown),
            _notes(gathered, run),
        )
    )
    attributes = f'data-seconds="{gathered.seconds:.6f}" data-sounding="{_sounding(gathered):.6f}"'
    attributes += f' data-rate="{page_rate(gathered.sample_rate)}" data-gain="{gathered.gain:.6g}"'
    main = f"<main {attributes}>\n{body}\n</main>"
    scripts = ["report.js", *(["turns.js"] if turns or run.song else []), *(["song.js"] if run.song else [])]
    styles = ["colours.css", "report.css", *(["song.css"] if run.song else [])]
    return document(f"{run.name} – unbraid", main, styles, *scripts)


def _sounding(gathered: Gathered) -> float:
    return min(gathered.seconds, LIMIT_SECONDS)


def _facts(gathered: Gathered, run: RunFacts) -> str:
    speed = gathered.seconds / max(run.elapsed_seconds, 1e-9)
    rows = {
        "Model": run.model,
        **({} if run.conversation is None else {"People found": str(len(run.conversation.speakers))}),
        **({} if run.song is None else song_facts(run.song)),
        "Length": clock(round(gathered.seconds, 1)),
        "Separated in" if run.song is None else "Analysed in": f"{run.elapsed_seconds:.1f} s ({speed:.1f} × real time)",
        "Gain": f"{_number(run.gain_db)} dB, so that no stem clips" if run.gain_db else "0 dB: as in the mixture",
        "Left over": _left_over(gathered),
    }
    return facts(rows)


def _left_over(gathered: Gathered) -> str:
    """The part of the mixture that is in no stem, in words."""
    if not np.isfinite(gathered.left_over_db):
        return "nothing: the stems are the mixture" if gathered.left_over_db < 0 else "all: the mixture is silent"
    return f"{_number(gathered.left_over_db)} dB, relative to the mixture"


def _transport(gathered: Gathered) -> str:
    seconds = gathered.seconds
    return (
        '<div class="transport" role="group" aria-label="Playback"><button type="button" id="play">Play</button>'
        f'<input type="range" id="seek" min="0" max="{seconds:.6f}" step="any" value="0" aria-label="Position">'
        f'<output id="clock">0:00 / {clock(int(seconds))}</output>'
        '<button type="button" id="all">All stems</button></div>\n<p id="message" role="status"></p>'
        "<noscript><p>Playing needs JavaScript; the pictures do not.</p></noscript>"
    )


def _mixture(gathered: Gathered, top_db: float) -> str:
    heading = f'<h2>{MIXTURE}</h2><span class="dim">{_level(gathered.mixture)}</span>'
    view = _view(MIXTURE, gathered.mixture, top_db, gathered)
    return f'<section class="lane"><header>{heading}</header>{view}{_times(gathered.seconds)}</section>'


def _turns(conversation: Conversation, gathered: Gathered, shown: dict[str, Seen]) -> str:
    """A lane for each person with its sound, all over one axis of time that can be zoomed."""
    seconds, people = gathered.seconds, []
    for name in conversation.speakers:
        bars = lane([s for s in conversation.segments if s.speaker == name], seconds)
        told = spoken(conversation, name)
        view = strip(bars, described(conversation, name), seconds, _over(gathered))
        if name in shown:
            index = list(shown).index(name)
            people.append(_heard(name, shown[name], index, _Lane("h3", told, view)))
        else:
            people.append(f'<section class="lane"><header><h3>{escape(name)}</h3></header>{view}</section>')
    together = f"{clock(round(conversation.overlap_seconds))} in all"
    bars = overlap_lane(conversation.segments, seconds)
    overlap = strip(bars, f"Several people speak, {together}", seconds, _over(gathered))
    at_once = (
        f'\n<section class="lane" style="--ink: var(--dim)"><header><h3>At the same time</h3>'
        f'<span class="dim">{together}</span></header>{overlap}</section>'
    )
    lanes = "\n".join(people) + at_once
    return _zoomed("Who speaks when", lanes, seconds) + f'<p class="dim">{LEGEND}</p></section>'


def _song(song: Song, gathered: Gathered, top_db: float) -> str:
    """Singers, chords, melody and notes over the spectrogram, all over one axis that can be zoomed; then lyrics."""
    seconds = gathered.seconds
    highest = top_hz(gathered.sample_rate)
    overlay = music_overlay(song, seconds, (min(LOWEST_HZ, highest / 4), highest), list(gathered.stems))
    view = _view(MIXTURE, gathered.mixture, top_db, gathered, overlay)
    chords = f'<div class="view strip chords">{chord_lane(song.chords, seconds)}{_over(gathered)}</div>'
    lanes = (
        *singer_lanes(song.singers, seconds, _over(gathered)),
        *((f'<section class="lane"><header><h3>Chords</h3></header>{chords}</section>',) if len(song.chords) else ()),
        f'<section class="lane music"><header><h3>Melody and notes</h3></header>{view}</section>',
    )
    return (
        _zoomed("Music", "\n".join(lanes), seconds)
        + f'<p class="dim">{music_legend(song, list(gathered.stems))}</p></section>{lyrics_section(song.lyrics)}'
    )


def _zoomed(heading: str, lanes: str, seconds: float) -> str:
    """A section, which is left open, of lanes over one axis of time that can be zoomed."""
    zoom = "".join(
        f'<button type="button" data-zoom="{by}" aria-label="Zoom {what}">{sign}</button>'
        for by, what, sign in ((0.5, "out", "−"), (2, "in", "+"))
    )
    return (
        f'<section class="turns"><header class="bar"><h2>{heading}</h2>'
        f'<div class="controls">{zoom}<output id="zoom" aria-live="polite">1×</output></div></header>'
        f'<div class="sideways" tabindex="0" role="region" aria-label="{heading}, over time"><div class="wide">\n'
        f"{lanes}{_times(seconds)}</div></div>"
    )


class _Lane(NamedTuple):
    """The look of a lane: its heading, a few words beside it, and a view."""

    heading: str
    words: str
    view: str


def _lane(name: str, seen: Seen, index: int, top_db: float, gathered: Gathered) -> str:
    """The spectrogram of a stem, and its sound."""
    return _heard(name, seen, index, _Lane("h2", _level(seen), _view(name, seen, top_db, gathered)))


def _picture(name: str, seen: Seen, index: int, top_db: float, gathered: Gathered) -> str:
    """The spectrogram of a stem that is heard elsewhere on the page."""
    return (
        f'<section class="lane" style="--ink: var(--c{index % COLOURS})"><header><h2><span class="dot"></span>'
        f'{escape(name)}</h2><span class="dim">{_level(seen)}</span></header>{_view(name, seen, top_db, gathered)}'
        "</section>"
    )


def _heard(name: str, seen: Seen, index: int, shown: _Lane) -> str:
    """A lane with controls and its sound."""
    label = escape(name)
    controls = "".join(
        f'<button type="button" data-{what.lower()} aria-pressed="false" aria-label="{what} {label}">{what}</button>'
        for what in ("Solo", "Mute")
    )
    volume = f'<input type="range" data-volume min="0" max="100" value="100" aria-label="Volume of {label}">'
    sound = base64.b64encode(seen.sound or b"").decode()
    return (
        f'<section class="lane" data-stem="{label}" style="--ink: var(--c{index % COLOURS})"><header>'
        f'<{shown.heading}><span class="dot"></span>{label}</{shown.heading}><span class="dim">{shown.words}</span>'
        f'<div class="controls">{controls}{volume}</div></header>{shown.view}\n'
        f'<script type="text/plain" class="sound">{sound}</script></section>'
    )


def _view(name: str, seen: Seen, top_db: float, gathered: Gathered, overlay: str = "") -> str:
    """A spectrogram with its frequencies, and a cursor over it."""
    highest = top_hz(gathered.sample_rate)
    lowest = min(LOWEST_HZ, highest / 4)
    marks = "".join(
        f'<i style="bottom: {100 * np.log(hz / lowest) / np.log(highest / lowest):.2f}%"><b>{text}</b></i>'
        for hz, text in ((100, "100 Hz"), (1000, "1 kHz"), (10000, "10 kHz"))
        if lowest < hz < 0.9 * highest
    )
    png, alt = picture(seen.spectrogram, top_db), f"Spectrogram of {name}, {_level(seen)}"
    shown = image(png, alt, f"width: {100 * seen.span:.3f}%")
    return f'<div class="view">{shown}{overlay}{marks}{_over(gathered)}</div>'


def _levels(gathered: Gathered, shown: dict[str, Seen]) -> str:
    """All levels in one chart."""
    inks = {MIXTURE: "var(--dim)", **{name: f"var(--c{i % COLOURS})" for i, name in enumerate(shown)}}
    lines = {MIXTURE: gathered.mixture, **shown}
    drawn = "".join(f'<polyline style="--ink: {inks[n]}" points="{points(lines[n].level)}"/>' for n in lines)
    keys = " ".join(f'<span style="--ink: {inks[n]}"><span class="dot"></span>{escape(n)}</span>' for n in lines)
    marks = "".join(
        f'<i style="bottom: {100 * (db - LEVEL_TOP_DB) / LEVEL_RANGE_DB + 100:.2f}%"><b>{_number(db)} dB</b></i>'
        for db in (-20.0, -40.0, -60.0)
    )
    names = "; ".join(f"{name} {_level(seen)}" for name, seen in lines.items())
    return (
        '<section class="lane"><header><h2>Level over time</h2>'
        f'<span class="dim">RMS in dB of full scale</span></header>'
        f'<div class="view chart"><svg role="img" aria-label="Levels, on average: {escape(names)}" '
        f'viewBox="0 0 1000 100" preserveAspectRatio="none" style="width: {100 * gathered.mixture.span:.3f}%">'
        f"{drawn}</svg>{marks}{_over(gathered)}</div>{_times(gathered.seconds)}"
        f'<p class="dim keys">{keys}</p></section>'
    )


def points(level: FloatArray) -> str:
    """A line through the means of neighbouring columns, few enough to tell several lines apart."""
    first = np.arange(0, level.size, -(-level.size // MOST_POINTS))
    ends = np.append(first[1:], level.size)
    x = (first + ends) / 2 * 1000 / level.size
    means = np.asarray(np.add.reduceat(level, first) / (ends - first), np.float32)
    y = np.clip((LEVEL_TOP_DB - decibels(means)) / LEVEL_RANGE_DB * 100, 0, 100)
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def _over(gathered: Gathered) -> str:
    """The overlay of a view: the cursor, and a veil over the part without sound."""
    veil = f'<div class="unheard" style="left: {100 * LIMIT_SECONDS / gathered.seconds:.3f}%"></div>'
    return (veil if gathered.seconds > LIMIT_SECONDS else "") + '<div class="cursor"></div>'


def _times(seconds: float) -> str:
    shown = [time for time in ticks(seconds) if time == 0 or time < 0.97 * seconds]
    marks = "".join(f'<span style="left: {100 * time / seconds:.2f}%">{clock(time)}</span>' for time in shown)
    return f'<div class="times" aria-hidden="true">{marks}</div>'


def _notes(gathered: Gathered, run: RunFacts) -> str:
    rate = page_rate(gathered.sample_rate) / 1000
    notes = [
        scales(gathered.sample_rate),
        f"“{LEFT_OVER}” is the mixture minus the stems on this page; it is a lane where it is above "
        f"{_number(AUDIBLE_DB)} dB.",
        f"The sound here is a preview (Opus, {rate:g} kHz)"
        + ("; the stems beside this page are whole." if run.stems_kept else "."),
        "Keys: space plays and pauses, arrows go 5 seconds back and forth, Home to the start, 1 to 9 solo a stem.",
    ]
    if run.conversation is not None:
        notes.append("In the lanes of people: n and p go to the next and the previous turn, + and − zoom.")
    if run.song is not None:
        notes.append("Over the music: + and − zoom.")
    if gathered.seconds > LIMIT_SECONDS:
        notes.insert(0, f"Only the first {LIMIT_SECONDS / 60:.0f} minutes can be heard here; the pictures show all.")
    return footer(notes)


def _level(seen: Seen) -> str:
    return f"{_number(float(decibels(seen.power)))} dB" if seen.power > 0 else "silent"


def _number(value: float) -> str:
    """In dB, with a real minus."""
    return f"{value:.1f}".removesuffix(".0").replace("-", "−")
