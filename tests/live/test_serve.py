"""A worker as the server's end of mutual TLS: it reads who connects and decides, in both languages.

Clients are Python's ssl, and workers with bindings: then both ends run here.
"""

from __future__ import annotations

import gzip
import json
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mtls_notebook.api import Session
from mtls_notebook.errors import UsageError
from mtls_notebook.pki.authority import Authority, Issued, Order, issue_bad
from mtls_notebook.pki.certificate import tls_client_auth
from mtls_notebook.recorder.events import Kind
from mtls_notebook.worker import serve
from mtls_notebook.worker.engines import ENGINES, Surroundings
from mtls_notebook.worker.exchange import Environment, Language, Program, WorkerSource
from mtls_notebook.worker.serve import Served
from tests.live.plain_http import DeadFetcher
from tests.unit.lab.dial import WAIT_S, Reply, ask, dial, read_reply

HOST = "api.example.com"
LANGUAGES: tuple[Language, ...] = ("js", "python")

# One worker in two languages: it says all that it was asked, and does as the path says.
DESCRIBE: dict[Language, str] = {
    "js": """\
const DOINGS = {
  "/throw": () => { throw new RangeError("out of luck"); },
  "/loop": () => { console.log("looping"); for (;;); },
  "/packed": () => new Response("packed ".repeat(1000), { headers: { "content-encoding": "gzip" } }),
  "/cookies": () => new Response("", { headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x-e", "é"]] }),
  "/odd": () => new Response("", { headers: { "x-odd": "a\\u0001b" } }),
  "/nothing": () => new Response(null, { status: 204 }),
};
export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (DOINGS[pathname]) return DOINGS[pathname]();
    return Response.json({
      method: request.method,
      url: request.url,
      headers: Object.fromEntries(request.headers),
      body: await request.text(),
      protocol: request.cf.httpProtocol,
      version: request.cf.tlsVersion,
      cipher: request.cf.tlsCipher,
      auth: request.cf.tlsClientAuth,
    });
  },
};
""",
    "python": """\
import gzip
from urllib.parse import urlsplit

from workers import Response, WorkerEntrypoint


def throw():
    raise IndexError("out of luck")


def loop():
    print("looping")
    while True:
        pass


def packed():
    return Response(gzip.compress(b"packed " * 1000), headers={"content-encoding": "gzip"})


def cookies():
    return Response("", headers=[("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-e", "é")])


DOINGS = {
    "/throw": throw, "/loop": loop, "/packed": packed, "/cookies": cookies,
    "/odd": lambda: Response("", headers={"x-odd": "a\\u0001b"}),
    "/nothing": lambda: Response(None, status=204),
}


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        path = urlsplit(request.url).path
        if path in DOINGS:
            return DOINGS[path]()
        return Response.json({
            "method": request.method,
            "url": request.url,
            "headers": dict(request.headers),
            "body": await request.text(),
            "protocol": request.cf.httpProtocol,
            "version": request.cf.tlsVersion,
            "cipher": request.cf.tlsCipher,
            "auth": vars(request.cf.tlsClientAuth),
        })
""",
}

# Who is let in is decided in code: by whether it verifies, then by issuer, name and fingerprint.
POLICY: dict[Language, str] = {
    "js": """\
export default {
  async fetch(request, env) {
    const client = request.cf.tlsClientAuth;
    if (client.certPresented !== "1") return new Response("show a certificate", { status: 401 });
    if (client.certVerified !== "SUCCESS") return new Response(client.certVerified, { status: 403 });
    if (client.certIssuerDN !== env.ISSUER) return new Response("another issuer", { status: 403 });
    const isKnown = env.NAMES.includes(client.certSubjectDN) || env.FINGERPRINTS.includes(client.certFingerprintSHA256);
    if (!isKnown) return new Response("not on the list", { status: 403 });
    return new Response(`welcome, ${client.certSubjectDN}`);
  },
};
""",
    "python": """\
from workers import Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        client = request.cf.tlsClientAuth
        if client.certPresented != "1":
            return Response("show a certificate", status=401)
        if client.certVerified != "SUCCESS":
            return Response(client.certVerified, status=403)
        if client.certIssuerDN != self.env.ISSUER:
            return Response("another issuer", status=403)
        if client.certSubjectDN in self.env.NAMES or client.certFingerprintSHA256 in self.env.FINGERPRINTS:
            return Response(f"welcome, {client.certSubjectDN}")
        return Response("not on the list", status=403)
""",
}

