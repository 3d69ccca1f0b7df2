"""The proofs of a recorded handshake, recomputed: signatures, Finished, PSK binders.

A handshake is full of claims (I hold this key, we both saw the same messages); each one can be checked from the
recording alone, and a reader sees every step. Pure: events in, values out, and nothing that a
peer sent makes it raise. What cannot be recomputed says why. No chain is judged here: a signature that fits
proves that the sender holds the certificate's key, not that anyone trusts the certificate.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from ..tls.authentication import CertificateVerify, Finished
from ..tls.extensions import OfferedPsks, find
from ..tls.hello import ClientHello
from ..tls.key_exchange import ServerKeyExchange
from ..tls.messages import TLS12, TLS13, Message, Undecoded, decode_or_keep
from .conversation import Conversation
from .decrypt import TOLD, with_messages
from .events import Bytes, Event, Kind
from .key_schedule import Derived, binder_keys, finished_12, finished_key, next_traffic_secret
from .keyring import Secrets, secrets_of
from .signatures import Unverifiable, fits, key_der, public_key, scheme_name

PRE_SHARED_KEY = 41


@dataclass(frozen=True, slots=True)
class Proof:
    """One claim of the handshake and what became of it.

    `message_index` counts handshake messages, alerts and ChangeCipherSpecs in the order of the recording.
    `holds` is None when it cannot be recomputed; `why` says in plain words what is proved, or why not.
    `steps` lead from what the recording holds to the value that was compared.
    """

    message_index: int
    title: str
    holds: bool | None
    why: str
    steps: tuple[Derived, ...] = ()


def prove(events: Iterable[Event], psk: bytes = b"") -> tuple[Proof, ...]:
    """Return every proof of the connection, in the order of its messages.

    `psk` is the pre-shared key that the connection offered, for whoever knows it; the key log does not hold it.
    """
    story = tuple(events)
    if not any(event.kind is Kind.MESSAGE for event in story):
        story = with_messages(story)
    bench = _Bench(Conversation(), secrets_of(story), psk)
    told = (event for event in story if event.kind in TOLD)
    return tuple(proof for index, event in enumerate(told) for proof in _proofs_of(bench, index, event))


@dataclass(frozen=True, slots=True)
class _Bench:
    """What a proof is made with."""

    said: Conversation
    secrets: Secrets
    psk: bytes

    def secret(self, label: str) -> bytes | None:
        return self.secrets.get((label, self.said.randoms["client"]))


class _CannotTell(Exception):
    """A claim that cannot be recomputed; the text says why, the steps how far it went."""

    def __init__(self, why: str, *steps: Derived) -> None:
        super().__init__(why)
        self.steps = steps


Verdict = tuple[bool, str, tuple[Derived, ...]]
Prover = Callable[[_Bench, Message], Verdict]


def _proofs_of(bench: _Bench, index: int, event: Event) -> Iterator[Proof]:
    """Yield the proofs that one message carries, and take it into the transcript."""
    if event.kind is not Kind.MESSAGE or not isinstance(event.data, Bytes) or not event.data.data:
        return
    message = decode_or_keep(event.data.data, event.data.sender, bench.said.context)
    prover = _prover(bench, message)
    if prover is not None:
        holds, why, steps = _judged(prover, bench, message)
        yield Proof(index, _title(message), holds, why, steps)
    bench.said.hear(message)


def _judged(
    prover: Prover, bench: _Bench, message: Message | Undecoded
) -> tuple[bool | None, str, tuple[Derived, ...]]:
    if not isinstance(message, Message):
        return None, f"The message does not decode ({message.error.message}), so what it claims is not known.", ()
    try:
        return prover(bench, message)
    except _CannotTell as reason:
        return None, str(reason), reason.steps
    except Unverifiable as reason:
        return None, str(reason), ()


def _title(message: Message | Undecoded) -> str:
    owner = f"{message.sender.capitalize()}'s"
    return f"{owner} {CLAIMS.get(message.kind, message.kind)}"


CLAIMS = {"ClientHello": "PSK binder", "ServerKeyExchange": "signature in ServerKeyExchange"}
"""Message → what its claim is called, where that is not the message's name."""


def _prover(bench: _Bench, message: Message | Undecoded) -> Prover | None:
    """Return what checks the message's claim, None where it makes none."""
    if message.kind == "ClientHello":
        return _binder if _offer(message) is not None else None
    if message.kind not in ("CertificateVerify", "Finished", "ServerKeyExchange"):
        return None
    if not bench.said.version:
        return _without_server_hello
    if bench.said.version < TLS12:
        return _too_old
    if message.kind == "ServerKeyExchange" and isinstance(message, Message) and not _signed(message):
        return None
    return PROVERS.get((bench.said.version >= TLS13, message.kind))


def _signed(message: Message) -> bool:
    return isinstance(message.value, ServerKeyExchange) and message.value.algorithm is not None


def _without_server_hello(_bench: _Bench, _message: Message) -> Verdict:
    raise _CannotTell("The recording holds no ServerHello before it, so what was agreed on is not known.")


