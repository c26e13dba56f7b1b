"""A real server in a process of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from source_tree import ROOT


class Server:
    """A running `unbraid serve`."""

    def __init__(self, data: Path, *options: str, **environment: str) -> None:
        self.data, self._options = data, options
        self._environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT.parent), *sys.path))} | environment
        self.start()

    def start(self) -> None:
        """Start it, at a port that is free."""
        command = ["serve", "--port", "0", "--no-browser", "--data", str(self.data), *self._options]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "unbraid", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment,
        )
        assert self.process.stdout is not None and self.process.stderr is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, self.process.stderr.read()
        self.url = found[0]

    def kill(self) -> None:
        """Kill it as kill -9 does."""
        self.process.kill()
        self._collect()

    def stop(self) -> int:
        """Stop it as Ctrl-C does; its exit status."""
        self.process.send_signal(signal.SIGINT)
        self._collect()
        return self.process.returncode

    def _collect(self) -> None:
        try:
            self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers, which are stopped in the end."""
    started: list[Server] = []

    def start(*options: str, **environment: str) -> Server:
        started.append(Server(tmp_path / "data", *options, **environment))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests of a module."""
    started = Server(tmp_path_factory.mktemp("data"), "--limit", "upload-mb=4", "--limit", "idle-seconds=1")
    yield started
    started.stop()
