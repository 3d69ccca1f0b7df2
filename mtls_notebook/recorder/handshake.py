"""A connection's events folded into the handshake they tell of: pure, no sockets, no clock.

Which message belongs to which step of the story is in `recorder.flows`; everything else follows
from the recorded events.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

from ..tls.extensions import find
from ..tls.hello import KEY_SHARE
from ..tls.key_shares import KeyShareEntry
from ..tls.messages import (
    Alert,
    CertificateRequest,
    Message,
    ServerHello,
    ServerKeyExchange,
    Undecoded,
    acceptable_parties,
    certificate_chain,
    summary,
)
from ..tls.names import CIPHER_SUITES, NAMED_GROUPS
from .decrypt import TOLD, with_messages
from .events import Agreed, Bytes, Event, Failure, Kind, Request, Side, Target, Verified, answers
from .flows import CONNECT, ENDINGS, FLOWS, GRANT, MTLS_ONLY, VERIFY, Row, Step
from .transcript import Sent, acts, transcript

T = TypeVar("T")
Outcome = Literal["mutual", "server-only", "resumed", "refused-by-server", "refused-by-client", "failed", "plain"]


@dataclass(frozen=True, slots=True)
class Arrow:
    """One message as it crossed. `at_ns` counts from the first byte; `step` indexes `Handshake.steps`.

    `message` is None for what is no handshake message (application data); `detail` is its short summary. `read` is
    False for what arrived and was not processed any more: the client had refused what came before it.
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
    read: bool = True


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
    """What happened on one connection, ready to be shown.

    Chains are DER, leaf first; `acceptable_names` are the DER names behind `acceptable_parties`.
    `proxy` is the URL of the proxy that the connection went through, "" when it went straight.
    `peer_verified` is the server's own verdict on the client, known where the server was recorded;
    `events` are what all of this was folded from: proofs and wire records are computed from them on demand.
    """

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
    acceptable_names: tuple[bytes, ...] = ()
    peer_verified: Verified | None = None
    proxy: str = ""
    events: tuple[Event, ...] = field(default=(), repr=False, compare=False)


_VERSIONS = {"TLSv1.3": "TLS 1.3", "TLSv1.2": "TLS 1.2", "TLSv1.1": "TLS 1.1", "TLSv1": "TLS 1.0"}
_WIRE_VERSIONS = {0x0304: "TLS 1.3", 0x0303: "TLS 1.2"}
_HARMLESS_ALERTS = {0, 90, 100}  # close_notify, user_canceled, no_renegotiation: RFC 8446 §6.1, RFC 5246 §7.2.2
_REFUSALS: dict[Outcome, Step] = {"refused-by-server": GRANT, "refused-by-client": VERIFY}


def fold(events: Iterable[Event]) -> Handshake:
    """Return the handshake that one connection's events tell of. Never raises on what a peer sent."""
    story = tuple(events)
    sent = transcript(story)
    facts = _Facts.of(story, sent)
    steps, arrows = _stage(story, sent, facts)
    return Handshake(
        connection=story[0].connection if story else 0,
        host=facts.target.host,
        port=facts.target.port,
        via="{}:{}".format(*facts.target.via) if facts.target.via else "",
        version=facts.version,
        suite=facts.suite,
        group=_group(sent),
        alpn=facts.agreed.alpn,
        resumed=facts.resumed,
        outcome=facts.outcome,
        steps=steps,
        arrows=arrows,
        client_chain=_chain(sent, "client"),
        server_chain=_chain(sent, "server"),
        acceptable_parties=_parties(sent),
        alert=facts.alert,
        failure=facts.failure,
        verify_code=facts.verify_code,
        timings=_timings(story),
        wire_bytes=sum(e.data.total for e in story if e.kind is Kind.WIRE and isinstance(e.data, Bytes)),
        acceptable_names=_names(sent),
        peer_verified=_first(story, Kind.PEER_VERIFIED, Verified),
        proxy=facts.target.proxy,
        events=story,
    )


