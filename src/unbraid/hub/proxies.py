"""The network settings of the environment, proxies and certificates, checked before a connection is made.

A SOCKS proxy without its package, or a missing certificate file, would otherwise end in an exception of the HTTP
library that names neither the variable nor the file. Passwords in proxy addresses are not shown.
"""

import importlib.util
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from unbraid.errors import DownloadError

if TYPE_CHECKING:
    import ssl

CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # a file, or for the last two a folder
CERTIFICATES_FOLDER = "SSL_CERT_DIR"
PROXY_KINDS = ("http", "https", "socks5", "socks5h")


def certificates() -> "ssl.SSLContext | None":
    """The trusted certificates that the environment names; None: those of the system.

    Raises:
        DownloadError: they are missing, or are not certificates.
    """
    named = next((name for name in CERTIFICATES if os.environ.get(name)), None)
    file = os.environ[named] if named else ""
    folder = os.environ.get(CERTIFICATES_FOLDER, "")
    if not file and not folder:
        return None
    if named and os.path.isdir(file) and named != CERTIFICATES[0]:
        file, folder = "", file
    for name, place, is_there in ((named, file, os.path.isfile), (CERTIFICATES_FOLDER, folder, _is_folder)):
        if place and not is_there(place):
            raise DownloadError(
                f"{name} names {place}, which is not there; let it name trusted certificates, or unset it."
            )
    import ssl  # 5 ms, which only downloads need

    try:
        return ssl.create_default_context(cafile=file or None, capath=folder or None)
    except ssl.SSLError:
        raise DownloadError(f"{named} names {file}, which holds no certificates; let it name a PEM file.") from None
    except OSError as error:
        place = error.filename or file or folder
        raise DownloadError(
            f"{place} cannot be opened ({error.strerror or error}); check {named or CERTIFICATES_FOLDER} and "
            "SSLKEYLOGFILE, or unset them."
        ) from None


def check_proxies() -> None:
    """Refuse invalid or unsupported proxies.

    Raises:
        DownloadError: naming the variable.
    """
    for scheme in ("http", "https", "all"):
        if (found := _proxy(scheme)) is not None:
            _check_proxy(*found)


def proxy_of(url: str) -> str:
    """The proxy of an address, as "HTTPS_PROXY (http://proxy:8080)"; "" for none."""
    from urllib.request import proxy_bypass

    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0].rpartition("@")[2]
    found = _proxy(scheme) or _proxy("all")
    if found is None or proxy_bypass(host):
        return ""
    name, address = found
    return f"{name} ({_shown(address)})"


def publisher(variable: str) -> str | None:
    """The address of a publisher that a variable names, without a slash at its end; None where it is not set.

    Raises:
        DownloadError: it is no address.
    """
    address = os.environ.get(variable, "").rstrip("/")
    if address and not (address.startswith(("http://", "https://")) and _is_address(address)):
        raise DownloadError(
            f"{variable} is {_shown(address)!r}, which is not an address; write https://HOST, or unset it."
        )
    return address or None


def _proxy(scheme: str) -> tuple[str, str] | None:
    """The variable that names the proxy of a scheme, and its value; None for no proxy."""
    from urllib.request import getproxies

    proxies = getproxies()
    address = proxies.get(scheme)
    if not address or "*" in (name.strip() for name in proxies.get("no", "").split(",")):
        return None
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper())
    return next((name for name in names if os.environ.get(name) == address), "the system's proxy setting"), address


def _check_proxy(name: str, address: str) -> None:
    kind = address.partition("://")[0].lower() if "://" in address else "http"
    if kind not in PROXY_KINDS:
        raise DownloadError(
            f"{name} names a proxy of the kind {kind[:20]!r}; use one of {', '.join(PROXY_KINDS)}, or unset {name}."
        )
    if not _is_address(address if "://" in address else f"http://{address}"):
        raise DownloadError(f"{name} is {_shown(address)!r}, which is not a proxy address; write http://HOST:PORT.")
    if kind.startswith("socks") and importlib.util.find_spec("socksio") is None:
        raise DownloadError(
            f"{name} names a SOCKS proxy ({_shown(address)}), which needs the package socksio; get it with "
            f"`pip install socksio`, or unset {name}."
        )


def _is_address(address: str) -> bool:
    try:
        parts = urlsplit(address)
        host, is_port = parts.hostname or "", parts.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        return False
    return bool(host) and is_port and address.isprintable() and not any(mark in address for mark in " \"'<>|\\")


def _shown(address: str) -> str:
    """An address without user and password."""
    kind, mark, rest = address.rpartition("://")
    return f"{kind}{mark}{rest.rpartition('@')[2]}"[:80]


def _is_folder(places: str) -> bool:
    return any(os.path.isdir(place) for place in places.split(os.pathsep))