def _too_old(_bench: _Bench, _message: Message) -> Verdict:
    raise _CannotTell("Versions before TLS 1.2 sign and hash with MD5 and SHA-1 together; that is not recomputed here.")


# -- signatures ------------------------------------------------------------------------------------

_SIGNED_HANDSHAKE = (
    "The {sender} signed the messages so far with the private key of its certificate ({scheme}). "
    "Whoever does not hold that key, or saw other messages, cannot make this signature."
)
_SIGNED_SHARE = (
    "The server signed its public value and both randoms with the private key of its certificate ({scheme}). "
    "So the value is the server's own, and it was made for this connection."
)
_NO_SIGNATURE = (
    "The signature does not fit ({scheme}): a message or the signature was changed, "
    "or another key than the certificate's made it."
)


def _certificate_verify_13(bench: _Bench, message: Message) -> Verdict:
    """Source: RFC 8446 §4.4.3."""
    seen = _transcript_hash(bench)
    content = b" " * 64 + f"TLS 1.3, {message.sender} CertificateVerify".encode() + b"\0" + seen.value
    covered = Derived("signed content", content, "RFC 8446 §4.4.3", "64 spaces, context string, 0, Transcript-Hash")
    return _check_certificate_verify(bench, message, content, (seen, covered))


def _certificate_verify_12(bench: _Bench, message: Message) -> Verdict:
    """Source: RFC 5246 §7.4.8."""
    content = bench.said.transcript
    covered = Derived("handshake_messages", content, "RFC 5246 §7.4.8", "every message before this one")
    return _check_certificate_verify(bench, message, content, (covered,))


def _check_certificate_verify(bench: _Bench, message: Message, content: bytes, steps: tuple[Derived, ...]) -> Verdict:
    value = message.value
    assert isinstance(value, CertificateVerify)
    assert value.algorithm is not None, "TLS 1.2 and later name the algorithm"
    return _check(bench, message, value.algorithm, value.signature, content, steps, _SIGNED_HANDSHAKE)


def _server_key_exchange(bench: _Bench, message: Message) -> Verdict:
    """Source: RFC 5246 §7.4.3, RFC 8422 §5.4."""
    value, randoms = message.value, bench.said.randoms
    assert isinstance(value, ServerKeyExchange)
    assert value.algorithm is not None, "only signed ones are looked at"
    content = randoms["client"] + randoms["server"] + value.params
    covered = Derived("signed content", content, "RFC 5246 §7.4.3", "client random, server random, params")
    return _check(bench, message, value.algorithm, value.signature, content, (covered,), _SIGNED_SHARE)


def _check(
    bench: _Bench,
    message: Message,
    algorithm: int,
    signature: bytes,
    content: bytes,
    steps: tuple[Derived, ...],
    meaning: str,
) -> Verdict:
    leaf = bench.said.leaves[message.sender]
    if leaf is None:
        raise _CannotTell(f"The {message.sender}'s certificate is not in the recording, or does not decode.", *steps)
    key = public_key(leaf)
    steps = (
        *steps,
        Derived("public key", key_der(key), "RFC 5280 §4.1.2.7", f"the {message.sender}'s certificate"),
        Derived("signature", signature, steps[-1].source, message.kind),
    )
    try:
        holds = fits(algorithm, key, signature, content)
    except Unverifiable as reason:
        raise _CannotTell(str(reason), *steps) from reason
    words = meaning if holds else _NO_SIGNATURE
    return holds, words.format(sender=message.sender, scheme=scheme_name(algorithm)), steps


# -- MACs ------------------------------------------------------------------------------------------

_SAME_MESSAGES = (
    "An HMAC over every message so far, keyed with a secret that only the two ends have: "
    "both saw the same handshake, and nobody changed it on the way."
)
_OTHER_MESSAGES = (
    "The MAC is not the one that the recorded messages and secrets give: a message was changed, "
    "or the two ends do not share one secret."
)
_KEYLESS = "The key log of this recording holds no {label} for this connection, and without it the MAC has no key."


def _finished_13(bench: _Bench, message: Message) -> Verdict:
    """Source: RFC 8446 §4.4.4; after the handshake the base is the application traffic secret (§4.4)."""
    seen = _transcript_hash(bench)
    base = _finished_base(bench, message.sender)
    key = Derived("finished_key", finished_key(bench.said.algorithm, base.value), "RFC 8446 §4.4.4", base.label)
    mac = hmac.digest(key.value, seen.value, bench.said.algorithm)
    expected = Derived("verify_data", mac, "RFC 8446 §4.4.4", "HMAC(finished_key, Transcript-Hash)")
    return _compared(message, (seen, base, key, expected))


def _finished_base(bench: _Bench, sender: str) -> Derived:
    stage = "TRAFFIC_SECRET_0" if bench.said.complete else "HANDSHAKE_TRAFFIC_SECRET"
    label = f"{sender.upper()}_{stage}"
    secret = bench.secret(label)
    if secret is None:
        raise _CannotTell(_KEYLESS.format(label=label), _transcript_hash(bench))
    if not bench.said.complete:
        return Derived(label, secret, "RFC 8446 §7.1", "key log")
    updates = bench.said.key_updates["client"]
    for _ in range(updates):
        secret = next_traffic_secret(bench.said.algorithm, secret)
    after = f", {updates} KeyUpdate" if updates else ""
    return Derived(f"client_application_traffic_secret_{updates}", secret, "RFC 8446 §7.2", f"key log{after}")