# -- the facts -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the whole story comes to, read off once."""

    target: Target
    agreed: Agreed
    version: str
    suite: str
    resumed: bool
    alert: AlertSeen | None
    failure: str
    verify_code: int
    outcome: Outcome

    @classmethod
    def of(cls, story: Sequence[Event], sent: Sequence[Sent]) -> _Facts:
        agreed = _first(story, Kind.TLS_DONE, Agreed) or Agreed("", "", "", resumed=False)
        failed = _first(story, Kind.TLS_FAILED, Failure)
        hello = next((s.value for s in sent if s.key == ("ServerHello", "server")), None)
        sent = _heard(story, sent)
        alert = _fatal_alert(sent)
        resumed = _is_resumed(acts(sent)[0])
        return cls(
            target=_first(story, Kind.CONNECTING, Target) or Target("", 0),
            agreed=agreed,
            version=_version(agreed, hello),
            suite=CIPHER_SUITES.get(getattr(hello, "cipher_suite", -1), agreed.cipher),
            resumed=resumed,
            alert=alert,
            failure=failed.reason if failed else "" if agreed.version else _first(story, Kind.CLOSED, str) or "",
            verify_code=failed.verify_code if failed else 0,
            outcome=_outcome(story, sent, alert, agreed, resumed=resumed),
        )


def _first(story: Sequence[Event], kind: Kind, shape: type[T]) -> T | None:
    return next((e.data for e in story if e.kind is kind and isinstance(e.data, shape)), None)


def _version(agreed: Agreed, hello: object) -> str:
    selected = hello.selected_version if isinstance(hello, ServerHello) else 0
    return _VERSIONS.get(agreed.version, "") or _WIRE_VERSIONS.get(selected, "")


def _heard(story: Sequence[Event], sent: Sequence[Sent]) -> Sequence[Sent]:
    """Return what reached somebody: not what the client said once the server had hung up.

    OpenSSL calls the missing bytes a decode_error then: that alert ended nothing any more. What the server said
    last may be decrypted only after its end was seen.
    """
    hung_up = next((e.at_ns for e in story if e.kind is Kind.ENDED), None)
    if hung_up is None:
        return sent
    return [item for item in sent if item.at_ns < hung_up or item.message.sender == "server"]


def _hung_up_on(story: Sequence[Event], sent: Sequence[Sent]) -> bool:
    """Return whether the server asked who the client is, heard the answer, and left without a word."""
    kinds = {event.kind for event in story}
    asked = any(item.key == ("CertificateRequest", "server") for item in sent)
    return asked and Kind.ENDED in kinds and Kind.RESPONSE not in kinds and sent[-1].message.sender == "client"


def _fatal_alert(sent: Sequence[Sent]) -> AlertSeen | None:
    """Return the last alert that ended the connection; TLS 1.3 ignores an alert's level, and so do we."""
    for item in reversed(sent):
        value = item.value
        if isinstance(value, Alert) and value.description not in _HARMLESS_ALERTS:
            return AlertSeen(value.description, value.name, item.message.sender, fatal=True)
    return None


def _is_resumed(act: Sequence[Sent]) -> bool:
    """Return whether the server finished without ever presenting a certificate."""
    said = {item.key for item in act}
    presented = {("Certificate", "server"), ("CompressedCertificate", "server")}
    return ("Finished", "server") in said and not presented & said


def _outcome(
    story: Sequence[Event], sent: Sequence[Sent], alert: AlertSeen | None, agreed: Agreed, *, resumed: bool
) -> Outcome:
    if alert is not None:
        return "refused-by-server" if alert.sender == "server" else "refused-by-client"
    if _hung_up_on(story, sent):
        return "refused-by-server"
    if not agreed.version:
        started = any(e.kind is Kind.TLS_STARTED for e in story)
        return "failed" if started or not any(e.kind is Kind.CONNECTED for e in story) else "plain"
    if any(item.key == ("CertificateVerify", "client") for item in sent):
        return "mutual"
    return "resumed" if resumed else "server-only"


def _group(sent: Sequence[Sent]) -> str:
    """Return the name of the group that the key exchange used, "" when it used none."""
    numbers = (_chosen_group(item.value) for item in sent)
    number = next((n for n in numbers if n is not None), None)
    return "" if number is None else NAMED_GROUPS.get(number, f"group {number:#06x}")


