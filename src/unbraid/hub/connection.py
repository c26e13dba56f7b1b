"""HTTP(S) with untrusted servers: responses are limited in time and size, and not decoded.

Compressed responses are refused, and bodies of redirects are not read. Redirects must stay on HTTP(S), and may not go
from https to http. A thread that counts the bytes received closes connections that are too slow, headers included: a
timeout for each read would never end them.
"""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from unbraid.errors import DownloadError
from unbraid.hub.proxies import certificates, check_proxies

if TYPE_CHECKING:
    import httpx2

TIMEOUT_SECONDS = 15.0  # without any response
SLOW_SECONDS, SLOW_BYTES = 20.0, 1000  # slower transfers are aborted
MOST_HOPS = 10
_WATCH_SECONDS = 0.25
NUMBER = r"(\d{1,15})"
_PASSING_STATUS = {408, 425, 429, 500, 502, 503, 504}
_REFUSALS = {401: "Access is refused", 403: "Access is refused", 404: "There is no such file"}


class TransientError(Exception):
    """A transient failure; another attempt may succeed."""


class Lasting(TransientError):
    """A connection failure that an immediate retry would meet again."""


class Connection:
    """An HTTP client, one request at a time."""

    def __init__(self) -> None:
        import httpx2

        self._sockets: list[socket.socket] = []  # a connection may serve several requests
        check_proxies()
        verify = certificates() or True
        headers = {"User-Agent": "unbraid", "Accept-Encoding": "identity"}
        try:
            self._client = httpx2.Client(timeout=TIMEOUT_SECONDS, headers=headers, verify=verify)
        except (ValueError, ImportError, OSError, httpx2.InvalidURL) as error:
            raise DownloadError(
                f"The proxy settings cannot be used: {error}. Check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY."
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    @contextlib.contextmanager
    def answer(self, method: str, url: str, headers: dict[str, str], *, stay: bool = False) -> Iterator["Answer"]:
        """The answer to a request, its body still to be read; redirects are followed, if `stay`, on the same host.

        Raises:
            TransientError, httpx2.TransportError: this may pass.
            DownloadError: this will not.
        """
        import httpx2

        with _Watch(self._sockets) as watch:
            extensions = {"trace": watch.trace}
            request = self._client.build_request(method, url, headers=headers, extensions=extensions)
            try:
                for _ in range(MOST_HOPS):
                    response = self._client.send(request, stream=True)
                    try:
                        target = response.next_request
                        if target is None or (stay and target.url.netloc != request.url.netloc):
                            yield Answer(response, watch)
                            return
                        _check_redirect(url, response.url, target.url)
                        request = target
                    finally:
                        response.close()
            except httpx2.TransportError:
                if watch.hung_up:
                    raise Lasting(f"fewer than {SLOW_BYTES} bytes came in {SLOW_SECONDS:g} s") from None
                raise
            raise DownloadError(f"{url} is redirected more than {MOST_HOPS} times, as in a circle; check the address.")


class Answer:
    """A response: its head, and its body block by block."""

    def __init__(self, response: "httpx2.Response", watch: "_Watch") -> None:
        self._response, self._watch = response, watch
        self.status: int = response.status_code
        self.is_success: bool = response.is_success
        self.is_redirect: bool = response.is_redirect

    def header(self, name: str) -> str:
        """A header; "" where there is none."""
        return str(self._response.headers.get(name, ""))

    def number(self, name: str, pattern: str = NUMBER) -> int | None:
        """A number in a header that has this form; None where there is none."""
        found = re.fullmatch(pattern, self.header(name), re.ASCII)
        return int(found[1]) if found else None

    def blocks(self) -> Iterator[bytes]:
        """The body, as it was sent.

        Raises:
            DownloadError: it is compressed, which was not asked for.
        """
        if (coding := self.header("Content-Encoding").strip().lower()) not in ("", "identity"):
            raise DownloadError(
                f"{self._response.url} is sent compressed ({coding[:20]!r}), though it was asked for as it is; "
                "something between here and the publisher changes it."
            )
        for block in self._response.iter_raw():
            self._watch.came += len(block)
            yield block


def status_error(status: int, url: str) -> Exception:
    """The error for an HTTP status that is not a success: `TransientError` when another attempt may help."""
    if status in _PASSING_STATUS:
        return TransientError(f"the server answered with status {status}")
    if status == 407:
        return DownloadError(
            f"A proxy refuses: {url} answers with HTTP status 407, it wants a name and a password. Put them into the "
            "proxy's address: HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT."
        )
    return DownloadError(f"{_REFUSALS.get(status, 'The server refuses')}: {url} answers with HTTP status {status}.")


def web_page(url: str) -> DownloadError:
    """The error for a web page in place of a file."""
    return DownloadError(
        f"{url} is answered with a web page instead of the file. The network may want you to sign in: open a browser "
        "to see, and check any proxy settings."
    )


def _check_redirect(url: str, source: "httpx2.URL", target: "httpx2.URL") -> None:
    if target.scheme not in ("http", "https"):
        raise DownloadError(f"{url} is redirected to {str(target)[:80]!r}, which is not on the web; check the address.")
    if (source.scheme, target.scheme) == ("https", "http"):
        raise DownloadError(
            f"{url} is redirected to {str(target)[:80]!r}, which is not encrypted; something between here and the "
            "publisher may do that. Check the network and any proxy settings."
        )


class _Watch:
    """Closes the sockets of a request that is too slow."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self.came = 0  # bytes of bodies
        self.hung_up = False
        self._sockets = sockets
        self._signs = 0  # of life: connections made, heads that begin to be read
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """The trace callback of the HTTP library."""
        self._signs += 1
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._sockets.append(info["return_value"].get_extra_info("socket"))

    def _watch(self) -> None:
        since, before = time.monotonic(), (0, 0)
        while not self._over.wait(_WATCH_SECONDS):
            now = (self._signs, self.came)
            if now[0] != before[0] or now[1] - before[1] >= SLOW_BYTES:
                since, before = time.monotonic(), now
            elif time.monotonic() - since > SLOW_SECONDS:
                self.hung_up = True
                for each in self._sockets:
                    with contextlib.suppress(OSError):
                        socket.socket.shutdown(each, socket.SHUT_RDWR)  # an SSLSocket's own is not for other threads
                return
