"""Ogg files as pages: their consecutive streams, and whether the last one is complete.

The first page of a stream is marked, and the last one, which states how many samples there are up to its end; streams
may follow one another, and radio stations send a new one for each title (RFC 3533). Decoders skip damaged pages,
take the last page of a file for its end, and stop at the end of the first stream.
"""

from dataclasses import dataclass, field, replace
from typing import BinaryIO

from unbraid.audio import checksums
from unbraid.audio.ogg_pages import FIRST_PAGE, LAST_PAGE, Inspection, Page, walk

_SLACK_SECONDS = 0.05


@dataclass
class Link:
    """Streams that begin together: from one first page to the next."""

    start: int
    last: Page
    first_granule: int = 0
    is_intact: bool = True  # whether each page follows the one before
    inspection: Inspection = field(default_factory=Inspection)

    @property
    def is_ended(self) -> bool:
        """Whether it has its last page, and that page its mark."""
        return bool(self.last.flags & LAST_PAGE) and self.last.is_whole

    @property
    def is_complete(self) -> bool:
        """Whether that page is intact, too."""
        return self.is_ended and self.last.is_sound


def links(file: BinaryIO, start: int, size: int) -> list[Link]:
    """The links of a chain."""
    found: list[Link] = []
    is_head = False
    for page, data in walk(file, start, size):
        begins = bool(page.flags & FIRST_PAGE)
        if not found or (begins and not is_head):
            found.append(Link(page.at, page))
        link = found[-1]
        follows = page.follows or page.at == link.start
        link.is_intact &= follows
        link.inspection.add(page, data, follows=follows)
        is_head = begins
        link.last = page
        if page.granule > 0 and not link.first_granule:
            link.first_granule = page.granule
    return found


def marked(file: BinaryIO, link: Link) -> tuple[Link, dict[int, bytes]]:
    """A link of which nothing but the mark at its end is missing with that mark, and {position: bytes}; else as it is.

    Without it, libsndfile cannot read the last page of Opus.
    """
    page = link.last
    if link.is_ended or not link.is_intact or not page.is_sound:
        return link, {}
    file.seek(page.at)
    data = file.read(page.end - page.at)
    ended = replace(page, flags=page.flags | LAST_PAGE)
    flags = bytes([ended.flags])
    patches = {page.at + 5: flags, page.at + 22: checksums.ogg_page(data[:5] + flags + data[6:])}
    return replace(link, last=ended), patches


def holds_more(link: Link, seconds: float, granule_rate: int) -> bool:
    """Whether the pages of a link count more than the `seconds` that its decoder found."""
    if len(link.inspection.streams) > 1:
        return False
    return (link.last.granule - link.first_granule) / granule_rate > seconds + _SLACK_SECONDS