CALLER: dict[Language, str] = {
    "js": f'export default {{ fetch: (request, env) => env.MY_CERT.fetch("https://{HOST}/orders") }};',
    "python": f"""\
async def on_fetch(request, env):
    return await env.MY_CERT.fetch("https://{HOST}/orders")
""",
}


def program(
    language: Language, code: str, variables: dict[str, object] | None = None, says: Callable[[str], None] = print
) -> Program:
    """Return a worker, made ready, that reaches nobody; `says` hears what it prints."""
    environment = Environment({}, DeadFetcher(), variables or {})
    return ENGINES[language](
        WorkerSource(language, code, "served"), Surroundings(environment, lambda line: says(line.text))
    )


@pytest.fixture(scope="module")
def ca() -> Authority:
    return Authority.create("Served CA")


@dataclass(frozen=True, slots=True)
class Clients:
    """Makes client contexts that trust the CA; key files live in a folder of this test session."""

    ca: Authority
    folder: Path

    def context(self, issued: Issued | None = None) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.load_verify_locations(cadata=self.ca.certificate.pem())
        if issued is not None:
            cert, key = self.files(issued)
            made.load_cert_chain(cert, key)
        return made

    def files(self, issued: Issued) -> tuple[Path, Path]:
        stem = issued.certificate.fingerprint_sha256[:16]
        cert, key = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
        cert.write_bytes(issued.certificate_pem)
        key.write_bytes(issued.key_pem)
        return cert, key


@pytest.fixture(scope="module")
def clients(ca: Authority, tmp_path_factory: pytest.TempPathFactory) -> Clients:
    return Clients(ca, tmp_path_factory.mktemp("clients"))


@pytest.fixture(scope="module", params=LANGUAGES)
def served(request: pytest.FixtureRequest, ca: Authority) -> Iterator[Served]:
    """The describing worker, where a client certificate is optional."""
    language: Language = request.param
    with Served.start(program(language, DESCRIBE[language]), authority=ca, hosts=(HOST, "www.example.com")) as running:
        yield running


def reply_of(served: Served, tls: ssl.SSLContext, target: str = "/", *args: Any) -> Reply:
    with dial(served.port, tls, HOST) as sock:
        return ask(sock, target, *args)


# -- what a request becomes ----------------------------------------------------------------------------


def test_the_worker_sees_the_request_as_it_was_sent(served: Served, clients: Clients) -> None:
    headers = [("x-a", "1"), ("x-a", "2"), ("connection", "keep-alive, x-b"), ("te", "trailers")]
    said = reply_of(served, clients.context(), "/orders?x=%20&y", "POST", headers, b"\xc3\xa9").json()
    assert (said["method"], said["url"], said["body"]) == ("POST", "https://example.com/orders?x=%20&y", "é")
    assert said["headers"]["x-a"] == "1, 2"
    assert not {"connection", "te", "transfer-encoding", "expect"} & set(said["headers"])


