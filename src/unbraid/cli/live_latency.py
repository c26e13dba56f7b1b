"""How late live audio comes: by design, as measured with a clock, and what devices add."""

import statistics
import time
from dataclasses import dataclass

import numpy as np

from unbraid.cli.console import notice, say
from unbraid.cli.live_devices import BLOCK_SECONDS, default_rate, load_sounddevice, open_stream
from unbraid.cli.live_streams import LiveRequest
from unbraid.errors import RuntimeUnavailable
from unbraid.tasks.live import LiveSeparator

SECONDS = 3.0


@dataclass(frozen=True)
class Measured:
    """What a measurement found."""

    median_seconds: float  # from the first sample of a block to the end of computing what belongs to it
    worst_seconds: float
    load: float  # computing time over the time of the audio


def measured(live: LiveSeparator, seconds: float, block_seconds: float = BLOCK_SECONDS) -> Measured:
    """Run noise through a stream at the pace of a clock, as a microphone would give it."""
    rate, size = live.sample_rate, round(block_seconds * live.sample_rate)
    block = np.random.default_rng(0).normal(0, 0.05, (live.channels, size)).astype(np.float32)
    delays, busy, start = [], 0.0, time.perf_counter()
    count = max(1, round(seconds * rate / size))
    for i in range(count):
        wait = start + (i + 1) * size / rate - time.perf_counter()  # a block is there once its last sample is
        if wait > 0:
            time.sleep(wait)
        began = time.perf_counter()
        live.push(block)
        done = time.perf_counter()
        busy += done - began
        delays.append(done - start - i * size / rate + live.latency_seconds)
    return Measured(statistics.median(delays), max(delays), busy * rate / (count * size))


def measure(request: LiveRequest, *, with_devices: bool) -> None:
    """Print how late the output comes.

    Raises:
        UsageError: the model is not causal, among others.
    """
    sound, rate = None, request.rate
    if with_devices:
        try:
            sound = load_sounddevice()
            rate = rate or default_rate(sound, request.devices)
        except RuntimeUnavailable as error:
            sound = None
            notice(str(error))
    with request.open(rate, request.channels, delayed=True) as live:
        found = measured(live, SECONDS)
        median, worst = (1000 * seconds for seconds in (found.median_seconds, found.worst_seconds))
        say(
            f"{live.spec.name} at {live.sample_rate} Hz, blocks of {1000 * BLOCK_SECONDS:g} ms",
            f"by design    {1000 * live.latency_seconds:.1f} ms",
            f"measured     {median:.1f} ms, at worst {worst:.1f} ms: with the block and the computing",
            f"computing    {100 * found.load:.0f} % of the time",
        )
        if sound:
            with open_stream(sound, request, live) as stream:
                say(f"devices      {1000 * sum(stream.latency):.1f} ms more, as PortAudio reports")
