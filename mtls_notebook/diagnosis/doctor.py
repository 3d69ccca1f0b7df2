"""Why a connection failed, and what to do: from what was recorded, never from an error's text.

A *symptom* is read off the recording (who sent which alert, which verify code, what the socket
or HTTP said); SYMPTOMS gives its words. When a server refused a client certificate its alert
often blurs the reason (one fault, four alerts, depending on the server), so the certificate's
own FAULTS are looked at first: they are facts we hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ..pki.certificate import Certificate
from ..recorder.handshake import Handshake


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a connection failed (`cause`), what shows it (`evidence`), what to do (`fix`)."""

    cause: str
    evidence: tuple[str, ...]
    fix: str


@dataclass(frozen=True, slots=True)
class Case:
    """All that the doctor looks at.

    `name` is what the store calls the offered certificate; `failure` is the failed phase ("" when HTTP
    answered), `body` the first bytes of the answer. `proxy` is the URL of a proxy that failed, `proxy_status`
    what that answered (0: nothing).
    """

    host: str
    name: str
    offered: Certificate | None
    handshake: Handshake | None
    failure: str = ""
    status: int = 0
    body: bytes = b""
    now: datetime | None = None
    proxy: str = ""
    proxy_status: int = 0

    @property
    def asked(self) -> bool:
        """Return whether the server asked for a client certificate."""
        return self.handshake is not None and self.handshake.acceptable_parties is not None

    @property
    def presented(self) -> bool:
        """Return whether a client certificate really crossed the wire."""
        return self.handshake is not None and bool(self.handshake.client_chain)

    @property
    def parties(self) -> tuple[str, ...]:
        """Return the issuers that the server said it accepts."""
        return (self.handshake.acceptable_parties if self.handshake else None) or ()


def examine(case: Case) -> Diagnosis | None:
    """Return the diagnosis of a case, None when nothing is wrong with the connection."""
    symptom = _symptom(case)
    if symptom is None:
        return None
    cause, fix = _words(symptom, case)
    return Diagnosis(_fill(cause, case), _evidence(symptom, case), _fill(fix, case))


# -- reading the symptom -------------------------------------------------------------------------

_CERTIFICATE_ALERTS = {40, 42, 43, 44, 45, 46, 48, 49, 116}
_NO_VERDICTS = {20, 22, 51, 80}  # bad_record_mac, record_overflow, decrypt_error, internal_error: about no certificate
_HTTP_TITLES = (
    (re.compile(rb"No required SSL certificate was sent"), "http-no-certificate"),
    (re.compile(rb"The SSL certificate error"), "http-bad-certificate"),
    (re.compile(rb"plain HTTP request was sent to HTTPS port"), "http-to-https"),
)


def _symptom(case: Case) -> str | None:
    shake = case.handshake
    if case.status:
        return _http_symptom(case)
    if case.failure == "abandoned":
        return case.failure
    if shake is not None and shake.alert is not None:
        return _alert_symptom(case)
    if shake is not None and shake.version and case.asked and case.failure in ("closed", "reset"):
        return "closed-after-asking"
    return case.failure or None


def _http_symptom(case: Case) -> str | None:
    if case.status not in (400, 403, 495, 496):
        return None
    known = next((name for pattern, name in _HTTP_TITLES if pattern.search(case.body)), None)
    if known:
        return known
    numbered = {495: "http-bad-certificate", 496: "http-no-certificate"}.get(case.status)
    if numbered:
        return numbered
    # A 400 or 403 is about certificates only when the server asked for one and got none.
    return "http-no-certificate" if case.asked and not case.presented else None


def _came_empty_handed(shake: Handshake) -> bool:
    """Return whether the client's Certificate message crossed without a certificate in it."""
    return not shake.client_chain and any(a.name == "Certificate" and a.sender == "client" for a in shake.arrows)


