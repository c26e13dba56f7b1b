"""Load on `unbraid serve`: requests a second, and memory under ten times more uploads than it takes.

    python bench/service.py [--seconds 10]

A server of its own is started, with one worker. Slow clients send a kilobyte a second; fast ones come again at once.
"""

import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx2

UPLOADS, SLOW, FAST, UPLOAD_BYTES = 8, 60, 20, 2_000_000


def main(seconds: float) -> None:
    """Start a server, put load on it, and print what was measured."""
    with tempfile.TemporaryDirectory() as data:
        command = [sys.executable, "-m", "unbraid", "serve", "--port", "0", "--no-browser", "--data", data]
        limits = [
            "--limit",
            f"uploads={UPLOADS}",
            "--limit",
            "queued=50",
            "--limit",
            "per-client=1000",
            "--limit",
            "idle-seconds=1",
        ]
        server = subprocess.Popen([*command, *limits], stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found
        url = found[0]
        try:
            idle = memory_mb(server.pid)
            print(f"memory, idle               {idle:.0f} MB")
            print(f"GET /v1/health, 1 client   {rate(url, 1, seconds, ask):.0f} requests/s")
            print(f"GET /v1/jobs, 8 clients    {rate(url, 8, seconds, listing):.0f} requests/s")
            stop = threading.Event()
            slow = [threading.Thread(target=dripping, args=(url, stop), daemon=True) for _ in range(SLOW)]
            for thread in slow:
                thread.start()
            answers: Counter[int] = Counter()
            peak = overload(url, seconds, answers, server.pid)
            stop.set()
            told = ", ".join(f"{status}: {count}" for status, count in sorted(answers.items()))
            print(f"{SLOW} slow and {FAST} fast uploads of {UPLOAD_BYTES / 1e6:g} MB, {UPLOADS} taken at a time")
            print(f"  answers                  {told}")
            print(f"  memory, at most          {peak:.0f} MB")
        finally:
            server.terminate()
            server.wait(20)


def ask(client: httpx2.Client) -> int:
    """A small request."""
    return client.get("/v1/health").status_code


def listing(client: httpx2.Client) -> int:
    """A request that asks the queue."""
    return client.get("/v1/jobs").status_code


def upload(client: httpx2.Client) -> int:
    """A request with a file, which is no audio."""
    return client.post("/v1/jobs", files={"file": ("a.wav", bytes(UPLOAD_BYTES))}).status_code


def rate(url: str, clients: int, seconds: float, request: Callable[[httpx2.Client], int]) -> float:
    """Requests a second of several clients at the same time."""
    answers: Counter[int] = Counter()
    started = time.monotonic()
    together(url, clients, seconds, request, answers)
    assert answers.keys() == {200}, answers
    return answers.total() / (time.monotonic() - started)


def together(
    url: str, clients: int, seconds: float, request: Callable[[httpx2.Client], int], answers: Counter[int]
) -> None:
    """Let clients send requests one after the other for some seconds, and count the answers."""
    end = time.monotonic() + seconds

    def run() -> None:
        with httpx2.Client(base_url=url, timeout=60) as client:
            while time.monotonic() < end:
                answers[request(client)] += 1

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def overload(url: str, seconds: float, answers: Counter[int], pid: int) -> float:
    """Fast uploads for some seconds; the memory of the server at most, in MB."""
    over, peak = threading.Event(), [0.0]

    def look() -> None:
        while not over.wait(0.05):
            peak[0] = max(peak[0], memory_mb(pid))

    watcher = threading.Thread(target=look)
    watcher.start()
    together(url, FAST, seconds, upload, answers)
    over.set()
    watcher.join()
    return peak[0]


def dripping(url: str, stop: threading.Event) -> None:
    """An upload that never comes to its end."""
    host, port = url.removeprefix("http://").split(":")
    while not stop.is_set():
        try:
            with socket.create_connection((host, int(port)), timeout=5) as connection:
                head = f"POST /v1/jobs HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9999999\r\n"
                connection.sendall(head.encode() + b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n")
                connection.sendall(b'Content-Disposition: form-data; name="file"; filename="a"\r\n\r\n')
                while not stop.wait(1):
                    connection.sendall(bytes(1000))
        except OSError:
            time.sleep(0.5)  # refused: it comes again


def memory_mb(pid: int) -> float:
    """The memory of a process, without its workers, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    main(parser.parse_args().seconds)
