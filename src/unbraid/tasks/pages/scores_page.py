"""The page of an evaluation, or of a batch: headline numbers, tables, plots, and the worst cases to listen to.

Sounds of a case share one gain, so that they compare as they are, and the loudest of them just does not clip.
"""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from unbraid import audio
from unbraid.files.workdir import temporary_folder
from unbraid.tasks.pages.document import data_uri, document, image
from unbraid.tasks.pages.lane import decibels, spectrogram
from unbraid.tasks.pages.picture import picture, scales
from unbraid.tasks.pages.tables import Table

Wave = NDArray[np.float32]
_PEAK = 0.9
_LISTEN_SECONDS = 30.0  # of each sound, so that the file stays small
SORTABLE = "A click on a heading sorts by it"
WITHOUT = "There are no plots, for matplotlib is not installed; get it with `pip install matplotlib`, and run again"


def scores_page(
    title: str, about: str, tiles: Sequence[str], sections: Sequence[str], command: str = "evaluate"
) -> str:
    """The whole document of a command; empty sections are left out."""
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="dim">{escape(about)}.</p>',
        f'<div class="tiles">{"".join(tiles)}</div>' if tiles else "",
        *sections,
    ]
    return document(f"{title} · unbraid {command}", "\n".join(filter(None, parts)), ("scores.css",), "scores.js")


def tile(head: str, value: str, *notes: str) -> str:
    """A headline number."""
    small = "".join(f"<small>{escape(note)}</small>" for note in notes)
    return f'<div class="tile"><small>{escape(head)}</small><b>{escape(value)}</b>{small}</div>'


def section(heading: str, *parts: str) -> str:
    """Parts below a heading."""
    return f"<h2>{escape(heading)}</h2>{''.join(parts)}"


def paragraph(text: str) -> str:
    """A paragraph."""
    return f"<p>{escape(text)}</p>"


def notes(*sentences: str) -> str:
    """Sentences in small print."""
    return "".join(f'<p class="note">{escape(note[:1].upper() + note[1:])}.</p>' for note in sentences)


def sortable(heading: str, table: Table, note: str = SORTABLE, kind: str = "sortable") -> str:
    """A section with a table that is sorted by a click on a heading."""
    return section(heading, notes(note), table.html(kind)) if table.rows else ""


def cases(intro: str, found: Sequence[str], sample_rate: int) -> str:
    """The section of the worst cases."""
    head = "The worst case" if len(found) == 1 else f"The {len(found)} worst cases"
    return section(head, paragraph(f"{intro} {scales(sample_rate)}"), *found) if found else ""


def case(head: str, facts: Sequence[str], signals: Mapping[str, Wave], sample_rate: int) -> str:
    """One case: its signals (C, T), the mixture among them, each to look at and to listen to."""
    return (
        f'<section class="case"><h3>{escape(head)}</h3><p class="dim">{escape("; ".join(facts))}</p>'
        f'<div class="players">{_players(signals, sample_rate)}</div></section>'
    )


def figures(heading: str, *described: tuple[bytes, str]) -> str:
    """A section of plots, each with a description."""
    shown = "".join(f"<figure>{image(*one)}</figure>" for one in described)
    return section(heading, f'<div class="pictures">{shown}</div>')


def failures(failed: Sequence[tuple[str, Exception]], noun: str) -> str:
    """The section of failures: items that could not be scored, each with its error."""
    items = bullets([f"{name}: {error}" for name, error in failed])
    return section("Failed", paragraph(f"These {noun} could not be scored."), items) if failed else ""


def bullets(items: Sequence[str]) -> str:
    """A list of texts."""
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"


def _players(signals: Mapping[str, Wave], sample_rate: int) -> str:
    loudest = max(float(np.abs(signal).max(initial=0)) for signal in signals.values())
    gain = _PEAK / loudest if loudest else 1.0
    most = round(_LISTEN_SECONDS * sample_rate)
    powers = {name: spectrogram(signal, sample_rate) for name, signal in signals.items()}
    top_db = float(decibels(powers["mixture"]).max())
    players = []
    for name, signal in signals.items():
        shown = image(picture(powers[name], top_db), f"Spectrogram of {name}")
        label = name + (f" (first {_LISTEN_SECONDS:.0f} s)" if signal.shape[1] > most else "")
        source = data_uri("audio/flac", _flac(signal[:, :most] * np.float32(gain), sample_rate))
        player = f'<audio controls preload="none" src="{source}"></audio>'
        players.append(f"<figure>{shown}<label>{escape(label)}{player}</label></figure>")
    return "".join(players)


def _flac(signal: Wave, sample_rate: int) -> bytes:
    """A signal (C, T) as a FLAC file of 16 bits."""
    with temporary_folder() as folder:
        path = folder / "sound.flac"
        audio.write(path, signal, sample_rate, audio.choose_format("flac", subtype="16"))
        return path.read_bytes()