def _alert_symptom(case: Case) -> str:
    assert case.handshake is not None and case.handshake.alert is not None
    alert = case.handshake.alert
    if alert.sender == "client":
        return "refused-server" if case.failure in ("", "tls") else case.failure
    if case.asked and not case.presented and _came_empty_handed(case.handshake) and alert.number not in _NO_VERDICTS:
        return "no-client-certificate"
    if case.asked and alert.number in _CERTIFICATE_ALERTS:
        return "refused-client" if case.presented else "no-client-certificate"
    return f"alert-{alert.number}"


# -- what is wrong with the certificate that was offered -------------------------------------------

Fault = tuple[Callable[[Certificate, Case], bool], str, str]


def _expired(own: Certificate, case: Case) -> bool:
    return case.now is not None and own.not_after < case.now


def _not_yet_valid(own: Certificate, case: Case) -> bool:
    return case.now is not None and own.not_before > case.now


def _wrong_usage(own: Certificate, _case: Case) -> bool:
    usages = own.extended_key_usage
    return bool(usages) and not {"clientAuth", "anyExtendedKeyUsage"} & set(usages)


def _self_signed(own: Certificate, _case: Case) -> bool:
    return own.is_self_signed


def _stranger(own: Certificate, case: Case) -> bool:
    shake = case.handshake
    if shake is None or not shake.acceptable_names:
        return False
    presented = [Certificate.from_der(der) for der in shake.client_chain] or [own]
    return not {one.issuer_der for one in presented} & set(shake.acceptable_names)


FAULTS: tuple[Fault, ...] = (
    (
        _expired,
        "{host} refused the client certificate {own}: it expired on {not_after}.",
        "Get a current one from its issuer, then rotate: %mtls_upload --cert CERT --key KEY --name {name}",
    ),
    (
        _not_yet_valid,
        "{host} refused the client certificate {own}: it is not valid before {not_before}.",
        "Wait until then (or check this machine's clock), or upload one that is valid now.",
    ),
    (
        _wrong_usage,
        "{host} refused the client certificate {own}: it may be used for {usages}, not for clientAuth.",
        "Ask its issuer for a certificate with the extended key usage clientAuth, then %mtls_upload it.",
    ),
    (
        _self_signed,
        "{host} refused the client certificate {own}: it is self-signed, no CA vouches for it.{accepts}",
        "Upload a certificate issued by a CA that {host} trusts: %mtls_upload --cert CERT --key KEY",
    ),
    (
        _stranger,
        "{host} refused the client certificate {own}: it does not trust its issuer {issuer}.{accepts}",
        "Upload a certificate issued by a party it accepts (with any intermediate), and bind that one.",
    ),
)

_REFUSED_ANYHOW = (
    "{host} refused the client certificate {own}, issued by {issuer}{alert}.{accepts}",
    "Ask who runs {host} why; an intermediate certificate missing from --cert is the usual reason.",
)
_NO_CERTIFICATE = (
    "{host} requires a client certificate and none was sent{alert}.{accepts}",
    "Upload one (%mtls_upload), bind it (%mtls_bindings MY_CERT=NAME) and call env.MY_CERT.fetch(…).",
)

