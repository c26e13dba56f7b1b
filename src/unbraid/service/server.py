"""The server: a socket, the application on it, until Ctrl-C."""

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn

from unbraid.errors import UsageError
from unbraid.service.app import application
from unbraid.service.context import Service

_EVERYWHERE = ("0.0.0.0", "::")
_BACKLOG = 128
_CONNECTIONS = 200  # at the same time; more are answered with 503
_CLOSING_SECONDS = 3
_MESSAGE_BYTES = 1 << 20  # of a WebSocket


@dataclass(frozen=True)
class Address:
    """The address of a server; port 0 is any that is free."""

    host: str = "127.0.0.1"
    port: int = 8080


def bound(address: Address) -> socket.socket:
    """A socket at an address.

    Raises:
        UsageError: the port is in use, needs rights, or the host is not this machine's.
    """
    try:
        family, kind, number, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, number)
    except (OSError, OverflowError) as error:
        raise UsageError(f"There is no host {address.host}: {error}. Leave --host out for this machine.") from None
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(place)
        opened.listen(_BACKLOG)
    except OSError as error:
        opened.close()
        raise UsageError(_why(address, error)) from None
    return opened


def _why(address: Address, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {address.port} is in use; stop the program that uses it, or choose another with --port."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"Port {address.port} needs the rights of an administrator; choose one from 1024 on with --port."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{address.host} is no address of this machine; leave --host out, or give one of its own."
    return f"The service cannot listen at {address.host}, port {address.port}: {error.strerror or error}."


def url_of(opened: socket.socket) -> str:
    """The address of a page at a socket."""
    host, port = opened.getsockname()[:2]
    if host in _EVERYWHERE:
        host = socket.gethostname()
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def names_of(host: str) -> tuple[str, ...]:
    """Further names of a service that listens at all addresses of this machine."""
    return (socket.gethostname(),) if host in _EVERYWHERE else ()


def serve(service: Service, opened: socket.socket, ready: Callable[[], None]) -> None:
    """Serve at a socket, with workers, until Ctrl-C; READY is called once it answers."""
    config = uvicorn.Config(
        application(service),
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=_CLOSING_SECONDS,
        ws_max_size=_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # which audio only delays
    )
    service.supervisor.start()
    try:
        _Server(config, ready).run(sockets=[opened])
    finally:
        service.pulls.stop()
        service.supervisor.stop()


class _Server(uvicorn.Server):
    """A server that tells when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        self._ready()
