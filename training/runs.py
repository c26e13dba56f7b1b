"""A schedule in CPU time or by the clock."""

import time
from datetime import datetime, timedelta


def deadline(until: str | None) -> float:
    """The next time of day HH:MM in seconds since the epoch; infinite for None."""
    if until is None:
        return float("inf")
    now = datetime.now()
    then = datetime.combine(now, datetime.strptime(until, "%H:%M").time())
    return (then if then > now else then + timedelta(days=1)).timestamp()


class Clock:
    """Moves a run's `done` from 0 to 1 with CPU time, faster where a time of day asks for it."""

    def __init__(self, state: dict[str, float], minutes: float, until: str | None):
        self.state, self.minutes, self.end = state, minutes, deadline(until)
        self.start()

    def start(self) -> None:
        """Count from now; time since the last tick (an evaluation, say) is not counted."""
        self.cpu, self.wall = time.process_time(), time.time()

    def tick(self) -> None:
        """One step is done."""
        cpu_seconds, wall_seconds = time.process_time() - self.cpu, time.time() - self.wall
        by_wall = (1 - self.state["done"]) * min(1.0, wall_seconds / max(1e-3, self.end - time.time()))
        self.state["done"] += max(cpu_seconds / (60 * self.minutes), by_wall)
        self.state["seconds"] += cpu_seconds
        self.state["step"] += 1
        self.start()