def _chosen_group(value: object) -> int | None:
    if isinstance(value, ServerKeyExchange):
        return value.group
    if not isinstance(value, ServerHello):
        return None
    share = find(value.extensions, KEY_SHARE)
    return share.value.group if share is not None and isinstance(share.value, KeyShareEntry) else None


def _chain(sent: Sequence[Sent], sender: Side) -> tuple[bytes, ...]:
    """Return the DER certificates of the last chain that `sender` presented, leaf first."""
    chains = [certificate_chain(item.message) for item in sent if item.message.sender == sender]
    return next((chain for chain in reversed(chains) if chain is not None), ())


def _parties(sent: Sequence[Sent]) -> tuple[str, ...] | None:
    requests = (item.message for item in sent if isinstance(item.value, CertificateRequest))
    return next((acceptable_parties(message) or () for message in requests), None)


def _names(sent: Sequence[Sent]) -> tuple[bytes, ...]:
    requests = (item.value for item in sent if isinstance(item.value, CertificateRequest))
    return next((request.certificate_authorities for request in requests), ())


# -- the stage: steps and arrows ---------------------------------------------------------------------


def _stage(story: Sequence[Event], sent: Sequence[Sent], facts: _Facts) -> tuple[tuple[Step, ...], tuple[Arrow, ...]]:
    """Return the steps of every act, and the arrows in the order in which they crossed."""
    unread = _unread(story, facts)
    played = acts(sent)
    start = sent[0].at_ns if sent else (story[0].at_ns if story else 0)
    data = _data(story)
    steps: list[Step] = []
    arrows: list[Arrow] = []
    for number, act in enumerate(played):
        end = played[number + 1][0].at_ns if number + 1 < len(played) else None
        spoken = [arrow for arrow in data if (end is None or arrow.at_ns < end)]
        data = data[len(spoken) :]
        rows = _rows(act, number, facts)
        is_last = number + 1 == len(played)
        arrows += _placed(act, spoken + (unread if is_last else []), rows, len(steps), facts if is_last else None)
        steps += _titled(rows, act, number, facts if is_last else None)
    return tuple(steps), tuple(replace(arrow, at_ns=arrow.at_ns - start) for arrow in arrows)


def _rows(act: Sequence[Sent], number: int, facts: _Facts) -> list[Row]:
    said = {item.key for item in act}
    manner = "mTLS" if ("CertificateRequest", "server") in said else "resumed" if _is_resumed(act) else "TLS"
    if number and facts.version == "TLS 1.3":
        manner = "post-handshake"
    version = "TLS 1.3" if facts.version == "TLS 1.3" else "TLS 1.2"
    return [row for row in FLOWS[version, manner] if not row.optional or row.messages & said]


def _placed(
    act: Sequence[Sent], data: Sequence[Arrow], rows: Sequence[Row], first: int, facts: _Facts | None
) -> list[Arrow]:
    """Return the act's arrows, each with its step; a story never goes back, whatever the table says."""
    index = {key: i for i, row in enumerate(rows) for key in row.messages}
    refused = _refusal(rows, facts)
    end = len(rows) - 1 if refused is None else refused
    asked_in_vain = facts is not None and facts.outcome == "refused-by-server"
    step = 0
    placed: list[Arrow] = []
    crossed: list[Sent | Arrow] = [*act, *data]
    for item in sorted(crossed, key=lambda one: one.at_ns):
        if isinstance(item, Arrow):
            # What was asked before a server said no, or without an answer, is not yet its refusal.
            step = step if asked_in_vain else max(step, end)
            placed.append(replace(item, step=first + step))
            continue
        is_refusal = refused is not None and item.message.kind == "Alert"
        step = max(step, end if is_refusal else index.get(item.key, step))
        placed.append(_arrow(item, first + step))
    return placed


def _refusal(rows: Sequence[Row], facts: _Facts | None) -> int | None:
    """Return the row where the act ends in a refusal: there stand its alert, and data sent in vain."""
    step = _REFUSALS.get(facts.outcome) if facts is not None else None
    return next((i for i, row in enumerate(rows) if row.step is step), None)


