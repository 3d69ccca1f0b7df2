"""Predict, then reveal: what could the server send next, and what tells the choices apart.

A question stands before each message of the server; the answer is the message that was recorded. What may
not live here: drawing, and any verdict on a connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..recorder.handshake import Handshake
from ..tls import prose
from ..tls.messages import Message
from .text import visible

CHOICES = 4

# What a server may send, in the order of a handshake → when it does, and why. Source: RFC 8446 §4, RFC 5246 §7.4.
PLAUSIBLE_13: Mapping[str, str] = {
    "HelloRetryRequest": "It comes in place of ServerHello when no key share of the client suits the server.",
    "ServerHello": "It answers ClientHello first: version, cipher suite, and the key share that both make keys from.",
    "EncryptedExtensions": "It follows ServerHello at once and is the first thing that nobody else can read.",
    "CertificateRequest": "It comes before the server's own Certificate, and only when the server wants to know you.",
    "Certificate": "The server says who it is, after all that it has to ask; a resumed session leaves it out.",
    "CertificateVerify": "It follows Certificate: a signature over all messages so far, with the certificate's key.",
    "Finished": "It ends the server's part: an HMAC over all messages so far, once its identity is proved.",
    "NewSessionTicket": "It comes after both Finished, so that a later connection can do without certificates.",
    "Alert": "It comes when something is refused; after it there is nothing more to say.",
}
PLAUSIBLE_12: Mapping[str, str] = {
    "ServerHello": "It answers ClientHello first and picks the version and the cipher suite.",
    "Certificate": "It follows ServerHello, in plain text: in TLS 1.2 everybody on the way can read it.",
    "CertificateStatus": "It follows Certificate when the client asked for a revocation answer and the server has one.",
    "ServerKeyExchange": "The server's half of the key exchange, signed with its key; RSA key exchange has none.",
    "CertificateRequest": "It comes after ServerKeyExchange, and only when the server wants to know who you are.",
    "ServerHelloDone": "It says that the client's turn has come: everything asked and shown stands before it.",
    "NewSessionTicket": "It comes after the client's Finished and before the server's, for a later connection.",
    "ChangeCipherSpec": "From here on this side encrypts: it stands right before Finished.",
    "Finished": "It ends the handshake: a MAC over all messages so far, the first that the server encrypts.",
    "Alert": "It comes when something is refused; after it there is nothing more to say.",
}


def questions(handshake: Handshake) -> list[dict[str, Any]]:
    """Return one question for each message of the server.

    Shape: {"arrow", "ask", "choices": [{"name", "right", "why"}…]}, in the order of the arrows.
    """
    table = PLAUSIBLE_13 if handshake.version == "TLS 1.3" else PLAUSIBLE_12
    return [
        {"arrow": number, "ask": "What will the server send next, and why?", "choices": _choices(arrow.message, table)}
        for number, arrow in enumerate(handshake.arrows)
        if arrow.sender == "server" and isinstance(arrow.message, Message)
    ]


def score(handshake: Handshake, guesses: Iterable[Sequence[Any]]) -> tuple[int, int]:
    """Return how many of the guesses ([arrow, choice]) name the message that came, and how many there are."""
    made = [(int(arrow), str(choice)) for arrow, choice in guesses]
    right = sum(0 <= arrow < len(handshake.arrows) and handshake.arrows[arrow].name == choice for arrow, choice in made)
    return right, len(made)


def _choices(message: Message, table: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the message that came among those that stand nearest to it in a handshake, in the table's order."""
    kind = message.kind
    names = list(table) if kind in table else [*table, kind]
    place = names.index(kind)
    nearest = sorted(names, key=lambda name: abs(names.index(name) - place))[:CHOICES]
    return [
        {"name": visible(name), "right": name == kind, "why": table.get(name) or prose.explain(name).text}
        for name in names
        if name in nearest
    ]