def test_a_chunked_body_arrives_whole_and_a_long_one_too(served: Served, clients: Clients) -> None:
    with dial(served.port, clients.context(), HOST) as sock:
        sock.sendall(
            b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
        assert read_reply(sock).json()["body"] == "abcde"
        long = b"x" * 3_000_000
        assert len(ask(sock, "/", "PUT", (), long).json()["body"]) == len(long)


def test_expect_100_continue_is_answered_and_not_shown_to_the_worker(served: Served, clients: Clients) -> None:
    with dial(served.port, clients.context(), HOST) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert sock.recv(1000).startswith(b"HTTP/1.1 100 ")
        sock.sendall(b"ok")
        said = read_reply(sock).json()
    assert (said["body"], "expect" in said["headers"]) == ("ok", False)


@pytest.mark.parametrize("method", ["CONNECT", "TRACE"])
def test_methods_that_no_fetch_can_have_do_not_reach_the_worker(served: Served, clients: Clients, method: str) -> None:
    assert reply_of(served, clients.context(), f"{HOST}:443" if method == "CONNECT" else "/", method).status == 405


@pytest.mark.parametrize("host", ["a@b", "a/b", "a b", "h:99999"])
def test_a_host_that_is_none_is_a_bad_request(served: Served, clients: Clients, host: str) -> None:
    with dial(served.port, clients.context(), HOST) as sock:
        sock.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert read_reply(sock).status == 400


# -- what a response becomes ---------------------------------------------------------------------------


def test_an_answer_says_of_its_coding_what_is_true(served: Served, clients: Clients) -> None:
    reply = reply_of(served, clients.context(), "/packed")
    body = gzip.decompress(reply.body) if reply.headers.get("content-encoding") == "gzip" else reply.body
    assert body == b"packed " * 1000
    assert int(reply.headers.get("content-length", len(reply.body))) == len(reply.body)


def test_every_cookie_is_sent_and_names_beyond_ascii_survive(served: Served, clients: Clients) -> None:
    with dial(served.port, clients.context(), HOST) as sock:
        sock.sendall(b"GET /cookies HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        head = b"".join(iter(lambda: sock.recv(65536), b"")).partition(b"\r\n\r\n")[0]
    lines = head.lower().split(b"\r\n")
    assert [line for line in lines if line.startswith(b"set-cookie")] == [b"set-cookie: a=1", b"set-cookie: b=2"]
    assert "x-e: é".encode() in lines


@pytest.mark.parametrize(("target", "method", "status"), [("/nothing", "GET", 204), ("/", "HEAD", 200)])
def test_an_answer_without_a_body_leaves_the_connection_usable(
    served: Served, clients: Clients, target: str, method: str, status: int
) -> None:
    with dial(served.port, clients.context(), HOST) as sock:
        first = ask(sock, target, method)
        assert (first.status, first.body) == (status, b"")
        assert ask(sock, "/").status == 200


def test_a_worker_that_throws_answers_500_with_its_words_and_goes_on(served: Served, clients: Clients) -> None:
    with dial(served.port, clients.context(), HOST) as sock:
        failed = ask(sock, "/throw")
        assert (failed.status, b"WorkerThrew: " in failed.body, b"out of luck" in failed.body) == (500, True, True)
        assert ask(sock, "/").status == 200


def test_a_header_that_http_cannot_carry_is_the_workers_fault(served: Served, clients: Clients) -> None:
    with dial(served.port, clients.context(), HOST) as sock:
        assert ask(sock, "/odd").status == 500
        assert ask(sock, "/").status == 200


def test_a_body_beyond_the_limit_is_refused_and_the_next_request_served(
    served: Served, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "MOST_BODY_BYTES", 10)
    with dial(served.port, clients.context(), HOST) as sock:
        assert ask(sock, "/", "POST", (), b"x" * 11).status == 413
        assert ask(sock, "/", "POST", (), b"x" * 10).json()["body"] == "x" * 10


def test_many_clients_are_served_at_once(served: Served, clients: Clients) -> None:
    tls = clients.context()

    def ten(client: int) -> list[str]:
        with dial(served.port, tls, HOST) as sock:
            return [ask(sock, "/", "POST", (), f"{client}/{at}".encode()).json()["body"] for at in range(10)]

    with ThreadPoolExecutor(16) as pool:
        said = list(pool.map(ten, range(16)))
    assert said == [[f"{client}/{at}" for at in range(10)] for client in range(16)]


# -- who is there --------------------------------------------------------------------------------------


def test_the_worker_reads_the_clients_certificate_as_production_shows_it(
    served: Served, clients: Clients, ca: Authority
) -> None:
    issued = ca.issue("client-1")
    said = reply_of(served, clients.context(issued)).json()
    expected = tls_client_auth((issued.certificate,), "SUCCESS", True)
    # OpenSSL hands the verified issuer over with the chain; what the leaf alone says must be the same.
    from_the_chain = {"certChainRFC9440", "certIssuerSerial", "certIssuerSKI"}
    assert {k: v for k, v in said["auth"].items() if k not in from_the_chain} == {
        k: v for k, v in expected.items() if k not in from_the_chain
    }
    assert (said["protocol"], said["version"]) == ("HTTP/1.1", "TLSv1.3")
    assert said["cipher"].startswith("AEAD-")


def test_without_a_certificate_the_worker_reads_that_none_was_presented(served: Served, clients: Clients) -> None:
    assert reply_of(served, clients.context()).json()["auth"] == tls_client_auth((), "NONE", False)


@pytest.mark.parametrize(
    ("fault", "verified"),
    [
        ("expired", "FAILED:certificate has expired"),
        ("not-yet-valid", "FAILED:certificate is not yet valid"),
        ("self-signed", "FAILED:self signed certificate"),
        ("other-ca", "FAILED:unable to verify the first certificate"),
    ],
)
def test_a_faulty_certificate_reaches_the_worker_with_its_fault(
    served: Served, clients: Clients, ca: Authority, fault: str, verified: str
) -> None:
    auth = reply_of(served, clients.context(issue_bad(ca, fault, Order("faulty")))).json()["auth"]
    assert (auth["certPresented"], auth["certVerified"]) == ("1", verified)
    assert auth["certSubjectDN"] == "CN=faulty"


def test_a_client_cannot_vouch_for_itself_in_a_header(served: Served, clients: Clients) -> None:
    forged = json.dumps({"tlsClientAuth": {"certPresented": "1", "certVerified": "SUCCESS"}})
    said = reply_of(served, clients.context(), "/", "GET", [("cf-blob", forged), ("CF-Blob", forged)]).json()
    assert said["auth"]["certPresented"] == "0"
    assert "cf-blob" not in said["headers"]


@contextmanager
def requiring(language: Language, ca: Authority) -> Iterator[Served]:
    made = program(language, DESCRIBE[language])
    with Served.start(made, authority=ca, hosts=(HOST,), require_client_cert=True) as running:
        yield running


@pytest.mark.parametrize("language", LANGUAGES)
def test_where_certificates_are_required_the_handshake_refuses_and_the_worker_never_hears(
    language: Language, clients: Clients, ca: Authority
) -> None:
    with requiring(language, ca) as served:
        for refused in (None, issue_bad(ca, "expired", Order("late"))):
            with pytest.raises(ssl.SSLError, match="ALERT"), dial(served.port, clients.context(refused), HOST) as sock:
                ask(sock, "/")
        assert reply_of(served, clients.context(ca.issue("good"))).json()["auth"]["certVerified"] == "SUCCESS"
        asked = [event for seen in served.connections for event in seen.events if event.kind is Kind.REQUEST]
        assert len(asked) == 1


# -- both ends -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("caller", LANGUAGES)
@pytest.mark.parametrize("judge", LANGUAGES)
def test_a_worker_lets_another_in_by_name_by_fingerprint_and_by_issuer(
    judge: Language, caller: Language, ca: Authority, clients: Clients
) -> None:
    other = Authority.create("Another CA")
    by_name, by_print, nobody, foreign = (
        ca.issue("alice"),
        ca.issue("bob"),
        ca.issue("mallory"),
        other.issue("alice"),
    )
    rules: dict[str, object] = {
        "ISSUER": ca.certificate.subject,
        "NAMES": ["CN=alice"],
        "FINGERPRINTS": [by_print.certificate.fingerprint_sha256],
    }
    judging = program(judge, POLICY[judge], rules)
    accepts = (ca.certificate, other.certificate)
    with Served.start(judging, authority=ca, accepts=accepts, hosts=(HOST,)) as served, Session() as session:
        session.trust = session.trust.with_authority(ca.certificate)
        for place, address in served.connect_to.items():
            session.connect_to(*place, address)

        def called_as(issued: Issued) -> tuple[int, str]:
            session.upload(*clients.files(issued), name="mine")
            session.bind(MY_CERT="mine")
            with session.worker(CALLER[caller], language=caller) as worker:
                invocation = worker.fetch(timeout_s=WAIT_S)
            assert invocation.response is not None, invocation.error
            assert [shake.outcome for shake in invocation.handshakes] == ["mutual"]
            return invocation.response.status, invocation.response.text()

        assert called_as(by_name) == (200, "welcome, CN=alice")
        assert called_as(by_print) == (200, "welcome, CN=bob")
        assert called_as(nobody) == (403, "not on the list")
        assert called_as(foreign) == (403, "another issuer")
        assert called_as(issue_bad(ca, "expired", Order("alice"))) == (403, "FAILED:certificate has expired")
        assert reply_of(served, clients.context()).status == 401


# -- beginning and end ---------------------------------------------------------------------------------


def test_the_certificate_is_valid_for_every_name_and_for_the_real_address(served: Served, clients: Clients) -> None:
    assert (served.host, served.named_url) == (HOST, f"https://{HOST}")
    assert served.url == f"https://127.0.0.1:{served.port}"
    assert served.connect_to == {(name, 443): ("127.0.0.1", served.port) for name in (HOST, "www.example.com")}
    for name in (HOST, "www.example.com", "localhost", "127.0.0.1"):
        with dial(served.port, clients.context(), name) as sock:
            assert ask(sock, "/").status == 200


def open_files() -> set[tuple[str, str]]:
    """Return this process's descriptors with what they lead to; earlier tests may still be closing theirs."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the one that listed the folder
            found.add((number, os.readlink(f"/proc/self/fd/{number}")))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_stop_leaves_no_thread_and_no_descriptor_though_clients_are_still_there(
    language: Language, clients: Clients, ca: Authority
) -> None:
    tls = clients.context()
    threads, files = set(threading.enumerate()), open_files()
    looping = threading.Event()
    made = program(language, DESCRIBE[language], says=lambda text: looping.set() if text == "looping" else None)
    with Served.start(made, authority=ca, hosts=(HOST,)) as served:
        with dial(served.port, tls, HOST) as idle, dial(served.port, tls, HOST) as busy:
            assert ask(idle, "/").status == 200
            busy.sendall(b"GET /loop HTTP/1.1\r\nHost: h\r\n\r\n")
            assert looping.wait(WAIT_S)
            served.stop()
            last_words = busy.recv(100)  # told why, or hung up on: the two race; never left waiting
            assert last_words == b"" or last_words.startswith(b"HTTP/1.1 503 ")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", served.port), WAIT_S).close()
    for thread in set(threading.enumerate()) - threads:
        thread.join(WAIT_S)
    assert set(threading.enumerate()) <= threads
    assert open_files() <= files


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_worker_that_takes_too_long_answers_504_and_serves_the_next(
    language: Language, clients: Clients, ca: Authority
) -> None:
    made = program(language, DESCRIBE[language])
    with (
        Served.start(made, authority=ca, hosts=(HOST,), timeout_s=3.0) as served,
        dial(served.port, clients.context(), HOST) as sock,
    ):
        assert ask(sock, "/").status == 200
        late = ask(sock, "/loop")
        assert (late.status, b"did not answer within 3 s" in late.body) == (504, True)
        assert ask(sock, "/").status == 200


def test_what_nobody_could_reach_is_refused_before_it_starts(ca: Authority) -> None:
    made = program("python", DESCRIBE["python"])
    for wrong in (
        {"hosts": ()},
        {"hosts": ("a b",)},
        {"hosts": ("h:1",)},
        {"require_client_cert": True, "accepts": ()},
    ):
        with pytest.raises(UsageError) as caught:
            Served.start(made, authority=ca, **wrong)  # type: ignore[arg-type]
        assert caught.value.hint
    made.stop()
