"""TLS 1.2's two key exchange messages, whose form depends on the cipher suite.

TLS 1.3 has neither: its public values travel in the key_share extension. A key exchange without a
form here (GOST, Kerberos) keeps its bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from mtls_notebook.tls import names
from mtls_notebook.tls.envelope import TLS12, Context
from mtls_notebook.tls.key_shares import read_public_value
from mtls_notebook.tls.reader import Reader

NAMED_CURVE = 3


@dataclass(frozen=True, slots=True)
class ServerKeyExchange:
    """The server's public value, signed unless the suite is anonymous or has only a shared key.

    `params` are the bytes the signature covers (after both randoms); fields a key exchange lacks are empty.
    """

    key_exchange: str
    params: bytes = b""
    psk_identity_hint: bytes | None = None
    group: int | None = None
    public: bytes = b""
    dh_p: bytes = b""
    dh_g: bytes = b""
    algorithm: int | None = None
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class ClientKeyExchange:
    """The client's public value, or the secret encrypted to the server's RSA key."""

    key_exchange: str
    psk_identity: bytes | None = None
    public: bytes = b""
    encrypted_pre_master_secret: bytes = b""
    exchange_keys: bytes = b""


ServerStep = Callable[[Reader, ServerKeyExchange], ServerKeyExchange]
ClientStep = Callable[[Reader, ClientKeyExchange], ClientKeyExchange]


def server_key_exchange(reader: Reader, context: Context) -> ServerKeyExchange:
    """Return a ServerKeyExchange.

    Source: RFC 5246 §7.4.3, RFC 8422 §5.4, RFC 4279 §2, RFC 5489 §2, RFC 5054 §2.7.
    """
    start = reader.position
    value = ServerKeyExchange(context.key_exchange)
    for step in SERVER_FORMS.get(context.key_exchange, (_server_bytes,)):
        value = step(reader, value)
    value = replace(value, params=reader.data[start : reader.position])
    return _signature(reader, value, context) if context.key_exchange in SIGNED else value


def client_key_exchange(reader: Reader, context: Context) -> ClientKeyExchange:
    """Return a ClientKeyExchange.

    Source: RFC 5246 §7.4.7, RFC 8422 §5.7, RFC 4279 §2–§4, RFC 5489 §2.
    """
    value = ClientKeyExchange(context.key_exchange)
    for step in CLIENT_FORMS.get(context.key_exchange, (_client_bytes,)):
        value = step(reader, value)
    return value


# Parts of a ServerKeyExchange


def _hint(reader: Reader, value: ServerKeyExchange) -> ServerKeyExchange:
    return replace(value, psk_identity_hint=reader.vector("psk_identity_hint", 2))


def _ecdh_params(reader: Reader, value: ServerKeyExchange) -> ServerKeyExchange:
    """Read a named curve and a point on it; explicit curves, long forbidden, stay bytes."""
    if reader.u8("curve_type", names.CURVE_TYPES) != NAMED_CURVE:
        return replace(value, public=reader.rest("params"))
    group = reader.u16("namedcurve", names.NAMED_GROUPS)
    return replace(value, group=group, public=read_public_value(reader, "public", 1, group, "server"))


def _dh_params(reader: Reader, value: ServerKeyExchange) -> ServerKeyExchange:
    p, g = reader.vector("dh_p", 2, minimum=1), reader.vector("dh_g", 2, minimum=1)
    return replace(value, dh_p=p, dh_g=g, public=reader.vector("dh_Ys", 2, minimum=1))


def _srp_params(reader: Reader, value: ServerKeyExchange) -> ServerKeyExchange:
    p, g = reader.vector("srp_N", 2, minimum=1), reader.vector("srp_g", 2, minimum=1)
    reader.vector("srp_s", 1, minimum=1)
    return replace(value, dh_p=p, dh_g=g, public=reader.vector("srp_B", 2, minimum=1))


def _server_bytes(reader: Reader, value: ServerKeyExchange) -> ServerKeyExchange:
    reader.rest("params")
    return value


def _signature(reader: Reader, value: ServerKeyExchange, context: Context) -> ServerKeyExchange:
    if not reader.remaining and value.group is None and not value.dh_p:
        return value  # an explicit curve: its end is not known, so the signature went with `params`
    algorithm = reader.u16("algorithm", names.SIGNATURE_SCHEMES) if context.version >= TLS12 else None
    return replace(value, algorithm=algorithm, signature=reader.vector("signature", 2))


SERVER_FORMS: dict[str, tuple[ServerStep, ...]] = {
    "ECDHE": (_ecdh_params,),
    "ECDH_anon": (_ecdh_params,),
    "DHE": (_dh_params,),
    "DH_anon": (_dh_params,),
    "PSK": (_hint,),
    "RSA_PSK": (_hint,),
    "DHE_PSK": (_hint, _dh_params),
    "ECDHE_PSK": (_hint, _ecdh_params),
    "SRP": (_srp_params,),
    "SRP_signed": (_srp_params,),
}
"""Key exchange → the parts of its ServerKeyExchange, in order."""

SIGNED = frozenset({"ECDHE", "DHE", "SRP_signed"})
"""Key exchanges whose parameters the server signs."""


# Parts of a ClientKeyExchange


def _identity(reader: Reader, value: ClientKeyExchange) -> ClientKeyExchange:
    return replace(value, psk_identity=reader.vector("psk_identity", 2))


def _ecdh_public(reader: Reader, value: ClientKeyExchange) -> ClientKeyExchange:
    return replace(value, public=reader.vector("ecdh_Yc", 1, minimum=1))


def _dh_public(reader: Reader, value: ClientKeyExchange) -> ClientKeyExchange:
    return replace(value, public=reader.vector("dh_Yc", 2, minimum=1))


def _srp_public(reader: Reader, value: ClientKeyExchange) -> ClientKeyExchange:
    return replace(value, public=reader.vector("srp_A", 2, minimum=1))


def _unless_implicit(step: ClientStep) -> ClientStep:
    """Return `step` for a static key exchange: empty when the client's certificate has the value."""
    return lambda reader, value: step(reader, value) if reader.remaining else value


def _encrypted(reader: Reader, value: ClientKeyExchange) -> ClientKeyExchange:
    return replace(value, encrypted_pre_master_secret=reader.vector("encrypted_pre_master_secret", 2))


def _client_bytes(reader: Reader, value: ClientKeyExchange) -> ClientKeyExchange:
    return replace(value, exchange_keys=reader.rest("exchange_keys"))


CLIENT_FORMS: dict[str, tuple[ClientStep, ...]] = {
    "ECDHE": (_ecdh_public,),
    "ECDH_anon": (_ecdh_public,),
    "ECDH": (_unless_implicit(_ecdh_public),),
    "DHE": (_dh_public,),
    "DH_anon": (_dh_public,),
    "DH": (_unless_implicit(_dh_public),),
    "RSA": (_encrypted,),
    "PSK": (_identity,),
    "RSA_PSK": (_identity, _encrypted),
    "DHE_PSK": (_identity, _dh_public),
    "ECDHE_PSK": (_identity, _ecdh_public),
    "SRP": (_srp_public,),
    "SRP_signed": (_srp_public,),
}
"""Key exchange → the parts of its ClientKeyExchange, in order."""
