"""Tags such as title and artist, under the same names for all containers.

Canonical names are FFmpeg's: title, artist, album, date, genre, track, comment, copyright. libsndfile says
`tracknumber` for `track`; WAV files hold them in a LIST INFO chunk (Multimedia Programming Interface 1.0, 1991).
"""

import struct
from collections.abc import Mapping

_INFO = {
    "title": b"INAM",
    "artist": b"IART",
    "album": b"IPRD",
    "date": b"ICRD",
    "genre": b"IGNR",
    "track": b"ITRK",
    "comment": b"ICMT",
    "copyright": b"ICOP",
}


def canonical(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags we carry, from any decoder's names; empty and undecodable values are left out."""
    found = {key.lower(): value.strip() for key, value in tags.items()}
    found |= {"track": found.get("track") or found.get("tracknumber", "")}
    return {name: found[name] for name in _INFO if found.get(name) and "\ufffd" not in found[name]}


def for_sndfile(tags: Mapping[str, str]) -> dict[str, str]:
    """Canonical tags under libsndfile's names."""
    return {"tracknumber" if name == "track" else name: value for name, value in canonical(tags).items()}


def info_chunk(tags: Mapping[str, str]) -> bytes:
    """The tags as a WAV LIST INFO chunk, or no bytes when there are none."""
    body = b"INFO"
    for name, value in canonical(tags).items():
        text = value.encode() + b"\0"
        body += _INFO[name] + struct.pack("<I", len(text)) + text + b"\0" * (len(text) % 2)
    return b"LIST" + struct.pack("<I", len(body)) + body if len(body) > 4 else b""
