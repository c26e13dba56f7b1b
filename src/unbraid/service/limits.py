"""Limits of the service. A job that breaks one is refused with a sentence, or fails with one."""

from dataclasses import dataclass

from unbraid.errors import UsageError

MB, GB = 1_000_000, 1_000_000_000


@dataclass(frozen=True)
class Limits:
    """The limits of a service and of each of its jobs."""

    upload_bytes: int = 2 * GB
    audio_seconds: float = 4 * 3600.0  # of a recording: an hour of silence in FLAC has some kilobytes
    job_seconds: float = 4 * 3600.0  # of work
    memory_bytes: int = 8 * GB  # of a worker; 0: no limit
    attempts: int = 3  # at a job whose worker dies
    queued: int = 100  # jobs that wait
    jobs_per_client: int = 20  # that wait or run
    uploads: int = 8  # at the same time
    quota_bytes: int = 50 * GB  # of uploads and results together
    keep_seconds: float = 7 * 86400.0  # a finished job and its files
    idle_seconds: float = 30.0  # without a byte of an upload

    def checked(self) -> "Limits":
        """The same limits.

        Raises:
            UsageError: one is not positive; only memory may be 0.
        """
        for name, value in vars(self).items():
            if not value > 0 and not (name == "memory_bytes" and value == 0):
                raise UsageError(f"The limit of {name.replace('_', ' ')} is {value:g}; give a number above 0.")
        return self