def _titled(rows: Sequence[Row], act: Sequence[Sent], number: int, facts: _Facts | None) -> list[Step]:
    """Return the act's steps with the titles and captions that its ending calls for."""
    words: dict[Step, tuple[str, str]] = {}
    if number and rows[0].step is CONNECT:
        words[CONNECT] = ("They negotiate anew, inside the connection", "")
    if _is_empty_handed(act):
        words |= ENDINGS["empty"]
    if facts is not None and facts.outcome in ("refused-by-server", "refused-by-client", "failed"):
        words |= ENDINGS.get(facts.outcome, {})
        unreached = "not reached"
        return [_worded(row.step, words, unreached) for row in rows]
    return [_worded(row.step, words, row.step.caption) for row in rows]


def _worded(step: Step, words: dict[Step, tuple[str, str]], caption: str) -> Step:
    title, own_caption = words.get(step, (step.title, caption))
    return replace(step, title=title, caption=own_caption or caption)


def _is_empty_handed(act: Sequence[Sent]) -> bool:
    answers = [certificate_chain(item.message) for item in act if item.key == ("Certificate", "client")]
    return answers == [()]


def _arrow(item: Sent, step: int) -> Arrow:
    message = item.message
    return Arrow(
        name=message.kind,
        sender=message.sender,
        at_ns=item.at_ns,
        length_bytes=len(message.raw),
        encrypted=item.encrypted,
        mtls_only=item.key in MTLS_ONLY,
        step=step,
        detail=summary(message),
        message=message,
    )


def _unread(story: Sequence[Event], facts: _Facts) -> list[Arrow]:
    """Return what of the server's flight arrived and was not read any more, because the client refused.

    OpenSSL tells of no message after the one that it refuses; the bytes that came with it hold the rest. They are
    placed after the last message that was read: that they came was noticed by nobody (times still absolute).
    """
    if facts.outcome != "refused-by-client":
        return []
    refusal = next((i for i, event in enumerate(story) if _is_alert_of_client(event)), len(story))
    last = max((i for i, event in enumerate(story[:refusal]) if event.kind in TOLD), default=-1)
    if last < 0:
        return []
    known = {id(event) for event in story}
    until_ns = story[min(refusal, len(story) - 1)].at_ns
    found = [
        replace(event, at_ns=story[last].at_ns)
        for event in with_messages(story)
        if id(event) not in known and event.at_ns <= until_ns and getattr(event.data, "sender", "") == "server"
    ]
    read = transcript(story[: last + 1])
    return [replace(_arrow(item, 0), read=False) for item in transcript((*story[: last + 1], *found))[len(read) :]]


def _is_alert_of_client(event: Event) -> bool:
    return event.kind is Kind.ALERT and isinstance(event.data, Bytes) and event.data.sender == "client"


def _data(story: Sequence[Event]) -> list[Arrow]:
    """Return the first request and its response as arrows (times still absolute, steps not yet known)."""
    encrypted = any(e.kind in (Kind.TLS_STARTED, Kind.TLS_DONE) for e in story)  # an origin records only the latter
    found: list[Arrow] = []
    asked = next((e for e in story if isinstance(e.data, Request)), None)
    answer = next((e for e in story if e.kind is Kind.RESPONSE and answers(e.data, 1)), None)
    if asked is not None and isinstance(asked.data, Request):
        name = f"{asked.data.method} {asked.data.target}"
        detail = "application data" if answer is not None else "sent, never answered"
        found.append(Arrow(name, "client", asked.at_ns, 0, encrypted, False, 0, detail))
    if answer is not None:
        found.append(Arrow(str(answer.data), "server", answer.at_ns, 0, encrypted, False, 0, "application data"))
    return found


def _timings(story: Sequence[Event]) -> Timings:
    at: dict[Kind, int] = {}
    for event in story:
        if event.kind is not Kind.RESPONSE or answers(event.data, 1):
            at.setdefault(event.kind, event.at_ns)

    def between(start: Kind, end: Kind) -> int | None:
        return at[end] - at[start] if start in at and end in at else None

    return Timings(
        resolve_ns=between(Kind.CONNECTING, Kind.RESOLVED),
        connect_ns=between(Kind.RESOLVED, Kind.CONNECTED),
        tls_ns=between(Kind.TLS_STARTED, Kind.TLS_DONE),
        response_ns=between(Kind.REQUEST, Kind.RESPONSE),
    )
