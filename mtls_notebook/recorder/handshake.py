"""A connection's events folded into the handshake they tell of: pure, no sockets, no clock.

Which message belongs to which step of the story is in `recorder.flows`; everything else follows
from the recorded events.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from ..errors import DecodeError
from ..tls.extensions import find
from ..tls.hello import KEY_SHARE
from ..tls.key_shares import KeyShareEntry
from ..tls.messages import (
    Context,
    Message,
    ServerHello,
    ServerKeyExchange,
    Undecoded,
    acceptable_parties,
    decode_alert,
    decode_change_cipher_spec,
    decode_or_keep,
    next_context,
    summary,
)
from ..tls.names import CIPHER_SUITES, NAMED_GROUPS
from .events import Agreed, Bytes, Event, Failure, Kind, Request, Side, Target
from .flows import FLOWS, MTLS_ONLY, Step

T = TypeVar("T")
Outcome = Literal["mutual", "server-only", "refused-by-server", "refused-by-client", "failed", "plain"]


@dataclass(frozen=True, slots=True)
class Arrow:
    """One message as it crossed. `at_ns` counts from the first byte; `step` indexes `Handshake.steps`.

    `message` is None for what is no handshake message (application data); `detail` is its short summary.
    """

    name: str
    sender: Side
    at_ns: int
    length_bytes: int
    encrypted: bool
    mtls_only: bool
    step: int
    detail: str
    message: Message | Undecoded | None = None


@dataclass(frozen=True, slots=True)
class AlertSeen:
    """An alert on the wire: `number` per RFC 8446 §6, `delivered` only if the tap saw it cross."""

    number: int
    name: str
    sender: Side
    fatal: bool
    delivered: bool = True


@dataclass(frozen=True, slots=True)
class Timings:
    """Nanoseconds each phase took, None where it was not reached: name lookup, TCP, TLS, first response byte."""

    resolve_ns: int | None
    connect_ns: int | None
    tls_ns: int | None
    response_ns: int | None


@dataclass(frozen=True, slots=True)
class Handshake:
    """What happened on one connection, ready to be shown. Chains are DER, leaf first."""

    connection: int
    host: str
    port: int
    via: str
    version: str
    suite: str
    group: str
    alpn: str
    resumed: bool
    outcome: Outcome
    steps: tuple[Step, ...]
    arrows: tuple[Arrow, ...]
    client_chain: tuple[bytes, ...]
    server_chain: tuple[bytes, ...]
    acceptable_parties: tuple[str, ...] | None
    alert: AlertSeen | None
    failure: str
    verify_code: int
    timings: Timings
    wire_bytes: int


_VERSIONS = {"TLSv1.3": "TLS 1.3", "TLSv1.2": "TLS 1.2", "TLSv1.1": "TLS 1.1", "TLSv1": "TLS 1.0"}
_WIRE_VERSIONS = {0x0304: "TLS 1.3", 0x0303: "TLS 1.2"}


# -- the fold ------------------------------------------------------------------------------------


def fold(events: Iterable[Event]) -> Handshake:
    """Return the handshake that one connection's events tell of. Never raises on what a peer sent."""
    story = tuple(events)
    sent = _messages(story)
    facts = _Facts.of(story, sent)
    steps, where = FLOWS[facts.flow]
    steps = _as_it_ended(steps, facts)
    return Handshake(
        connection=story[0].connection if story else 0,
        host=facts.target.host,
        port=facts.target.port,
        via="{}:{}".format(*facts.target.via) if facts.target.via else "",
        version=facts.version,
        suite=facts.suite,
        group=facts.group,
        alpn=facts.agreed.alpn,
        resumed=facts.agreed.resumed,
        outcome=facts.outcome,
        steps=steps,
        arrows=_arrows(story, sent, steps, where, facts),
        client_chain=_chain(sent, "client"),
        server_chain=_chain(sent, "server"),
        acceptable_parties=_parties(sent),
        alert=facts.alert,
        failure=facts.failure,
        verify_code=facts.verify_code,
        timings=_timings(story),
        wire_bytes=sum(e.data.total for e in story if e.kind is Kind.WIRE and isinstance(e.data, Bytes)),
    )


@dataclass(frozen=True, slots=True)
class _Sent:
    """A decoded message with the event that carried it and whether it was encrypted on the wire."""

    at_ns: int
    message: Message | Undecoded
    encrypted: bool
    after_data: bool

    @property
    def key(self) -> tuple[str, str]:
        return self.message.kind, self.message.sender


_DECODERS = {Kind.ALERT: decode_alert, Kind.CHANGE_CIPHER_SPEC: decode_change_cipher_spec}


