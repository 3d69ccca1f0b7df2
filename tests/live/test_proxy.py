"""Proxies from the environment, in front of real origins: a small CONNECT proxy of ours leads there."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator

import pytest

from mtls_notebook import Session
from mtls_notebook.errors import ConnectError
from mtls_notebook.recorder.events import Kind, Target
from mtls_notebook.worker.exchange import Outgoing
from mtls_notebook.worker.fetch.proxy import ProxyFailed, proxy_for
from tests.live import servers
from tests.live.material import Pki

SECRET = "pass:word"
BASIC = base64.b64encode(f"user:{SECRET}".encode())


class Proxy:
    """An HTTP proxy on loopback that leads every host to one address; `answer` refuses CONNECT instead."""

    def __init__(self, leads_to: tuple[str, int] | None, answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> None:
        self.heads: list[bytes] = []
        self._leads_to = leads_to
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            with client:
                head = client.recv(65536)
                self.heads.append(head)
                client.sendall(self._answer)
                if self._leads_to is not None and head.startswith(b"CONNECT"):
                    with socket.create_connection(self._leads_to) as origin:
                        back = threading.Thread(target=_pass_on, args=(origin, client))
                        back.start()
                        _pass_on(client, origin)
                        back.join()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def session(pki: Pki) -> Iterator[Session]:
    with Session() as made:
        made.trust_authority(pki.ca)
        made.upload(pki.clients["good"].cert, pki.clients["good"].key, name="good")
        made.bind(MY_CERT="good")
        yield made


def fetched(session: Session, url: str) -> bytes:
    fetcher = session.fetcher("MY_CERT")
    try:
        return b"".join(fetcher.send(Outgoing("GET", url, ())))
    finally:
        fetcher.close()


def test_mutual_tls_runs_within_the_tunnel_and_no_credentials_are_kept(
    serve: object, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(servers.nginx, verify="on", version="1.3")  # type: ignore[operator]
    with Proxy(("127.0.0.1", server.port)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:pass%3Aword@localhost:{proxy.port}")
        assert b"verify: SUCCESS" in fetched(session, "https://example.com/")
        assert proxy.heads[0].startswith(b"CONNECT example.com:443 HTTP/1.1\r\n")
        assert BASIC in proxy.heads[0]
    events = session.recording.events(session.recording.connections()[-1])
    target = next(event.data for event in events if isinstance(event.data, Target))
    assert target.proxy == f"http://localhost:{proxy.port}"
    assert SECRET not in repr(events) and BASIC.decode() not in repr(events)
    assert session.handshakes()[-1].outcome == "mutual"


def test_plain_http_is_asked_for_in_absolute_form_and_not_recorded_with_credentials(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(None, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as proxy:
        monkeypatch.setenv("http_proxy", f"user:pass%3Aword@127.0.0.1:{proxy.port}")
        assert fetched(session, "http://plain.example/path?q=1") == b"ok"
        assert proxy.heads[0].startswith(b"GET http://plain.example:80/path?q=1 HTTP/1.1\r\nHost: plain.example\r\n")
        assert BASIC in proxy.heads[0]
    events = session.recording.events(session.recording.connections()[-1])
    assert BASIC.decode() not in repr(events)
    assert Kind.CLOSED in {event.kind for event in events}


@pytest.mark.parametrize(
    ("answer", "user", "words"),
    [
        (b"HTTP/1.1 407 No\r\n\r\n", "", r"wants credentials \(407\)"),
        (b"HTTP/1.1 407 No\r\n\r\n", "user:hidden@", "does not accept the credentials"),
        (b"HTTP/1.1 503 No\r\n\r\n", "", "answered 503 to CONNECT"),
        (b"SSH-2.0-x\r\n\r\n", "", "no HTTP"),
    ],
)
def test_a_proxy_that_does_not_lead_there_is_named(
    session: Session, monkeypatch: pytest.MonkeyPatch, answer: bytes, user: str, words: str
) -> None:
    with Proxy(None, answer) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"http://{user}127.0.0.1:{proxy.port}")
        with pytest.raises(ConnectError, match=words) as caught:
            fetched(session, "https://origin.example/")
    assert f"127.0.0.1:{proxy.port}" in caught.value.message
    assert "hidden" not in str(caught.value)


def test_a_proxy_that_is_not_there_is_named(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{servers.free_port()}")
    with pytest.raises(ConnectError, match=r"The proxy http://127\.0\.0\.1:\d+, through which"):
        fetched(session, "https://origin.example/")


@pytest.mark.parametrize("url", ["socks5://p:1080", "https://p:443", "http://p:port", "http://"])
def test_a_proxy_that_cannot_be_used_is_refused_in_two_lines(
    session: Session, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", url)
    with pytest.raises(ConnectError) as caught:
        fetched(session, "https://origin.example/")
    assert "proxy" in caught.value.message.lower()
    assert caught.value.hint


@pytest.mark.parametrize(
    ("exceptions", "host", "goes_straight"),
    [
        ("", "api.example.com", False),
        ("*", "api.example.com", True),
        ("example.com", "api.example.com", True),
        (".example.com", "api.example.com", True),
        ("*.example.com", "api.example.com", True),
        ("example.com", "badexample.com", False),
        ("EXAMPLE.com:8443", "example.com", True),
        ("example.com:443", "example.com", False),
        ("10.0.0.0/8, other", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("fd00::/8", "fd00::1", True),
        ("[fd00::1]:8443", "fd00::1", True),
        ("", "127.0.0.2", True),
        ("", "::1", True),
        ("", "app.localhost", True),
    ],
)
def test_no_proxy_names_hosts_suffixes_ports_and_networks(exceptions: str, host: str, goes_straight: bool) -> None:
    environment = {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": exceptions}
    assert (proxy_for("https", host, 8443, environment) is None) == goes_straight


def test_the_lower_case_spelling_counts_and_credentials_are_in_no_repr() -> None:
    environment = {"https_proxy": "http://u:hidden@low:1", "HTTPS_PROXY": "http://up:2"}
    proxy = proxy_for("https", "origin.example", 443, environment)
    assert proxy is not None and proxy.address == ("low", 1)
    assert "hidden" not in repr(proxy)
    with pytest.raises(ProxyFailed) as caught:
        proxy_for("https", "origin.example", 443, {"https_proxy": "socks5://u:hidden@low:1"})
    assert "hidden" not in repr(caught.value)


def test_a_host_that_is_led_elsewhere_goes_through_no_proxy(
    serve: object, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(servers.nginx, verify="on", version="1.3")  # type: ignore[operator]
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{servers.free_port()}")
    session.connect_to("example.com", 443, ("127.0.0.1", server.port))
    assert b"verify: SUCCESS" in fetched(session, "https://example.com/")
