"""The few facts of a message that matter at a glance: its one-line summary, its parties, its chain.

Read from typed values, never from bytes. Longer words about fields are in `prose`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mtls_notebook.tls import names
from mtls_notebook.tls.authentication import (
    CERTIFICATE_AUTHORITIES,
    Certificate,
    CertificateRequest,
    CertificateVerify,
    CompressedCertificate,
    Finished,
)
from mtls_notebook.tls.control import Alert, KeyUpdate, NewSessionTicket
from mtls_notebook.tls.distinguished_names import name_text
from mtls_notebook.tls.envelope import Message, Undecoded
from mtls_notebook.tls.evidence import CertificateStatus
from mtls_notebook.tls.extensions import Extension, ServerName, find
from mtls_notebook.tls.hello import (
    KEY_SHARE,
    ClientHello,
    EncryptedExtensions,
    HelloRetryRequest,
    ServerHello,
)
from mtls_notebook.tls.key_exchange import ClientKeyExchange, ServerKeyExchange
from mtls_notebook.tls.key_shares import KeyShareEntry
from mtls_notebook.tls.reader import meaning_of

LONGEST = 60
SERVER_NAME, ALPN, PRE_SHARED_KEY = 0, 16, 41
SEPARATOR = " · "


def summary(message: Message | Undecoded) -> str:
    """Return the most telling facts in at most 60 characters; "" when the kind says it all."""
    if isinstance(message, Undecoded):
        return f"not decoded · {len(message.raw):,} B"
    describe = SUMMARIES.get(type(message.value))
    text = describe(message.value) if describe else ""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def acceptable_parties(message: Message | Undecoded) -> tuple[str, ...] | None:
    """Return the names (RFC 4514) of the CAs a CertificateRequest accepts.

    (): an empty list, anyone may do. None: TLS 1.3 without the extension, or no CertificateRequest at all.
    Source: RFC 8446 §4.2.4, RFC 5246 §7.4.4.
    """
    request = message.value if isinstance(message, Message) else None
    if not isinstance(request, CertificateRequest):
        return None
    is_tls13 = request.certificate_request_context is not None
    if is_tls13 and not find(request.extensions, CERTIFICATE_AUTHORITIES):
        return None
    return tuple(name_text(der) for der in request.certificate_authorities)


def certificate_chain(message: Message | Undecoded) -> tuple[bytes, ...] | None:
    """Return the DER certificates of a Certificate or CompressedCertificate; () none shown, None otherwise.

    A CompressedCertificate that could not be inflated here gives None.
    """
    value = message.value if isinstance(message, Message) else None
    if isinstance(value, CompressedCertificate):
        value = value.certificate
    return tuple(entry.der for entry in value.entries) if isinstance(value, Certificate) else None


def _client_hello(hello: ClientHello) -> str:
    return _facts(
        _server_name(hello.extensions) or "no SNI",
        _protocols(hello.extensions),
        "offers to resume" if find(hello.extensions, PRE_SHARED_KEY) else "",
    )


def _server_name(extensions: tuple[Extension, ...]) -> str:
    found = find(extensions, SERVER_NAME)
    listed = found.value if found and isinstance(found.value, tuple) else ()
    return next((f"SNI {name.name}" for name in listed if isinstance(name, ServerName)), "")


def _protocols(extensions: tuple[Extension, ...]) -> str:
    found = find(extensions, ALPN)
    return ", ".join(map(str, found.value)) if found and isinstance(found.value, tuple) else ""


def _server_hello(hello: ServerHello) -> str:
    return _facts(
        _chosen_group(hello) or meaning_of(names.VERSIONS, hello.selected_version, 2),
        meaning_of(names.CIPHER_SUITES, hello.cipher_suite, 2),
        "resumes" if find(hello.extensions, PRE_SHARED_KEY) else "",
    )


def _chosen_group(hello: ServerHello) -> str:
    share = find(hello.extensions, KEY_SHARE)
    if share and isinstance(share.value, KeyShareEntry):
        return _group(share.value.group)
    return _group(share.value) if share and isinstance(share.value, int) else ""


def _retry(hello: HelloRetryRequest) -> str:
    group = _chosen_group(hello)
    return f"asks for {group}" if group else "asks for another ClientHello"


def _encrypted_extensions(message: EncryptedExtensions) -> str:
    return _protocols(message.extensions) or _count(len(message.extensions), "extension")


def _certificate_request(request: CertificateRequest) -> str:
    parties = len(request.certificate_authorities)
    return f"trusts {_count(parties, 'party', 'parties')}" if parties else "names no party"


def _certificate(message: Certificate) -> str:
    if not message.entries:
        return "empty"
    size = sum(len(entry.der) for entry in message.entries)
    return _facts(_count(len(message.entries), "certificate"), f"{size:,} B")


def _compressed(message: CompressedCertificate) -> str:
    return _facts(
        meaning_of(names.CERTIFICATE_COMPRESSION, message.algorithm, 2),
        _certificate(message.certificate) if message.certificate else "",
        f"{len(message.compressed):,} B sent",
    )


def _certificate_verify(message: CertificateVerify) -> str:
    return _scheme(message.algorithm)


def _certificate_status(message: CertificateStatus) -> str:
    return _facts(meaning_of(names.STATUS_TYPES, message.status_type, 1), f"{sum(map(len, message.responses)):,} B")


def _server_key_exchange(message: ServerKeyExchange) -> str:
    group = _group(message.group) if message.group is not None else ""
    prime = f"{len(message.dh_p) * 8:,}-bit prime" if message.dh_p else ""
    return _facts(group or prime or message.key_exchange, _scheme(message.algorithm))


def _client_key_exchange(message: ClientKeyExchange) -> str:
    secret = message.public or message.encrypted_pre_master_secret or message.exchange_keys
    return _facts(message.key_exchange, f"{len(secret):,} B" if secret else "")


def _ticket(message: NewSessionTicket) -> str:
    return f"valid {message.ticket_lifetime:,} s" if message.ticket_lifetime else "no stated lifetime"


def _key_update(message: KeyUpdate) -> str:
    return meaning_of(names.KEY_UPDATE_REQUESTS, message.request_update, 1)


def _alert(message: Alert) -> str:
    level = meaning_of(names.ALERT_LEVELS, message.level, 1)
    return f"{level} {message.name} ({message.description})"


def _finished(message: Finished) -> str:
    return f"{len(message.verify_data)} B MAC"


def _group(group: int) -> str:
    return meaning_of(names.NAMED_GROUPS, group, 2)


def _scheme(algorithm: int | None) -> str:
    return meaning_of(names.SIGNATURE_SCHEMES, algorithm, 2) if algorithm is not None else ""


def _facts(*facts: str) -> str:
    return SEPARATOR.join(fact for fact in facts if fact)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


SUMMARIES: dict[type[Any], Callable[[Any], str]] = {
    ClientHello: _client_hello,
    ServerHello: _server_hello,
    HelloRetryRequest: _retry,
    EncryptedExtensions: _encrypted_extensions,
    CertificateRequest: _certificate_request,
    Certificate: _certificate,
    CompressedCertificate: _compressed,
    CertificateVerify: _certificate_verify,
    CertificateStatus: _certificate_status,
    ServerKeyExchange: _server_key_exchange,
    ClientKeyExchange: _client_key_exchange,
    NewSessionTicket: _ticket,
    KeyUpdate: _key_update,
    Alert: _alert,
    Finished: _finished,
}
"""What a value's type is → what to say of it."""
