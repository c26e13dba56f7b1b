"""A decoder that stops at damage, and another one that continues after it.

libsndfile stops at damage. FFmpeg finds the next intact frame, and its position by number or time stamp. It
takes over where the damage is before the start, or is to be skipped.
"""

from collections.abc import Callable

from unbraid.audio.info import Audio, Damaged, Decoder, Notice, Unreadable


class RecoveringDecoder(Decoder):
    """Two decoders of one track."""

    def __init__(self, first: Decoder, other: Callable[[], Decoder], *, skips_damage: bool) -> None:
        self._decoder, self._skips_damage = first, skips_damage
        self._other: Callable[[], Decoder] | None = other  # until it has taken over
        self._position = 0
        self.info, self.readable, self.is_cut = first.info, first.readable, first.is_cut
        self.obstacle = first.obstacle
        self.notices: list[Notice] = first.notices

    def skip(self, frames: int) -> int:
        """Skip frames, damaged ones too."""
        start = self._position
        try:
            self._position += self._decoder.skip(frames)
        except Damaged as damage:
            self._change(damage)
            self._position = self._decoder.skip(start + frames)
        return self._position - start

    def read(self, frames: int) -> Audio:
        """The next frames (C, n)."""
        try:
            block = self._decoder.read(frames)
        except Damaged as damage:
            if not self._skips_damage:
                raise
            self._change(damage)
            self._decoder.skip(self._position)
            block = self._decoder.read(frames)
        self._position += block.shape[1]
        return block

    def close(self) -> None:
        """Let go of the file."""
        self._decoder.close()
        if self._other is None:
            self.notices += self._decoder.notices

    def _change(self, damage: Damaged) -> None:
        """Change to the other decoder, at the start of the track, if there still is one and it can read the file."""
        if self._other is None:
            raise damage
        try:
            decoder = self._other()
        except Unreadable:
            raise damage from None
        self._decoder.close()
        self._decoder, self._other = decoder, None
