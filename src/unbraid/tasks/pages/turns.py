"""Who speaks when as lanes: a row of bars for each person, and one for the times at which several speak.

A lane is one path of at most `MOST_BARS` bars, however long the recording is: bars with a gap too short to be seen are
joined. Where another person is nearly as likely, bars are pale and half as high.
"""

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from unbraid.corpora.rttm import Segment, numbers_speaking
from unbraid.dsp.stretches import joined
from unbraid.files.printable import printable_page
from unbraid.tasks.conversation.conversation import UNCERTAIN, Conversation
from unbraid.tasks.pages.document import clock
from unbraid.tasks.pages.times import ticks

COLOURS = 6  # of stems and people, in colours.css
MOST_BARS = 4000  # in a lane: at the highest zoom of a page, a gap that goes is a pixel or two
LEGEND = "Pale and low: another person is nearly as likely."
_WIDTH, _LABEL, _ROW, _TOP = 1000, 190, 34, 46  # of a picture, in pixels
_STYLE = """text { font: 13px system-ui, "Segoe UI", Roboto, sans-serif; fill: var(--text); }
.dim { fill: var(--dim); font-size: 12px; } .paper { fill: var(--page); } .row { fill: var(--card); }
.sure { fill: var(--ink); } .unsure { fill: var(--ink); fill-opacity: .45; } .mark { stroke: var(--line); }
"""

Interval = tuple[float, float]


def overlaps(segments: Iterable[Segment]) -> list[Interval]:
    """When several people speak at once."""
    at_once = ((start, end) for start, end, people in numbers_speaking(segments) if people > 1 and end > start)
    return joined(at_once)


def lane(segments: Sequence[Segment], seconds: float) -> str:
    """The bars of one person as SVG, 10 units high and a unit wide for each second."""
    unsure = {s for s in segments if s.confidence is not None and s.confidence < UNCERTAIN}
    sure = [(s.start, s.end) for s in segments if s not in unsure]
    doubtful = [(s.start, s.end) for s in unsure]
    return _path("sure", sure, seconds, (1, 8)) + _path("unsure", doubtful, seconds, (5, 4))


def overlap_lane(segments: Iterable[Segment], seconds: float) -> str:
    """The bars of the times at which several people speak, as SVG of the same size."""
    return _path("sure", overlaps(segments), seconds, (1, 8))


def strip(bars: str, told: str, seconds: float, over: str) -> str:
    """A lane of bars as part of a page; `told` is for those who do not see it, and `over` lies on top."""
    return (
        f'<div class="view strip"><svg role="img" aria-label="{escape(told)}" preserveAspectRatio="none" '
        f'viewBox="0 0 {seconds:.3f} 10">{bars}</svg>{over}</div>'
    )


def spoken(conversation: Conversation, name: str) -> str:
    """How long a person speaks, in words."""
    own, total = conversation.speaking_seconds[name], sum(conversation.speaking_seconds.values())
    return f"{clock(round(own))}, {100 * own / total:.0f} % of the speech" if own else "does not speak"


def described(conversation: Conversation, name: str) -> str:
    """The lane of a person for those who do not see it."""
    mine = [s for s in conversation.segments if s.speaker == name]
    unsure = sum(s.speaker == name for s in conversation.uncertain)
    return f"{name} speaks {spoken(conversation, name)}, in {len(mine)} segments, {unsure} of them uncertain"


def to_svg(conversation: Conversation, recording: str) -> str:
    """A picture of its own, which follows the light or dark scheme of where it is shown."""
    seconds, plot = max(conversation.seconds, 1e-3), _WIDTH - _LABEL - 20
    rows = [
        (name, spoken(conversation, name), lane([s for s in conversation.segments if s.speaker == name], seconds))
        for name in conversation.speakers
    ]
    inks = [f"var(--c{index % COLOURS})" for index in range(len(rows))]
    if len(rows) > 1:
        rows.append(("at the same time", clock(round(conversation.overlap_seconds)),
                     overlap_lane(conversation.segments, seconds)))  # fmt: skip
        inks.append("var(--dim)")
    bottom = _TOP + _ROW * len(rows)
    drawn = "\n".join(_row(index, *row, ink, seconds) for index, (row, ink) in enumerate(zip(rows, inks, strict=True)))
    marks = "".join(
        f'<line class="mark" x1="{_LABEL + plot * time / seconds:.1f}" x2="{_LABEL + plot * time / seconds:.1f}" '
        f'y1="{_TOP}" y2="{bottom + 4}"/><text class="dim" text-anchor="middle" y="{bottom + 18}" '
        f'x="{_LABEL + plot * time / seconds:.1f}">{clock(time)}</text>'
        for time in ticks(seconds)
    )
    told = "; ".join(described(conversation, name) for name in conversation.speakers)
    colours = (files("unbraid.tasks.pages") / "colours.css").read_text(encoding="utf-8")
    height, title = bottom + 46, escape(f"Who speaks when in {recording}")
    return printable_page(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'role="img">\n<title>{title}</title>\n<desc>{escape(told)}</desc>\n<style>\n{colours}{_STYLE}</style>\n'
        f'<rect class="paper" width="{_WIDTH}" height="{height}"/>\n<text x="10" y="26">{title}</text>\n'
        f'{marks}\n{drawn}\n<text class="dim" x="10" y="{bottom + 38}">{LEGEND}</text>\n</svg>\n'
    )


def _row(index: int, name: str, told: str, bars: str, ink: str, seconds: float) -> str:
    """A lane of a picture with its name."""
    top, plot = _TOP + _ROW * index, _WIDTH - _LABEL - 20
    short = name if len(name) <= 24 else f"{name[:23]}…"
    return (
        f'<g style="--ink: {ink}"><text x="10" y="{top + 14}">{escape(short)}</text>'
        f'<text class="dim" x="10" y="{top + 28}">{told}</text>'
        f'<svg x="{_LABEL}" y="{top + 3}" width="{plot}" height="{_ROW - 6}" viewBox="0 0 {seconds:.3f} 10" '
        f'preserveAspectRatio="none"><rect class="row" width="{seconds:.3f}" height="10"/>{bars}</svg></g>'
    )


def _path(kind: str, intervals: Iterable[Interval], seconds: float, place: tuple[int, int]) -> str:
    """Bars from a top on, of a height, as one path."""
    (top, height), bars = place, joined(intervals, seconds / MOST_BARS)
    drawn = "".join(f"M{start:.2f} {top}h{end - start:.2f}v{height}h{start - end:.2f}z" for start, end in bars)
    return f'<path class="{kind}" d="{drawn}"/>'
