"""Limits of the service. A job that breaks one is refused with a sentence, or fails with one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from unbraid.errors import UsageError, quoted

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
    live: int = 2  # streams of live audio at the same time, each of which takes a tenth of a core
    quota_bytes: int = 50 * GB  # of uploads and results together
    keep_seconds: float = 7 * 86400.0  # a finished job and its files
    idle_seconds: float = 30.0  # without a byte of an upload


_NAMES = {  # on the command line: (field, unit)
    "upload-mb": ("upload_bytes", MB),
    "minutes": ("audio_seconds", 60.0),
    "work-minutes": ("job_seconds", 60.0),
    "memory-mb": ("memory_bytes", MB),
    "attempts": ("attempts", 1),
    "queued": ("queued", 1),
    "per-client": ("jobs_per_client", 1),
    "uploads": ("uploads", 1),
    "live": ("live", 1),
    "quota-gb": ("quota_bytes", GB),
    "keep-hours": ("keep_seconds", 3600.0),
    "idle-seconds": ("idle_seconds", 1.0),
}


def limits_of(given: Sequence[str]) -> Limits:
    """The limits of NAME=NUMBER, as on the command line.

    Raises:
        UsageError: there is no such limit, or the number is none or not above 0.
    """
    limits = Limits()
    for whole in given:
        name, _, text = whole.partition("=")
        if name not in _NAMES:
            raise UsageError(f"There is no limit called {quoted(name)}; choose one of {', '.join(_NAMES)}.")
        field, unit = _NAMES[name]
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        least = 0 if field == "memory_bytes" else 1e-9
        if not least <= number < 1e9:
            raise UsageError(f"The limit {name} is a number above 0, such as {name}=20, not {quoted(text)}.")
        limits = replace(limits, **{field: type(getattr(limits, field))(number * unit)})
    return limits
