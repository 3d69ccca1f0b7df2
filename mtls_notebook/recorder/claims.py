"""What single messages of a handshake claim, and how each claim is checked.

One function per claim, found through a table; each returns its verdict with its steps, or raises `CannotTell`.
Which messages there are, and in which order, is not known here (`recorder.proofs`).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ..tls.authentication import CertificateVerify, Finished
from ..tls.extensions import OfferedPsks, find
from ..tls.hello import ClientHello
from ..tls.key_exchange import ServerKeyExchange
from ..tls.messages import TLS12, TLS13, Message, Undecoded
from .conversation import Conversation
from .key_schedule import Derived, binder_keys, finished_12, finished_key, next_traffic_secret
from .keyring import Secrets
from .signatures import Unverifiable, fits, key_der, public_key, scheme_name

PRE_SHARED_KEY = 41


@dataclass(frozen=True, slots=True)
class Bench:
    """What a claim is checked with: what was said before it, the key log, the PSK (b"": not known)."""

    said: Conversation
    secrets: Secrets = field(repr=False)
    psk: bytes = field(repr=False)

    def secret(self, label: str) -> bytes | None:
        """Return the logged secret of this connection, None when it was not logged."""
        return self.secrets.get((label, self.said.randoms["client"]))


class CannotTell(Exception):
    """A claim that cannot be recomputed; the text says why, the steps how far it went."""

    def __init__(self, why: str, *steps: Derived) -> None:
        super().__init__(why)
        self.steps = steps


Verdict = tuple[bool, str, tuple[Derived, ...]]
"""Whether the claim holds, what that means in plain words, and the steps of the check."""
Prover = Callable[[Bench, Message], Verdict]


def prover_of(bench: Bench, message: Message | Undecoded) -> Prover | None:
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


def _without_server_hello(_bench: Bench, _message: Message) -> Verdict:
    raise CannotTell("The recording holds no ServerHello before it, so what was agreed on is not known.")


def _too_old(_bench: Bench, _message: Message) -> Verdict:
    raise CannotTell("Versions before TLS 1.2 sign and hash with MD5 and SHA-1 together; that is not recomputed here.")


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


def _certificate_verify_13(bench: Bench, message: Message) -> Verdict:
    """Source: RFC 8446 §4.4.3."""
    seen = _transcript_hash(bench)
    content = b" " * 64 + f"TLS 1.3, {message.sender} CertificateVerify".encode() + b"\0" + seen.value
    covered = Derived("signed content", content, "RFC 8446 §4.4.3", "64 spaces, context string, 0, Transcript-Hash")
    return _check_certificate_verify(bench, message, content, (seen, covered))


def _certificate_verify_12(bench: Bench, message: Message) -> Verdict:
    """Source: RFC 5246 §7.4.8."""
    content = bench.said.transcript
    covered = Derived("handshake_messages", content, "RFC 5246 §7.4.8", "every message before this one")
    return _check_certificate_verify(bench, message, content, (covered,))


def _check_certificate_verify(bench: Bench, message: Message, content: bytes, steps: tuple[Derived, ...]) -> Verdict:
    value = message.value
    assert isinstance(value, CertificateVerify)
    assert value.algorithm is not None, "TLS 1.2 and later name the algorithm"
    return _check(bench, message, value.algorithm, value.signature, content, steps, _SIGNED_HANDSHAKE)


def _server_key_exchange(bench: Bench, message: Message) -> Verdict:
    """Source: RFC 5246 §7.4.3, RFC 8422 §5.4."""
    value, randoms = message.value, bench.said.randoms
    assert isinstance(value, ServerKeyExchange)
    assert value.algorithm is not None, "only signed ones are looked at"
    content = randoms["client"] + randoms["server"] + value.params
    covered = Derived("signed content", content, "RFC 5246 §7.4.3", "client random, server random, params")
    return _check(bench, message, value.algorithm, value.signature, content, (covered,), _SIGNED_SHARE)


def _check(
    bench: Bench,
    message: Message,
    algorithm: int,
    signature: bytes,
    content: bytes,
    steps: tuple[Derived, ...],
    meaning: str,
) -> Verdict:
    leaf = bench.said.leaves[message.sender]
    if leaf is None:
        raise CannotTell(f"The {message.sender}'s certificate is not in the recording, or does not decode.", *steps)
    key = public_key(leaf)
    steps = (
        *steps,
        Derived("public key", key_der(key), "RFC 5280 §4.1.2.7", f"the {message.sender}'s certificate"),
        Derived("signature", signature, steps[-1].source, message.kind),
    )
    try:
        holds = fits(algorithm, key, signature, content)
    except Unverifiable as reason:
        raise CannotTell(str(reason), *steps) from reason
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


def _finished_13(bench: Bench, message: Message) -> Verdict:
    """Source: RFC 8446 §4.4.4; after the handshake the base is the application traffic secret (§4.4)."""
    seen = _transcript_hash(bench)
    base = _finished_base(bench, message.sender)
    key = Derived("finished_key", finished_key(bench.said.algorithm, base.value), "RFC 8446 §4.4.4", base.label)
    mac = hmac.digest(key.value, seen.value, bench.said.algorithm)
    expected = Derived("verify_data", mac, "RFC 8446 §4.4.4", "HMAC(finished_key, Transcript-Hash)")
    return _compared(message, (seen, base, key, expected))


def _finished_base(bench: Bench, sender: str) -> Derived:
    stage = "TRAFFIC_SECRET_0" if bench.said.complete else "HANDSHAKE_TRAFFIC_SECRET"
    label = f"{sender.upper()}_{stage}"
    secret = bench.secret(label)
    if secret is None:
        raise CannotTell(_KEYLESS.format(label=label), _transcript_hash(bench))
    if not bench.said.complete:
        return Derived(label, secret, "RFC 8446 §7.1", "key log")
    updates = bench.said.key_updates["client"]
    for _ in range(updates):
        secret = next_traffic_secret(bench.said.algorithm, secret)
    after = f", {updates} KeyUpdate" if updates else ""
    return Derived(f"client_application_traffic_secret_{updates}", secret, "RFC 8446 §7.2", f"key log{after}")


def _finished_12(bench: Bench, message: Message) -> Verdict:
    """Source: RFC 5246 §7.4.9."""
    seen, said = _transcript_hash(bench), bench.said
    master = bench.secret("CLIENT_RANDOM")
    if master is None:
        raise CannotTell(_KEYLESS.format(label="master secret"), seen)
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


def _transcript_hash(bench: Bench) -> Derived:
    if not bench.said.algorithm:
        raise CannotTell("The hash of the chosen cipher suite is not known here.")
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


def _binder(bench: Bench, message: Message) -> Verdict:
    """Check the first binder. Source: RFC 8446 §4.2.11.2."""
    offer = _offer(message)
    assert offer is not None, "only a ClientHello with an offer is looked at"
    algorithm = _HASHES.get(len(offer.binders[0]), "") if offer.binders else ""
    if not bench.psk or not algorithm:
        raise CannotTell(_PSK_UNKNOWN)
    tries = [_binder_steps(bench, message, offer, algorithm, label) for label in ("res binder", "ext binder")]
    steps = next((steps for steps in tries if hmac.compare_digest(steps[-2].value, steps[-1].value)), None)
    return steps is not None, _HAS_PSK if steps else _OTHER_PSK, steps or tries[0]


def _binder_steps(
    bench: Bench, message: Message, offer: OfferedPsks, algorithm: str, label: str
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
