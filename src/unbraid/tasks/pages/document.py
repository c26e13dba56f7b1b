"""An HTML document that holds its style, script, pictures and sound, and needs no network.

A content security policy tells the browser so: nothing but inline style and script, and media from data: URIs.
"""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files

_POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def document(title: str, body: str, styles: Sequence[str], *scripts: str) -> str:
    """The whole document, with styles and scripts that lie beside this module."""
    assets = files("unbraid.tasks.pages")
    style, program = (
        "".join((assets / asset).read_text(encoding="utf-8") for asset in some) for some in (styles, scripts)
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"{body}\n<script>\n{program}</script>\n</body>\n</html>\n"
    )


def facts(rows: Mapping[str, str]) -> str:
    """Names and values below the title."""
    pairs = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in rows.items())
    return f"<dl>{pairs}</dl>"


def footer(notes: Sequence[str]) -> str:
    """Notes at the end."""
    return '<footer class="dim">' + "".join(f"<p>{escape(note)}</p>" for note in notes) + "</footer>"


def image(png: bytes, description: str, style: str = "") -> str:
    """A picture."""
    styled = f' style="{style}"' if style else ""
    return f'<img alt="{escape(description)}"{styled} src="{data_uri("image/png", png)}">'


def data_uri(kind: str, content: bytes) -> str:
    """Content of a media type as an address."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def clock(seconds: float) -> str:
    """Seconds as 1:02:03, 2:03 or 0:00.5."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    tenths = f"{rest:04.1f}" if rest % 1 > 1e-6 else f"{rest:02.0f}"
    return f"{hours}:{minutes:02}:{tenths}" if hours else f"{minutes}:{tenths}"
