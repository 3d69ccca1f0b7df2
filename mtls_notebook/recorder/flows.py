"""The stories that a learner arrives with, TLS in 4 steps and mTLS in 7, as tables: which real message
belongs to which step, in both versions. The story is never bent to fit: what no message says
stands in a caption, and "+" is what the usual seven-step list leaves out.

Tables only. Source of the order of messages: RFC 8446 §2 (figure 1), RFC 5246 §7.3 (figure 1).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the story. `number` is "1"…"7", or "+" for what the usual list leaves out.

    `caption` is shown where no message belongs to the step.
    """

    number: str
    title: str
    mtls_only: bool = False
    caption: str = ""


_ASKS = Step("+", "Server asks who you are", mtls_only=True)
_VERIFIES = "no message: the client checks the chain against the CAs it trusts"
_GRANTS = "no message says so: no alert came"

TLS_STEPS = (
    Step("1", "Client connects to server"),
    Step("2", "Server presents its certificate"),
    Step("3", "Client verifies it", caption=_VERIFIES),
    Step("4", "They exchange data, encrypted", caption="nothing was sent"),
)
MTLS_STEPS = (
    *TLS_STEPS[:3],
    _ASKS,
    Step("4", "Client presents its certificate", mtls_only=True),
    Step("5", "Server verifies it", mtls_only=True, caption="no message: nothing was presented to verify"),
    Step("6", "Server grants access", mtls_only=True, caption=_GRANTS),
    Step("7", "They exchange data, encrypted", caption="nothing was sent"),
)
RESUMED_STEPS = (
    Step("1", "Client connects to server"),
    Step("2", "Both resume an earlier session", caption="no certificate is sent: the ticket stands for both"),
    Step("3", "They exchange data, encrypted", caption="nothing was sent"),
)

# Which step a message belongs to, by (name, sender). "+" steps move to where the message really came.
_TLS = {
    ("ClientHello", "client"): "1",
    ("HelloRetryRequest", "server"): "1",
    ("ServerHello", "server"): "1",
    ("EncryptedExtensions", "server"): "1",
    ("Certificate", "server"): "2",
    ("CompressedCertificate", "server"): "2",
    ("CertificateStatus", "server"): "2",
    ("ServerKeyExchange", "server"): "3",
    ("CertificateVerify", "server"): "3",
    ("ServerHelloDone", "server"): "3",
    ("ClientKeyExchange", "client"): "3",
}
_MTLS = _TLS | {
    ("CertificateRequest", "server"): "+",
    ("ServerHelloDone", "server"): "+",
    ("Certificate", "client"): "4",
    ("CompressedCertificate", "client"): "4",
    ("ClientKeyExchange", "client"): "4",
    ("CertificateVerify", "client"): "5",
}
FLOWS: dict[tuple[str, str], tuple[tuple[Step, ...], dict[tuple[str, str], str]]] = {
    ("TLS 1.3", "TLS"): (TLS_STEPS, _TLS | {("Finished", "server"): "3", ("Finished", "client"): "3"}),
    ("TLS 1.3", "mTLS"): (
        (MTLS_STEPS[0], _ASKS, *MTLS_STEPS[1:3], *MTLS_STEPS[4:]),
        _MTLS | {("Finished", "server"): "3", ("Finished", "client"): "5", ("NewSessionTicket", "server"): "7"},
    ),
    ("TLS 1.2", "TLS"): (TLS_STEPS, _TLS | {("Finished", "client"): "3", ("Finished", "server"): "3"}),
    ("TLS 1.2", "mTLS"): (
        MTLS_STEPS,
        _MTLS
        | {
            ("Finished", "client"): "5",
            ("NewSessionTicket", "server"): "6",
            ("ChangeCipherSpec", "server"): "6",
            ("Finished", "server"): "6",
        },
    ),
    ("", "resumed"): (
        RESUMED_STEPS,
        {("ClientHello", "client"): "1", ("ServerHello", "server"): "1", ("Finished", "server"): "2"},
    ),
}

# Messages that a handshake without client authentication does not have.
MTLS_ONLY = {
    ("CertificateRequest", "server"),
    ("Certificate", "client"),
    ("CompressedCertificate", "client"),
    ("CertificateVerify", "client"),
}
