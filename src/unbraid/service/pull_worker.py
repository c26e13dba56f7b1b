"""The download of a published model, in a process of its own: a checkpoint of others is read here, not in the server.

    python -m unbraid.service.pull_worker NAME MEMORY_BYTES

A line of JSON on the standard output tells each step: {"done": 1000, "total": 2000}, and in the end {"error": null}, or
the sentence of an error.
"""

import json
import sys
import time

from unbraid.errors import UnbraidError
from unbraid.hub.names import pull
from unbraid.service.worker import limit_memory

_STEP_SECONDS = 0.2


def main(name: str, memory_bytes: int) -> None:
    """Download a model."""
    limit_memory(memory_bytes)
    told = 0.0

    def progress(done: int, total: int | None) -> None:
        nonlocal told
        if time.monotonic() - told > _STEP_SECONDS:
            told = time.monotonic()
            _tell({"done": done, "total": total})

    try:
        pull(name, progress=progress)
    except UnbraidError as error:
        _tell({"error": str(error)})
    else:
        _tell({"error": None})


def _tell(what: dict[str, object]) -> None:
    print(json.dumps(what), flush=True)  # breaks where the server is gone, and so ends this process


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
