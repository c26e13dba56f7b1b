"""Servers that answer oddly: a socket, and a function that is given it when the request was read."""

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

Talk = Callable[[socket.socket, str], None]  # the connection, and the first line of the request


@contextmanager
def server(talk: Talk, certificate: Path | None = None) -> Iterator[str]:
    """The address of a server on 127.0.0.1 that talks like this, in a thread for each connection; of https, with a PEM
    file of key and certificate.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate is not None:
        context.load_cert_chain(certificate)

    def serve(plain: socket.socket) -> None:
        plain.settimeout(20)
        with suppress(OSError), context.wrap_socket(plain, server_side=True) if certificate else plain as connection:
            request = b""
            while b"\r\n\r\n" not in request and (came := connection.recv(65536)):
                request += came
            talk(connection, request.partition(b"\r\n")[0].decode("latin-1"))

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def says(status: str, headers: dict[str, object] | None = None, body: bytes = b"") -> Talk:
    """Always the same answer; its length is stated unless the headers say something about it."""
    stated = {"Content-Length": len(body), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in stated.items() if value is not None)
    answer = f"HTTP/1.1 {status}\r\n{head}Connection: close\r\n\r\n".encode("latin-1") + body
    return lambda connection, request: connection.sendall(answer)


def endless(head: bytes, more: bytes, pause_seconds: float = 0.0, seconds: float = 10.0) -> Talk:
    """A head, and then the same for ever (or for some seconds)."""

    def talk(connection: socket.socket, request: str) -> None:
        connection.sendall(head)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            connection.sendall(more)
            time.sleep(pause_seconds)

    return talk


def self_signed(folder: Path) -> Path:
    """A PEM file with a key and its own certificate for 127.0.0.1."""
    options = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    key, certificate, both = folder / "key.pem", folder / "certificate.pem", folder / "both.pem"
    try:
        files = ["-keyout", str(key), "-out", str(certificate)]
        subprocess.run(["openssl", "req", *options, *names, *files], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no certificate can be made: install openssl ({error})")
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both
