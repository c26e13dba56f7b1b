"""What stands between this machine and a publisher: proxies and certificates, named with the variable that is wrong."""

import importlib.util
import socket
from pathlib import Path

import pytest
from odd_servers import endless, says, self_signed, server

from unbraid.errors import DownloadError
from unbraid.hub import connection, download, proxies, publishers
from unbraid.hub.catalogue import catalogue
from unbraid.hub.connection import Connection

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSLKEYLOGFILE")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variables of this machine, and quick attempts."""
    for name in (*PROXIES, *map(str.lower, PROXIES), *CERTIFICATES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(download, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(connection, "TIMEOUT_SECONDS", 5.0)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("socks4://127.0.0.1:9", "names a proxy of the kind 'socks4'; use one of http, https, socks5, socks5h"),
        ("socks://127.0.0.1:9", "names a proxy of the kind 'socks'; use one of"),
        ("ftp://user:secret@127.0.0.1:9", "names a proxy of the kind 'ftp'; use one of"),
        ("http://127.0.0.1:999999", "is 'http://127.0.0.1:999999', which is not a proxy address; write http://"),
        ("http://user:secret@127.0.0.1:x", "is 'http://127.0.0.1:x', which is not a proxy address"),
        ("http://[::1:9", "which is not a proxy address"),
        ("http://", "which is not a proxy address"),
        ("http://127.0.0.1:9\r", "which is not a proxy address"),
        ('"http://127.0.0.1:9"', "names a proxy of the kind"),
        ('"127.0.0.1:9"', "which is not a proxy address"),
    ],
)
def test_a_proxy_that_is_none(variable: str, address: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, address)
    with pytest.raises(DownloadError) as caught:
        Connection()
    assert str(caught.value).startswith(f"{variable} ")
    assert told in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("kind", ["socks5", "socks5h"])
def test_a_socks_proxy_without_its_package(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "socksio" else find(name, *a))
    monkeypatch.setenv("ALL_PROXY", f"{kind}://me:secret@127.0.0.1:9")
    with pytest.raises(DownloadError) as caught:
        Connection()
    assert str(caught.value) == (
        f"ALL_PROXY names a SOCKS proxy ({kind}://127.0.0.1:9), which needs the package socksio; get it with "
        "`pip install socksio`, or unset ALL_PROXY."
    )


@pytest.mark.parametrize("no", ["*", "127.0.0.1", " , ,127.0.0.1", "[::1],fe80::/10,http://[,*.x,127.0.0.1"])
def test_hosts_without_a_proxy(no: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", no)
    with server(says("200 OK", {}, b"text")) as url:
        assert download.fetch_text(f"{url}/t") == "text"


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("502 Bad Gateway", "(5 times in a row), by way of the proxy of HTTPS_PROXY ({proxy}). Check the connection"),
        ("407 Proxy Authentication Required", "The proxy wants a name and a password: HTTPS_PROXY=http://NAME:"),
        ("200 OK\x1b[2J", "HTTPS_PROXY ({proxy})"),
    ],
)
def test_a_proxy_that_refuses(status: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with server(says(status)) as proxy, pytest.raises(DownloadError) as caught:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        download.fetch_text("https://publisher.example/t")
    assert str(caught.value).startswith("https://publisher.example/t cannot be downloaded: ")
    assert told.format(proxy=proxy) in str(caught.value)


def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        proxy = f"127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("ALL_PROXY", f"http://me:secret@{proxy}")
    with pytest.raises(DownloadError) as caught:
        download.fetch_text("http://publisher.example/t")
    assert f"by way of the proxy of ALL_PROXY (http://{proxy}). Check the connection and any" in str(caught.value)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_that_are_not_there(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "/nowhere/cacert.pem")
    with pytest.raises(DownloadError) as caught:
        Connection()
    assert str(caught.value) == (
        f"{variable} names /nowhere/cacert.pem, which is not there; let it name trusted certificates, or unset it."
    )


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("content", [b"", b"junk", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_certificates_that_are_none(
    variable: str, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.pem").write_bytes(content)
    monkeypatch.setenv(variable, str(tmp_path / "ca.pem"))
    with pytest.raises(DownloadError) as caught:
        Connection()
    assert str(caught.value).startswith(f"{variable} names {tmp_path / 'ca.pem'}, which holds no certificates; ")


def test_a_key_log_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "none" / "keys"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    with pytest.raises(DownloadError, match="SSLKEYLOGFILE"):
        Connection()


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://a b/", "http://127.0.0.1:99999/x", f"http://{'a' * 70}.example/", "hf-mirror/x"]
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(DownloadError, match=r"is not an address to download from|cannot be downloaded"):
        download.fetch_text(url)


@pytest.mark.parametrize("variable", ["HF_ENDPOINT", "UNBRAID_SPLEETER_URL"])
@pytest.mark.parametrize(
    "address", ["hf-mirror.com", "file:///etc", "http://[::1", "http://x:99999", "https://a b", "/"]
)
def test_a_publisher_that_is_no_address(variable: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, address)
    name = "spleeter:2stems" if variable.startswith("UNBRAID") else "speechbrain/sepformer-wsj02mix"
    if address == "/":
        assert proxies.publisher(variable) is None
        return
    with pytest.raises(DownloadError) as caught:
        publishers.fetch_published(catalogue().published[name], Path("nowhere"), None)
    assert str(caught.value) == (
        f"{variable} is {address!r}, which is not an address; write https://HOST, or unset it."
    )


def test_a_host_that_nobody_knows() -> None:
    with pytest.raises(DownloadError, match=r"^http://nobody\.invalid/x cannot be downloaded: .*5 times in a row"):
        download.fetch_text("http://nobody.invalid/x")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a server that nobody knows."""
    return self_signed(tmp_path_factory.mktemp("certificate"))


def test_a_certificate_that_nobody_trusts(certificate: Path) -> None:
    with server(says("200 OK", {}, b"text"), certificate) as url, pytest.raises(DownloadError) as caught:
        download.fetch_text(f"{url}/t")
    assert "CERTIFICATE_VERIFY_FAILED" in str(caught.value)
    assert "times in a row" not in str(caught.value)
    told = "If the network has a certificate of its own, let SSL_CERT_FILE name a file that holds it."
    assert str(caught.value).endswith(told)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_certificate_that_is_trusted(variable: str, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, str(certificate))
    with server(says("200 OK", {}, b"text"), certificate) as url:
        assert download.fetch_text(f"{url}/t") == "text"


def test_a_redirect_that_leaves_encryption(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    away = says("302 Found", {"Location": "http://127.0.0.1:9/x"})
    with server(away, certificate) as url, pytest.raises(DownloadError, match="which is not encrypted; something"):
        download.fetch_text(f"{url}/t")


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"])
def test_an_encrypted_trickle(head: bytes, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setattr(connection, "SLOW_SECONDS", 0.5)
    with server(endless(head, b"a", 0.05), certificate) as url, pytest.raises(DownloadError, match="bytes came in 0.5"):
        download.fetch_text(f"{url}/t")
