"""libsndfile, counting which files it is told to free."""

from collections.abc import Callable

import soundfile


class CountingLibrary:
    """What soundfile calls; `after` runs each time that a file has been freed."""

    def __init__(self, after: Callable[[], None] = lambda: None):
        self.freed: list[object] = []
        self._library, self._after = soundfile._snd, after

    def __getattr__(self, name: str) -> object:
        return getattr(self._library, name)

    def sf_close(self, file: object) -> object:
        self.freed.append(file)
        result = self._library.sf_close(file)
        self._after()
        return result
