"""Live audio over a WebSocket: the output of the live model, and no strangers."""

import json
import socket
from urllib.parse import urlsplit

import numpy as np
import pytest

from engine_fakes import noise
from unbraid.tasks.live import LiveSeparator

pytest.importorskip("fastapi", reason="no web extra: pip install 'unbraid[web]'")
pytest.importorskip("websockets", reason="no web extra: pip install 'unbraid[web]'")
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

TOKEN = "a-token-of-enough-characters"


def live(server, query: str = "", **headers: str) -> ClientConnection:
    """A connection."""
    address = server.url.replace("http", "ws", 1) + f"/v1/live?{query}"
    return connect(address, additional_headers=headers, compression=None, open_timeout=60)


def test_the_output_is_that_of_the_model(server) -> None:
    audio = noise(1, 8000)
    with LiveSeparator("denoise-live", sample_rate=16000) as model, live(server, "sample_rate=16000") as stream:
        about = json.loads(stream.recv())
        assert about == {
            "model": "denoise-live",
            "stem": "speech",
            "stems": list(model.stems),
            "latency_seconds": model.latency_seconds,
        }
        for start in range(0, 8000, 160):
            block = audio[:, start : start + 160]
            stream.send(block.astype("<f4").tobytes())
            heard = np.frombuffer(stream.recv(), "<f4")
            np.testing.assert_array_equal(heard, model.push(block)[0, 0])


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("model=music-4", "There is no model 'music-4' for live audio; choose one of "),
        ("model=../speech", "There is no model '../speech' for live audio; choose one of "),
        ("sample_rate=x", "The sample rate is a number of Hz, such as 48000, not 'x'."),
        ("sample_rate=100", "Live audio has 4000 to 192000 Hz, not 100; resample it."),
        ("stem=drums", "denoise-live gives speech"),
    ],
)
def test_what_cannot_be_done_is_told(server, query: str, told: str) -> None:
    with live(server, query) as stream:
        assert json.loads(stream.recv())["error"].startswith(told)
        with pytest.raises(ConnectionClosed):
            stream.recv()


@pytest.mark.parametrize("message", ["text", b"", b"abc", bytes(4 * 48001)])
def test_only_samples_are_taken(server, message: str | bytes) -> None:
    with live(server) as stream:
        stream.recv()
        stream.send(message)
        told = json.loads(stream.recv())["error"]
        assert told == "A message has up to 1 s of samples as float32, little-endian."


def test_who_is_silent_is_sent_away(server) -> None:
    with live(server) as stream:
        stream.recv()
        assert json.loads(stream.recv())["error"] == "No audio came for 1 s; start again."


def test_streams_are_limited(serving) -> None:
    server = serving("--limit", "live=1")
    with live(server) as first:
        first.recv()
        with live(server) as second:
            told = json.loads(second.recv())["error"]
            assert told == "Too much live audio is under way; try again later."
    with live(server) as third:  # the place is free again
        assert "latency_seconds" in json.loads(third.recv())


def refused(server, **headers: str) -> int:
    """The status of a connection that is refused."""
    with pytest.raises(InvalidStatus) as error, live(server, **headers):
        pass
    return error.value.response.status_code


def test_strangers_are_refused(serving) -> None:
    server = serving("--token", TOKEN)
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert refused(server) == 401
    assert refused(server, Authorization="Bearer wrong") == 401
    assert refused(server, Origin="http://evil.example", **bearer) == 403  # a page of theirs
    assert refused(server, Origin="null", **bearer) == 403
    with live(server, Origin=server.url, **bearer) as stream:
        assert "latency_seconds" in json.loads(stream.recv())


def test_other_names_are_refused(server) -> None:
    port = urlsplit(server.url).port
    with (
        pytest.raises(InvalidStatus) as error,
        connect(f"ws://localhost.evil.example:{port}/v1/live", sock=_socket(port)),
    ):
        pass
    assert error.value.response.status_code == 421


def _socket(port: int | None):
    return socket.create_connection(("127.0.0.1", port or 0))
