"""Who may use the service: tokens, the hosts it answers to, and pages of other sites.

A browser lets any web page send requests to a server on this machine. So a request must name a host that is ours, or a
page could come under a name of its own that points here (DNS rebinding); and one that changes anything must not come
from a page of another origin (cross-site request forgery). Programs send no Origin and are not concerned. A token is
compared in constant time; the page keeps it as a cookie that scripts cannot read and other sites cannot send.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from unbraid.errors import UsageError
from unbraid.service import problems

COOKIE = "unbraid"
LEAST_TOKEN = 16  # characters
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_OPEN = ("/v1/health", "/v1/session")  # and the page itself, which has no data
_SAFE = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; "  # WebAssembly, which the tempo of the player needs
        "style-src 'self'; img-src 'self'; "
        "media-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def cookie_of(token: str) -> str:
    """The value of the cookie of a token, from which the token cannot be told."""
    return hmac.new(token.encode(), b"unbraid session", hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Guard:
    """The rules for requests."""

    host: str  # that the server listens at
    tokens: tuple[str, ...] = ()  # none: everybody may use it
    hosts: tuple[str, ...] = ()  # further names of this service

    def __post_init__(self) -> None:
        """Refuse what would be open to strangers.

        Raises:
            UsageError: another host than this machine without a token, or a token that is easily guessed.
        """
        if not self.tokens and not is_loopback(self.host):
            raise UsageError(
                f"Others could use the service at {self.host}; give a token with --token or UNBRAID_TOKEN, or leave "
                "--host out."
            )
        if any(len(token) < LEAST_TOKEN or not token.isascii() or not token.isprintable() for token in self.tokens):
            raise UsageError(
                f"A token has at least {LEAST_TOKEN} characters of ASCII; `openssl rand -hex 16` makes one."
            )

    def answers_to(self, host: str) -> bool:
        """Whether a Host header is one of ours; an address is one where a token is needed, for no site can forge it."""
        name = _host_name(host)
        if name in (*_LOCAL_NAMES, self.host.lower(), *(other.lower() for other in self.hosts)):
            return True
        return bool(self.tokens) and _is_address(name)

    def client(self, headers: Headers) -> str | None:
        """The name of a request's client; None where it has no valid token."""
        if not self.tokens:
            return "local"
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = bearer.strip() if scheme.lower() == "bearer" else ""
        session = _cookie(headers.get("cookie", ""))
        found = None
        for token in self.tokens:  # all of them, whichever is right
            if _same(given, token) or _same(session, cookie_of(token)):
                found = f"token {hashlib.sha256(token.encode()).hexdigest()[:12]}"
        return found


def is_foreign(headers: Headers, host: str) -> bool:
    """Whether a request comes from a page of another origin."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2].lower() != host.lower()


class Gate:
    """ASGI middleware that lets only allowed requests through, and adds the headers of every response."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app, self._guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        client = self._guard.client(Headers(scope=scope))
        scope.setdefault("state", {})["client"] = client
        refusal = self._refusal(scope, client)
        await (refusal or self._app)(scope, receive, with_headers)

    def _refusal(self, scope: Scope, client: str | None) -> ASGIApp | None:
        headers, path = Headers(scope=scope), scope["path"]
        host = headers.get("host", "")
        if not self._guard.answers_to(host):
            told = f"This service has no name {host[:80]!r}; the one who runs it can add it with --allow-host."
            return problems.response(421, told)
        # A browser opens a WebSocket for any page, whatever its origin.
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE
        if changes and is_foreign(headers, host):
            return problems.response(403, "Requests from pages of other sites are refused.")
        if client is None and path.startswith("/v1/") and path not in _OPEN:
            told = "This service needs a token: send the header Authorization: Bearer TOKEN."
            return problems.response(401, told, {"WWW-Authenticate": "Bearer"})
        return None


def checked_tokens(given: Sequence[str], environment: str | None) -> tuple[str, ...]:
    """The tokens of the command line, or else those of the environment, with commas between them."""
    return tuple(given) or tuple(filter(None, (environment or "").split(",")))


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode())


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _host_name(host: str) -> str:
    """localhost:8080 -> localhost, [::1]:8080 -> ::1."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
