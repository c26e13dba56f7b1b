"""The progress of a job: reported by the run of a model, read by the thread that reports it to the queue."""

import threading

from unbraid.errors import AudioError, Cancelled


class TooLong(AudioError):
    """A recording that is longer than the service takes."""


class JobProgress:
    """The share of a job that is done, in stages; stops the job where it is cancelled or its recording too long."""

    def __init__(self, most_seconds: float) -> None:
        self.cancelled = threading.Event()
        self.done, self.audio_seconds = 0.0, 0.0
        self._most = most_seconds
        self._first, self._last = 0.0, 1.0

    def stage(self, first: float, last: float) -> None:
        """Begin a stage, which is this part of the whole."""
        self._first, self._last = first, last

    def __call__(self, done_seconds: float, total_seconds: float | None) -> None:
        """Report seconds of audio in this stage, of so many if that is known.

        Raises:
            Cancelled: the job is to stop.
            TooLong: the recording is longer than the service takes.
        """
        self.check_length(done_seconds)
        if self.cancelled.is_set():
            raise Cancelled("The job was cancelled.")
        self.audio_seconds = max(self.audio_seconds, done_seconds)
        share = min(1.0, done_seconds / total_seconds) if total_seconds else 0.0
        self.done = self._first + share * (self._last - self._first)

    def check_length(self, seconds: float) -> None:
        """Refuse a recording that is too long.

        Raises:
            TooLong: it is.
        """
        if seconds > self._most:
            raise TooLong(
                f"The recording is longer than {self._most / 60:g} minutes, and this service takes no longer ones; "
                "cut it into parts."
            )
