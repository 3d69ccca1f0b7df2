"""The stories that a learner arrives with, TLS in 4 steps and mTLS in 7, as tables: which real message
belongs to which step, in both versions. The story is never bent to fit: what no message says
stands in a caption, and "+" is what the usual lists leave out.

A connection tells its story in acts: the first handshake, and perhaps later ones on top of it
(post-handshake authentication, renegotiation). FLOWS holds one story per act.

Tables only. Source of the order of messages: RFC 8446 §2 (figures 1 to 3), §4.6.2; RFC 5246 §7.3.
"""

from __future__ import annotations

from dataclasses import dataclass

Key = tuple[str, str]  # a message's name and its sender


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the story. `number` is "1"…"7", or "+" for what the usual list leaves out.

    `caption` is shown where no message belongs to the step.
    """

    number: str
    title: str
    mtls_only: bool = False
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A step and the messages that belong to it; an `optional` row is there only if one of them came."""

    step: Step
    messages: frozenset[Key]
    optional: bool = False


def _client(*names: str) -> frozenset[Key]:
    return frozenset((name, "client") for name in names)


def _server(*names: str) -> frozenset[Key]:
    return frozenset((name, "server") for name in names)


CONNECT = Step("1", "Client connects to server")
RETRY = Step("+", "Server asks for another key share")
PRESENT = Step("2", "Server presents its certificate")
VERIFY = Step("3", "Client verifies it", caption="no message: the client checks the chain against the CAs it trusts")
ASK = Step("+", "Server asks who you are", mtls_only=True)
ANSWER = Step("4", "Client presents its certificate", mtls_only=True)
CHECK = Step("5", "Server verifies it", mtls_only=True, caption="no message: nothing was presented to verify")
GRANT = Step("6", "Server grants access", mtls_only=True, caption="no message says so: no alert came")
TALK_4 = Step("4", "They exchange data, encrypted", caption="nothing was sent")
TALK_7 = Step("7", "They exchange data, encrypted", caption="nothing was sent")
RESUME = Step("2", "Both resume an earlier session", caption="no certificate is sent: the ticket stands for both")
TALK_3 = Step("3", "They exchange data, encrypted", caption="nothing was sent")
ASK_LATE = Step("+", "Server asks who you are, mid-connection", mtls_only=True)

_HELLOS = _client("ClientHello") | _server("ServerHello")
_RETRY = Row(RETRY, _server("HelloRetryRequest"), optional=True)
_CONNECT_13 = Row(CONNECT, _HELLOS | _server("EncryptedExtensions"))
_CONNECT_12 = Row(CONNECT, _HELLOS | _server("HelloRequest"))
_PRESENT = Row(PRESENT, _server("Certificate", "CompressedCertificate", "CertificateStatus"))
_ANSWER_13 = Row(ANSWER, _client("Certificate", "CompressedCertificate"))
_CHECK = Row(CHECK, _client("CertificateVerify", "Finished"))
_GRANT_13 = Row(GRANT, frozenset())
_TALK_7 = Row(TALK_7, _server("NewSessionTicket"))

# (version, manner) → the rows of that story, from top to bottom.
FLOWS: dict[Key, tuple[Row, ...]] = {
    ("TLS 1.3", "TLS"): (
        _CONNECT_13,
        _RETRY,
        _PRESENT,
        Row(VERIFY, _server("CertificateVerify", "Finished") | _client("Finished")),
        Row(TALK_4, _server("NewSessionTicket")),
    ),
    ("TLS 1.3", "mTLS"): (
        _CONNECT_13,
        _RETRY,
        Row(ASK, _server("CertificateRequest")),
        _PRESENT,
        Row(VERIFY, _server("CertificateVerify", "Finished")),
        _ANSWER_13,
        _CHECK,
        _GRANT_13,
        _TALK_7,
    ),
    ("TLS 1.3", "resumed"): (
        _CONNECT_13,
        _RETRY,
        Row(RESUME, _server("Finished") | _client("Finished")),
        Row(TALK_3, _server("NewSessionTicket")),
    ),
    ("TLS 1.3", "post-handshake"): (
        Row(ASK_LATE, _server("CertificateRequest")),
        _ANSWER_13,
        _CHECK,
        _GRANT_13,
        _TALK_7,
    ),
    ("TLS 1.2", "TLS"): (
        _CONNECT_12,
        _PRESENT,
        Row(
            VERIFY,
            _server("ServerKeyExchange", "ServerHelloDone", "Finished") | _client("ClientKeyExchange", "Finished"),
        ),
        Row(TALK_4, frozenset()),
    ),
    ("TLS 1.2", "mTLS"): (
        _CONNECT_12,
        _PRESENT,
        Row(VERIFY, _server("ServerKeyExchange")),
        Row(ASK, _server("CertificateRequest", "ServerHelloDone")),
        Row(ANSWER, _client("Certificate", "ClientKeyExchange")),
        _CHECK,
        Row(GRANT, _server("NewSessionTicket", "ChangeCipherSpec", "Finished")),
        Row(TALK_7, frozenset()),
    ),
    ("TLS 1.2", "resumed"): (
        _CONNECT_12,
        Row(RESUME, _server("NewSessionTicket", "ChangeCipherSpec", "Finished") | _client("Finished")),
        Row(TALK_3, frozenset()),
    ),
}

# Messages that a handshake without client authentication does not have.
MTLS_ONLY = _server("CertificateRequest") | _client("Certificate", "CompressedCertificate", "CertificateVerify")

# How an ending renames steps: (what happened) → {step: (title, caption)}.
ENDINGS: dict[str, dict[Step, tuple[str, str]]] = {
    "refused-by-server": {GRANT: ("Server refuses access", "no message says so: the connection just ended")},
    "refused-by-client": {VERIFY: ("Client refuses it", "")},
    "empty": {
        ANSWER: ("Client has no certificate to present", ""),
        CHECK: ("Server has nothing to verify", "no message: nothing was presented to verify"),
        GRANT: ("Server grants access all the same", "no message says so: no alert came"),
    },
}