def _messages(story: Sequence[Event]) -> tuple[_Sent, ...]:
    """Return every handshake message, alert and ChangeCipherSpec, decoded in the light of those before it."""
    context, settled, data = Context(), False, False
    changed: set[Side] = set()
    sent: list[_Sent] = []
    for event in story:
        data = data or event.kind is Kind.REQUEST
        if event.kind not in (Kind.MESSAGE, *_DECODERS) or not isinstance(event.data, Bytes):
            continue
        sender, raw = event.data.sender, event.data.data
        message = _decode(event.kind, raw, sender, context)
        plain_by_nature = message.kind == "ChangeCipherSpec"
        encrypted = not plain_by_nature and (settled if context.version == 0x0304 else sender in changed)
        sent.append(_Sent(event.at_ns, message, encrypted, data))
        if isinstance(message, Message):
            context = next_context(context, message)
        settled = settled or message.kind == "ServerHello"
        if plain_by_nature:
            changed.add(sender)
    return tuple(sent)


def _decode(kind: Kind, raw: bytes, sender: Side, context: Context) -> Message | Undecoded:
    decoder = _DECODERS.get(kind)
    if decoder is None:
        return decode_or_keep(raw, sender, context)
    try:
        return decoder(raw, sender)
    except DecodeError as error:
        return Undecoded("Alert" if kind is Kind.ALERT else "ChangeCipherSpec", sender, raw, error)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the whole story comes to, read off once."""

    target: Target
    agreed: Agreed
    version: str
    suite: str
    group: str
    flow: tuple[str, str]
    alert: AlertSeen | None
    failure: str
    verify_code: int
    outcome: Outcome

    @classmethod
    def of(cls, story: Sequence[Event], sent: Sequence[_Sent]) -> _Facts:
        target = _first(story, Kind.CONNECTING, Target) or Target("", 0)
        agreed = _first(story, Kind.TLS_DONE, Agreed) or Agreed("", "", "", resumed=False)
        failed = _first(story, Kind.TLS_FAILED, Failure)
        hello = next(
            (s.message.value for s in sent if isinstance(s.message, Message) and s.message.kind == "ServerHello"), None
        )
        version = _VERSIONS.get(agreed.version, "") or _WIRE_VERSIONS.get(_selected_version(hello), "")
        asked = any(s.message.kind == "CertificateRequest" for s in sent)
        manner = "mTLS" if asked else "TLS"
        alert = _fatal_alert(sent)
        return cls(
            target=target,
            agreed=agreed,
            version=version,
            suite=CIPHER_SUITES.get(getattr(hello, "cipher_suite", -1), agreed.cipher),
            group=_group(sent),
            flow=("", "resumed") if agreed.resumed and not asked else (_flow_version(version), manner),
            alert=alert,
            failure=failed.reason if failed else _closed_early(story, agreed),
            verify_code=failed.verify_code if failed else 0,
            outcome=_outcome(story, sent, alert, agreed),
        )


def _first(story: Sequence[Event], kind: Kind, shape: type[T]) -> T | None:
    return next((e.data for e in story if e.kind is kind and isinstance(e.data, shape)), None)


def _flow_version(version: str) -> str:
    return version if version == "TLS 1.3" else "TLS 1.2"


def _selected_version(hello: object) -> int:
    return int(getattr(hello, "selected_version", 0) or 0)


def _closed_early(story: Sequence[Event], agreed: Agreed) -> str:
    closed = _first(story, Kind.CLOSED, str)
    return str(closed or "") if not agreed.version else ""


def _fatal_alert(sent: Sequence[_Sent]) -> AlertSeen | None:
    for item in reversed(sent):
        value = item.message.value if isinstance(item.message, Message) else None
        if item.message.kind == "Alert" and value is not None and _is_fatal(value):
            number, name = value.description, value.name  # type: ignore[attr-defined]
            return AlertSeen(number, name, item.message.sender, fatal=True)
    return None


def _is_fatal(alert: object) -> bool:
    # TLS 1.3 ignores the level: all but close_notify (0) and user_canceled (90) end the connection.
    return getattr(alert, "description", 0) not in (0, 90, 100)


def _outcome(story: Sequence[Event], sent: Sequence[_Sent], alert: AlertSeen | None, agreed: Agreed) -> Outcome:
    if alert is not None:
        return "refused-by-server" if alert.sender == "server" else "refused-by-client"
    if not agreed.version:
        started = any(e.kind is Kind.TLS_STARTED for e in story)
        return "failed" if started or not any(e.kind is Kind.CONNECTED for e in story) else "plain"
    proved = any(s.key == ("CertificateVerify", "client") for s in sent)
    return "mutual" if proved else "server-only"


def _group(sent: Sequence[_Sent]) -> str:
    """Return the name of the group that the key exchange used, "" when it used none."""
    for item in sent:
        value = item.message.value if isinstance(item.message, Message) else None
        number = _chosen_group(value)
        if number is not None:
            return NAMED_GROUPS.get(number, f"group {number:#06x}")
    return ""


def _chosen_group(value: object) -> int | None:
    if isinstance(value, ServerKeyExchange):
        return value.group
    if not isinstance(value, ServerHello):
        return None
    share = find(value.extensions, KEY_SHARE)
    return share.value.group if share is not None and isinstance(share.value, KeyShareEntry) else None


def _chain(sent: Sequence[_Sent], sender: Side) -> tuple[bytes, ...]:
    """Return the DER certificates of the last chain that `sender` presented, leaf first."""
    for item in reversed(sent):
        if item.key == ("Certificate", sender) and isinstance(item.message, Message):
            return tuple(entry.der for entry in item.message.value.entries)  # type: ignore[attr-defined]
    return ()


def _parties(sent: Sequence[_Sent]) -> tuple[str, ...] | None:
    requests = (s.message for s in sent if s.message.kind == "CertificateRequest")
    return next((acceptable_parties(m) or () for m in requests if isinstance(m, Message)), None)


_REFUSED: dict[Outcome, dict[str, str]] = {
    "refused-by-server": {"Server grants access": "Server refuses access"},
    "refused-by-client": {"Client verifies it": "Client refuses it"},
}


def _as_it_ended(steps: tuple[Step, ...], facts: _Facts) -> tuple[Step, ...]:
    """Return the steps with the titles and captions that this ending calls for."""
    if facts.outcome not in ("refused-by-server", "refused-by-client", "failed"):
        return steps
    titles = _REFUSED.get(facts.outcome, {})
    return tuple(replace(s, title=titles.get(s.title, s.title), caption="not reached") for s in steps)


def _arrows(
    story: Sequence[Event],
    sent: Sequence[_Sent],
    steps: tuple[Step, ...],
    where: dict[tuple[str, str], str],
    facts: _Facts,
) -> tuple[Arrow, ...]:
    """Return messages and application data in the order in which they crossed, each with its step."""
    index = {step.number: i for i, step in enumerate(steps)}
    start = sent[0].at_ns if sent else (story[0].at_ns if story else 0)
    last = len(steps) - 1
    refused = _refusal_step(steps, facts)
    arrows: list[Arrow] = []
    crossed: list[_Sent | Arrow] = [*sent, *_data(story)]
    for item in sorted(crossed, key=lambda one: one.at_ns):
        previous = arrows[-1].step if arrows else 0
        if not isinstance(item, _Sent):
            step = last if refused is None else max(previous, refused)
            arrows.append(replace(item, at_ns=item.at_ns - start, step=step))
            continue
        step = last if item.after_data else index.get(where.get(item.key, ""), previous)
        if item.message.kind == "Alert" and refused is not None:
            step = max(previous, refused)
        arrows.append(_message_arrow(item, start, step))
    return tuple(arrows)


def _refusal_step(steps: tuple[Step, ...], facts: _Facts) -> int | None:
    """Return the step where the story ends in a refusal: there its alert stands, and data sent in vain."""
    titles = _REFUSED.get(facts.outcome, {}).values()
    return next((i for i, step in enumerate(steps) if step.title in titles), None)


def _message_arrow(item: _Sent, start: int, step: int) -> Arrow:
    message = item.message
    return Arrow(
        name=message.kind,
        sender=message.sender,
        at_ns=item.at_ns - start,
        length_bytes=len(message.raw),
        encrypted=item.encrypted,
        mtls_only=item.key in MTLS_ONLY,
        step=step,
        detail=summary(message),
        message=message,
    )


def _data(story: Sequence[Event]) -> list[Arrow]:
    """Return the first request and its response as arrows (times still absolute)."""
    encrypted = any(e.kind is Kind.TLS_STARTED for e in story)
    answered = any(e.kind is Kind.RESPONSE for e in story)
    found: list[Arrow] = []
    for event in story:
        if isinstance(event.data, Request) and event.data.ordinal == 1:
            name = f"{event.data.method} {event.data.target}"
            detail = "application data" if answered else "sent, never answered"
            found.append(Arrow(name, "client", event.at_ns, 0, encrypted, False, 0, detail))
        if event.kind is Kind.RESPONSE:
            found.append(Arrow(str(event.data), "server", event.at_ns, 0, encrypted, False, 0, "application data"))
            break
    return found


def _timings(story: Sequence[Event]) -> Timings:
    at: dict[Kind, int] = {}
    for event in story:
        at.setdefault(event.kind, event.at_ns)

    def between(start: Kind, end: Kind) -> int | None:
        return at[end] - at[start] if start in at and end in at else None

    return Timings(
        resolve_ns=between(Kind.CONNECTING, Kind.RESOLVED),
        connect_ns=between(Kind.RESOLVED, Kind.CONNECTED),
        tls_ns=between(Kind.TLS_STARTED, Kind.TLS_DONE),
        response_ns=between(Kind.REQUEST, Kind.RESPONSE),
    )
