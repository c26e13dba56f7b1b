"""Metrics in Prometheus's text format, read from the queue each time they are asked for."""

from collections.abc import Iterator
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from unbraid.service.jobs import FINISHED, State
from unbraid.service.queue import Queue
from unbraid.service.supervisor import Supervisor


class _Collector(Collector):
    """The state of a service."""

    def __init__(self, queue: Queue, supervisor: Supervisor) -> None:
        self._queue, self._supervisor = queue, supervisor

    def collect(self) -> Iterator[Metric]:
        """The metrics of this moment."""
        states, totals = self._queue.counts()
        jobs = GaugeMetricFamily("unbraid_jobs", "Jobs that are kept, by state", labels=["state"])
        for state in get_args(State):
            jobs.add_metric([state], states.get(state, 0))
        yield jobs
        ended = CounterMetricFamily("unbraid_jobs_finished", "Jobs that have ended, by state", labels=["state"])
        for state in FINISHED:
            ended.add_metric([state], totals.get(f"jobs {state}", 0))
        yield ended
        seconds = totals.get("audio seconds", 0.0)
        yield CounterMetricFamily("unbraid_audio_seconds", "Audio of jobs that are done", value=seconds)
        yield GaugeMetricFamily("unbraid_stored_bytes", "Uploads and results", value=self._queue.used_bytes())
        yield GaugeMetricFamily("unbraid_workers", "Workers that live", value=len(self._supervisor.pids))
        yield CounterMetricFamily("unbraid_worker_deaths", "Workers that died", value=self._supervisor.restarts)


def exposition(queue: Queue, supervisor: Supervisor) -> bytes:
    """All metrics as text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(queue, supervisor))
    return generate_latest(registry)