SYMPTOMS: dict[str, tuple[str, str]] = {
    "http-to-https": ("{host} got plain HTTP on its HTTPS port.", "Write https:// in the URL."),
    "closed-after-asking": (
        "{host} asked for a client certificate, then closed the connection without an alert or an answer.",
        "Some servers refuse this way. Check that the certificate is one that it accepts.{accepts}",
    ),
    "dns": (
        "{host} does not resolve to an address.",
        "Check the spelling of the host in the URL.",
    ),
    "refused": (
        "{host} refused the TCP connection: nothing listens there.",
        "Check host and port; is the server up?",
    ),
    "unreachable": ("{host} cannot be reached from here.", "Check the network, a VPN or a proxy setting."),
    "connect-timeout": (
        "{host} did not answer in time while connecting.",
        "Check host and port, or try again later.",
    ),
    "read-timeout": (
        "{host} accepted the request and then stayed silent.",
        "Try again, or give it longer: --timeout S.",
    ),
    "reset": (
        "{host} reset the connection.",
        "Try again; if it stays, something between refuses TLS or this client.",
    ),
    "closed": ("{host} closed the connection without an answer.", "Try again; its log knows why."),
    "protocol": ("{host} answered something that is not HTTP.", "Check that the port speaks HTTPS."),
    "given-up": (
        "{host} gave this request up before it answered (HTTP/2 RST_STREAM).",
        "Try again; its log knows why.",
    ),
    "not-processed": (
        "{host} sent the request back unprocessed, again and again (HTTP/2 REFUSED_STREAM or GOAWAY).",
        "It takes no requests at the moment: try again later.",
    ),
    "only-http1": (
        "{host} wants HTTP/1.1 for this request, whose body was on its way already.",
        "Send it again: from now on this worker speaks HTTP/1.1 to {host}.",
    ),
    "proxy-unreachable": (
        "The proxy {proxy}, through which {host} is reached, cannot be connected to.",
        "Check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY; NO_PROXY={host} goes round it.",
    ),
    "proxy-silent": (
        "The proxy {proxy} closed the connection instead of leading to {host}.",
        "Ask who runs it; NO_PROXY={host} goes round it.",
    ),
    "proxy-garbled": (
        "The proxy {proxy} answered something that is no HTTP when it was to lead to {host}.",
        "Check that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY name an HTTP proxy and its port.",
    ),
    "proxy-credentials": (
        "The proxy {proxy} wants credentials (407) before it leads to {host}.",
        "Put them into its URL in the environment: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT",
    ),
    "proxy-denied": (
        "The proxy {proxy} does not accept the credentials in its URL (407), so {host} is not reached.",
        "Check user and password in HTTPS_PROXY; special characters are written in percent form.",
    ),
    "proxy-refused": (
        "The proxy {proxy} does not lead to {host}: it answered {proxy_status} to CONNECT.",
        "Ask who runs it whether it lets this host and port through; NO_PROXY={host} goes round it.",
    ),
    "proxy-scheme": (
        "The environment names the proxy {proxy} for {host}; only http:// proxies are spoken to here.",
        "Name an http:// proxy in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, or go round it: NO_PROXY={host}",
    ),
    "proxy-url": (
        "The proxy that the environment names for {host} is no URL.",
        "Write it as http://HOST:PORT, special characters of a password in percent form, or unset it.",
    ),
    "not-tls-http": (
        "{host} speaks plain HTTP on this port, not TLS.",
        "Write http://, or use the HTTPS port.",
    ),
    "not-tls-ssh": ("{host} speaks SSH on this port, not TLS.", "Use the HTTPS port."),
    "not-tls-smtp": ("{host} speaks SMTP on this port, not TLS.", "Use the HTTPS port."),
    "not-tls": ("{host} does not speak TLS on this port.", "Use the HTTPS port."),
    "abandoned": ("The worker gave up its fetch from {host}.", "Nothing is wrong with the connection."),
    "body": ("The request to {host} broke off: its own body could not be read.", "Look at what the worker sends."),
    "request": ("The request to {host} is no valid HTTP/1.1.", "Look at the method and the headers it sets."),
    "truncated": ("{host} broke the response off midway.", "Try again; its log knows why."),
    "alert-40": (
        "{host} found nothing in common with this client (alert handshake_failure).",
        "It may allow only other cipher suites or versions; %mtls_handshake shows what was offered.",
    ),
    "alert-70": (
        "{host} speaks none of the TLS versions offered (alert protocol_version).",
        "It may be too old: this client offers TLS 1.2 and 1.3.",
    ),
    "alert-112": (
        "{host} serves no site of that name (alert unrecognized_name).",
        "Check the host in the URL.",
    ),
    "tls": ("The TLS handshake with {host} failed{alert}.", "%mtls_handshake shows how far it came."),
}