def _finished_12(bench: _Bench, message: Message) -> Verdict:
    """Source: RFC 5246 §7.4.9."""
    seen, said = _transcript_hash(bench), bench.said
    master = bench.secret("CLIENT_RANDOM")
    if master is None:
        raise _CannotTell(_KEYLESS.format(label="master secret"), seen)
    bound = Derived("session_hash", said.session_hash, "RFC 7627 §3", "ClientHello … ClientKeyExchange")
    origin = "key log; both ends made it from the pre-master secret and the " + (
        "session_hash" if said.session_hash else "randoms"
    )
    secret = Derived("master_secret", master, "RFC 7627 §4" if said.session_hash else "RFC 5246 §8.1", origin)
    mac = finished_12(said.algorithm, master, message.sender, seen.value)
    expected = Derived("verify_data", mac, "RFC 5246 §7.4.9", f'PRF(master_secret, "{message.sender} finished", hash)')
    return _compared(message, (*((bound,) if said.session_hash else ()), secret, seen, expected))


def _compared(message: Message, steps: tuple[Derived, ...]) -> Verdict:
    assert isinstance(message.value, Finished)
    sent = Derived("verify_data as sent", message.value.verify_data, steps[-1].source, "Finished")
    holds = hmac.compare_digest(steps[-1].value, sent.value)
    return holds, _SAME_MESSAGES if holds else _OTHER_MESSAGES, (*steps, sent)


def _transcript_hash(bench: _Bench) -> Derived:
    if not bench.said.algorithm:
        raise _CannotTell("The hash of the chosen cipher suite is not known here.")
    source = "RFC 8446 §4.4.1" if bench.said.version >= TLS13 else "RFC 5246 §7.4.9"
    return Derived("Transcript-Hash", bench.said.transcript_hash(), source, "every message before this one")


# -- PSK binders -----------------------------------------------------------------------------------

_HAS_PSK = (
    "An HMAC over this ClientHello, keyed with the PSK that it offers: the client holds the key it names, "
    "and the offer was not moved here from another ClientHello."
)
_OTHER_PSK = (
    "The binder does not fit: the client offers another PSK than the one given, or the ClientHello was changed."
)
_PSK_UNKNOWN = (
    "The binder is keyed with the PSK. A ticket's PSK comes from a secret of the earlier connection that TLS "
    "libraries do not log, and one agreed elsewhere is in no recording; so it cannot be recomputed."
)
_HASHES = {32: "sha256", 48: "sha384"}


def _offer(message: Message | Undecoded) -> OfferedPsks | None:
    value = message.value if isinstance(message, Message) else None
    found = find(value.extensions, PRE_SHARED_KEY) if isinstance(value, ClientHello) else None
    return found.value if found is not None and isinstance(found.value, OfferedPsks) else None


def _binder(bench: _Bench, message: Message) -> Verdict:
    """Check the first binder. Source: RFC 8446 §4.2.11.2."""
    offer = _offer(message)
    assert offer is not None, "only a ClientHello with an offer is looked at"
    algorithm = _HASHES.get(len(offer.binders[0]), "") if offer.binders else ""
    if not bench.psk or not algorithm:
        raise _CannotTell(_PSK_UNKNOWN)
    tries = [_binder_steps(bench, message, offer, algorithm, label) for label in ("res binder", "ext binder")]
    steps = next((steps for steps in tries if hmac.compare_digest(steps[-2].value, steps[-1].value)), None)
    return steps is not None, _HAS_PSK if steps else _OTHER_PSK, steps or tries[0]


def _binder_steps(
    bench: _Bench, message: Message, offer: OfferedPsks, algorithm: str, label: str
) -> tuple[Derived, ...]:
    cut = len(message.raw) - 2 - sum(1 + len(binder) for binder in offer.binders)
    before = bench.said.transcript if bench.said.retried else b""
    seen = hashlib.new(algorithm, before + message.raw[:cut]).digest()
    *path, key = binder_keys(algorithm, bench.psk, label)
    source = "RFC 8446 §4.2.11.2"
    return (
        *path,
        replace(key, from_=f'binder_key ("{label}")'),
        Derived("Transcript-Hash", seen, source, "the ClientHello up to its binders"),
        Derived("binder", hmac.digest(key.value, seen, algorithm), source, "HMAC(finished_key, Transcript-Hash)"),
        Derived("binder as sent", offer.binders[0], source, "ClientHello"),
    )


PROVERS: dict[tuple[bool, str], Prover] = {
    (True, "CertificateVerify"): _certificate_verify_13,
    (True, "Finished"): _finished_13,
    (False, "ServerKeyExchange"): _server_key_exchange,
    (False, "CertificateVerify"): _certificate_verify_12,
    (False, "Finished"): _finished_12,
}
"""(is TLS 1.3, message) → what checks its claim."""
