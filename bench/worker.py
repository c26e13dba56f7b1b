"""The worker's side of `measure.Worker`: one JSON line in, separate, one JSON line out.

Needs NumPy and no more, so that every environment can use it.
"""

import json
import resource
import sys
import time
from collections.abc import Callable

import numpy as np


def serve(separate: Callable[[np.ndarray], np.ndarray]) -> None:
    """Answer requests {"audio": (T,) .npy, "save": .npy or null} until stdin closes.

    Only `separate` (T,) -> (S, T) is timed; what it prints goes to stderr.
    """
    answers, sys.stdout = sys.stdout, sys.stderr
    print(json.dumps({}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        audio = np.load(request["audio"])  # (T,)
        wall, cpu = time.perf_counter(), time.process_time()
        sources = separate(audio)  # (S, T)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if request["save"]:
            np.save(request["save"], sources)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"wall_s": wall, "cpu_s": cpu, "peak_mb": peak}), file=answers, flush=True)
