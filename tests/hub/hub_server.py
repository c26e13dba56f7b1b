"""A publisher on 127.0.0.1: serves bytes with Range, imitates the Hugging Face hub, and misbehaves on request."""

import hashlib
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Fault:
    """One way to answer wrongly."""

    status: int | None = None  # answer with this instead
    drop_after: int | None = None  # send so many bytes, then hang up
    ignore_range: bool = False
    length_off: int = 0  # add this to Content-Length
    wrong_range: bool = False  # answer 206, but from another place


@dataclass
class Publisher:
    """What is served, how to misbehave, and what was asked."""

    files: dict[str, bytes] = field(default_factory=dict)  # by path
    faults: dict[str, list[Fault]] = field(default_factory=dict)  # one for each GET of a path (HEAD: "HEAD path")
    always: dict[str, Fault] = field(default_factory=dict)  # for every further one
    commit: str | None = COMMIT  # X-Repo-Commit of the hub
    states: dict[str, str] = field(default_factory=dict)  # by file name: the etag the hub states, when it lies
    requests: list[tuple[str, str, str | None, str | None]] = field(default_factory=list)  # method, path, range, token
    url: str = ""

    def gets(self, path: str) -> list[str | None]:
        """The Range header of each GET of a path."""
        return [found[2] for found in self.requests if found[:2] == ("GET", path)]


class Handler(BaseHTTPRequestHandler):
    """Answers from the `publisher` of its server."""

    publisher: Publisher

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        """Headers only."""
        self._answer(body=False)

    def do_GET(self) -> None:
        """Headers and bytes."""
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        p = self.publisher
        byte_range, token = self.headers.get("Range"), self.headers.get("Authorization")
        p.requests.append((self.command, self.path, byte_range, token))
        key = self.path if body else f"HEAD {self.path}"
        queue = p.faults.get(key)
        fault = queue.pop(0) if queue else p.always.get(key, Fault())
        if fault.status:
            return self._send(fault.status, {"Content-Length": "0"}, b"")
        hub_path = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
        if hub_path and f"/{hub_path[1]}/{hub_path[3]}" in p.files:
            return self._hub(hub_path, p.files[f"/{hub_path[1]}/{hub_path[3]}"], body)
        if self.path not in p.files:
            return self._send(404, {"Content-Length": "0"}, b"")
        return self._file(p.files[self.path], byte_range if body else None, fault, body)

    def _hub(self, hub_path: re.Match[str], content: bytes, body: bool) -> None:
        """Small files as they are, with git's hash; large ones by a redirect to another host, with their sha256."""
        name = hub_path[3]
        headers = {"X-Repo-Commit": self.publisher.commit} if self.publisher.commit else {}
        if name.endswith((".yaml", ".json")):
            etag = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            headers |= {"ETag": f'"{self.publisher.states.get(name, etag)}"', "Content-Length": str(len(content))}
            return self._send(200, headers, content if body else b"")
        etag = hashlib.sha256(content).hexdigest()
        cdn = self.publisher.url.replace("127.0.0.1", "localhost")
        headers |= {
            "ETag": '"of the redirect"',
            "X-Linked-Etag": f'"{self.publisher.states.get(name, etag)}"',
            "X-Linked-Size": str(len(content)),
            "Location": f"{cdn}/cdn/{name}",
            "Content-Length": "0",
        }
        self.publisher.files.setdefault(f"/cdn/{name}", content)
        return self._send(302, headers, b"")

    def _file(self, content: bytes, byte_range: str | None, fault: Fault, body: bool) -> None:
        start = int(byte_range.removeprefix("bytes=").rstrip("-")) if byte_range and not fault.ignore_range else 0
        if start and start >= len(content):
            return self._send(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"}, b"")
        rest = content[start:]
        headers = {"Content-Length": str(len(rest) + fault.length_off)}
        if start:
            first = start + 1 if fault.wrong_range else start
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        sent = rest[: fault.drop_after] if fault.drop_after is not None else rest
        self._send(206 if start else 200, headers, sent[: len(rest) + fault.length_off] if body else b"")
        self.close_connection = True

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def serve(publisher: Publisher) -> ThreadingHTTPServer:
    """Start serving in a thread, on a free port of 127.0.0.1."""
    handler = type("BoundHandler", (Handler,), {"publisher": publisher})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    publisher.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server
