"""Tables of an analysis as texts: CSV, JSON, and layers for Sonic Visualiser.

A layer is an XML document with a model, its points and a layer that shows them, times in frames; ours have 1000 frames
a second, so that a frame is a millisecond. Source: Sonic Visualiser, sv/document/SVFileReader.h.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal
from xml.sax.saxutils import quoteattr

FRAMES_PER_SECOND = 1000
Layer = Literal["notes", "timevalues"]
_DIMENSIONS = {"notes": (3, "note", 'units="MIDI Pitch" valueQuantization="1" '), "timevalues": (2, "", 'units="Hz" ')}


def csv_text(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with a head, in RFC 4180's form but with line feeds."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()


def json_text(about: Mapping[str, object], name: str, rows: Iterable[object]) -> str:
    """A JSON object: facts, and a list with an element on each line."""
    facts = ", ".join(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in about.items())
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return f'{{{facts}, "{name}": [\n{lines}\n]}}\n'


def layer_text(kind: Layer, name: str, points: Iterable[Mapping[str, object]], *, ends_at: int) -> str:
    """A layer of Sonic Visualiser; the points have a frame, a value, and of notes a duration, a level and a label."""
    dimensions, subtype, units = _DIMENSIONS[kind]
    rows = "".join(f"      <point {_attributes(point)}/>\n" for point in points)
    form = f'subtype="{subtype}" ' if subtype else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE sonic-visualiser>\n<sv>\n  <data>\n'
        f'    <model id="1" name={quoteattr(name)} sampleRate="{FRAMES_PER_SECOND}" start="0" end="{ends_at}" '
        f'type="sparse" dimensions="{dimensions}" resolution="1" notifyOnAdd="true" dataset="0" {form}{units}/>\n'
        f'    <dataset id="0" dimensions="{dimensions}">\n{rows}    </dataset>\n  </data>\n  <display>\n'
        f'    <layer id="2" type="{kind}" name={quoteattr(name)} model="1" visible="true"/>\n  </display>\n</sv>\n'
    )


def _attributes(point: Mapping[str, object]) -> str:
    return " ".join(f"{name}={quoteattr(str(value))}" for name, value in point.items())
