"""The proofs of a recorded handshake, recomputed: signatures, Finished, PSK binders.

A handshake is full of claims (I hold this key, we both saw the same messages); each one can be checked from the
recording alone, and a reader sees every step. Pure: events in, values out, and nothing that a
peer sent makes it raise. What cannot be recomputed says why. No chain is judged here: a signature that fits
proves that the sender holds the certificate's key, not that anyone trusts the certificate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..tls.messages import Message, Undecoded, decode_or_keep
from .claims import Bench, CannotTell, Prover, prover_of
from .conversation import Conversation
from .decrypt import TOLD, with_messages
from .events import Bytes, Event, Kind
from .key_schedule import Derived
from .keyring import secrets_of
from .signatures import Unverifiable


@dataclass(frozen=True, slots=True)
class Proof:
    """One claim of the handshake and what became of it.

    `message_index` counts handshake messages, alerts and ChangeCipherSpecs in the order of the recording, or
    of `with_messages(recording)` where it tells of none.
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
    bench = Bench(Conversation(), secrets_of(story), psk)
    told = (event for event in story if event.kind in TOLD)
    return tuple(proof for index, event in enumerate(told) for proof in _proofs_of(bench, index, event))


def _proofs_of(bench: Bench, index: int, event: Event) -> Iterator[Proof]:
    """Yield the proofs that one message carries, and take it into the transcript."""
    if event.kind is not Kind.MESSAGE or not isinstance(event.data, Bytes) or not event.data.data:
        return
    message = decode_or_keep(event.data.data, event.data.sender, bench.said.context)
    prover = prover_of(bench, message)
    if prover is not None:
        holds, why, steps = _judged(prover, bench, message)
        yield Proof(index, _title(message), holds, why, steps)
    bench.said.hear(message)


def _judged(prover: Prover, bench: Bench, message: Message | Undecoded) -> tuple[bool | None, str, tuple[Derived, ...]]:
    if not isinstance(message, Message):
        return None, f"The message does not decode ({message.error.message}), so what it claims is not known.", ()
    try:
        return prover(bench, message)
    except CannotTell as reason:
        return None, str(reason), reason.steps
    except Unverifiable as reason:
        return None, str(reason), ()


def _title(message: Message | Undecoded) -> str:
    owner = f"{message.sender.capitalize()}'s"
    return f"{owner} {CLAIMS.get(message.kind, message.kind)}"


CLAIMS = {"ClientHello": "PSK binder", "ServerKeyExchange": "signature in ServerKeyExchange"}
"""Message → what its claim is called, where that is not the message's name."""