# Our own verdict on the server, by OpenSSL's verify code (X509_V_ERR_…).
_UNTRUSTED = (
    "{host} presented a certificate of an issuer that is not trusted here{server_issuer}.",
    "If you trust that CA: %mtls_upload --ca-cert CA.pem",
)
VERIFY_CODES: dict[int, tuple[str, str]] = {
    **dict.fromkeys((2, 18, 19, 20, 21, 27), _UNTRUSTED),
    9: (
        "{host} presented a certificate that is not valid yet.",
        "Check this machine's clock, or tell who runs it.",
    ),
    10: (
        "{host} presented a certificate that has expired.",
        "Tell who runs {host}; nothing here can mend it.",
    ),
    26: ("{host} presented a certificate that is not meant for servers.", "Tell who runs {host}."),
    7: ("{host} presented a certificate with a broken signature.", "Do not trust this connection."),
    62: (
        "{host} presented a certificate for another name{server_names}.",
        "Use one of those names in the URL.",
    ),
    64: ("{host} presented a certificate that does not name this IP address.", "Use the server's host name."),
}


def _words(symptom: str, case: Case) -> tuple[str, str]:
    if symptom in ("refused-client", "http-bad-certificate"):
        return _own_fault(case) or _REFUSED_ANYHOW
    if symptom in ("no-client-certificate", "http-no-certificate"):
        return _NO_CERTIFICATE if case.offered is None else _withheld(case)
    if symptom == "closed-after-asking":
        return (_own_fault(case) if case.presented else None) or SYMPTOMS[symptom]
    if symptom == "refused-server":
        return VERIFY_CODES.get(_verify_code(case), SYMPTOMS["tls"])
    return SYMPTOMS.get(symptom, SYMPTOMS["tls"])


def _own_fault(case: Case) -> tuple[str, str] | None:
    if (own := case.offered) is None:
        return None
    return next(((cause, fix) for is_so, cause, fix in FAULTS if is_so(own, case)), None)


def _withheld(case: Case) -> tuple[str, str]:
    return (
        "{host} requires a client certificate, but {own} was not sent: its key fits no algorithm the server takes.",
        "Ask which key types {host} accepts, and upload a certificate with such a key.",
    )


def _verify_code(case: Case) -> int:
    return case.handshake.verify_code if case.handshake else 0


# -- filling the words ------------------------------------------------------------------------------


def _fill(text: str, case: Case) -> str:
    own, shake = case.offered, case.handshake
    alert = shake.alert if shake else None
    filled = text.format(
        host=case.host,
        name=case.name or "NAME",
        own=(own.common_name or own.subject or own.fingerprint_sha256[:16]) if own else "",
        issuer=own.issuer if own else "",
        not_after=f"{own.not_after:%Y-%m-%d}" if own else "",
        not_before=f"{own.not_before:%Y-%m-%d}" if own else "",
        usages=", ".join(own.extended_key_usage) if own else "",
        proxy=case.proxy,
        proxy_status=case.proxy_status,
        alert=f" (alert {alert.name})" if alert else "",
        accepts=f" It accepts: {_some(case.parties)}." if case.parties else "",
        server_issuer=_server_fact(case, "issuer"),
        server_names=_server_fact(case, "names"),
    )
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in filled)  # names are strangers' words


def _server_fact(case: Case, which: str) -> str:
    chain = case.handshake.server_chain if case.handshake else ()
    if not chain:
        return ""
    leaf = Certificate.from_der(chain[0])
    found = leaf.issuer if which == "issuer" else _some(leaf.subject_alternative_names)
    return f" ({found})" if found else ""


def _some(names: tuple[str, ...], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return "; ".join(names[:most]) + more


def _evidence(symptom: str, case: Case) -> tuple[str, ...]:
    shake = case.handshake
    if shake is None:
        return (symptom,)
    alert = shake.alert
    found = (
        shake.version,
        f"alert {alert.number} {alert.name} from the {alert.sender}" if alert else "",
        f"verify code {shake.verify_code}" if shake.verify_code else "",
        f"HTTP {case.status}" if case.status else "",
        f"last message: {shake.arrows[-1].name}" if shake.arrows else "no message crossed",
    )
    return tuple(one for one in found if one)
