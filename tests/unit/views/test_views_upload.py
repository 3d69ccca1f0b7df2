"""The drop zone without a page: what files become, in whatever order they come, and what is kept of them."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509 import load_pem_x509_certificates

from mtls_notebook.api import Session
from mtls_notebook.errors import UsageError
from mtls_notebook.pki.authority import Authority, Issued
from mtls_notebook.pki.sensitive import Sensitive
from mtls_notebook.views import upload
from mtls_notebook.views.pairing import File, pair
from mtls_notebook.views.upload import UploadZone
from tests.unit.views.material import HOSTILE, SHOWN

PASSPHRASE = b"correct horse battery"


@pytest.fixture(scope="module")
def root() -> Authority:
    return Authority.create("drop root")


@pytest.fixture(scope="module")
def issued(root: Authority) -> list[Issued]:
    issuing = root.intermediate("drop issuing")
    return [issuing.issue(f"client {n}", usage=("clientAuth",)) for n in range(3)]


@pytest.fixture
def session() -> Iterator[Session]:
    with Session() as made:
        yield made


def encrypted(one: Issued) -> bytes:
    key = load_pem_private_key(one.key_pem, None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE))


def archive(one: Issued) -> bytes:
    leaf, *others = load_pem_x509_certificates(one.certificate_pem)
    key = load_pem_private_key(one.key_pem, None)
    return pkcs12.serialize_key_and_certificates(b"x", key, leaf, others, BestAvailableEncryption(PASSPHRASE))  # type: ignore[arg-type]


def leaf_pem(one: Issued) -> bytes:
    return one.certificate.pem().encode()


def drop(zone: UploadZone, *files: tuple[str, bytes], name: str = "", parts: int = 1, **more: Any) -> None:
    """Send files as the page does, in `parts` messages."""
    size = max(1, -(-len(files) // parts))
    slices = [files[i : i + size] for i in range(0, len(files), size)] or [()]
    for at, part in enumerate(slices):
        last = at == len(slices) - 1
        content = {"kind": "files", "names": [f for f, _ in part], "last": last, "name": name, **more}
        zone._handle_custom_msg(content, [memoryview(data) for _, data in part])


def passphrase(zone: UploadZone, text: bytes) -> None:
    zone._handle_custom_msg({"kind": "passphrase"}, [memoryview(text)])


def causes(state: Sequence[dict[str, Any]]) -> list[str]:
    return [each["cause"] for each in state]


def test_any_order_of_files_gives_the_same_identities_with_their_chains(root: Authority, issued: list[Issued]) -> None:
    files = [File("?", Sensitive(data)) for one in issued for data in (leaf_pem(one), one.key_pem)]
    issuing = load_pem_x509_certificates(issued[0].certificate_pem)[1].public_bytes(Encoding.DER)
    files += [File("issuing.der", Sensitive(issuing)), File("root.pem", Sensitive(root.certificate_pem))]
    for seed in range(5):
        random.Random(seed).shuffle(files)
        sorting = pair(files)
        assert {found.fingerprint for found in sorting.found} == {one.certificate.fingerprint_sha256 for one in issued}
        assert {len(found.chain) for found in sorting.found} == {3}
        assert (sorting.waiting, sorting.refused) == ((), ())


def test_every_file_ends_up_in_exactly_one_part(issued: list[Issued]) -> None:
    files = [
        File("locked.p12", Sensitive(archive(issued[0]))),
        File("locked.key", Sensitive(encrypted(issued[1]))),
        File("alone.pem", Sensitive(leaf_pem(issued[2]))),
        File("page.html", Sensitive(b"<html>no</html>")),
        File("empty", Sensitive(b"")),
        File("big", Sensitive(bytes((1 << 20) + 1))),
        File("noise", Sensitive(random.Random(1).randbytes(300))),
    ]
    sorting = pair(files)
    parts = [*sorting.locked, *sorting.alone, *sorting.refused]
    assert sorted(each.file.name for each in parts) == sorted(file.name for file in files)
    assert {each.file.name for each in sorting.locked} == {"locked.p12", "locked.key"}
    assert [each.file.name for each in sorting.alone] == ["alone.pem"]
    assert all(each.error.hint for each in parts)


def test_the_longer_chain_of_the_same_certificate_wins(issued: list[Issued]) -> None:
    one = issued[0]
    files = [("cert.pem", leaf_pem(one)), ("fullchain.pem", one.certificate_pem), ("key.pem", one.key_pem)]
    for order in (files, files[::-1]):
        sorting = pair(File(name, Sensitive(data)) for name, data in order)
        assert [len(found.chain) for found in sorting.found] == [2]
        assert sorting.waiting == ()


def test_a_dropped_pair_is_stored_under_its_common_name_and_shown_as_a_card(
    session: Session, issued: list[Issued]
) -> None:
    zone = UploadZone(session)
    drop(zone, ("b", issued[0].certificate_pem), ("a", issued[0].key_pem))
    assert [stored.name for stored in session.store] == ["client 0"]
    (outcome,) = zone.state["outcomes"]
    assert outcome["card"]["name"] == "client 0"
    assert zone.state["said"] == "1 certificate stored"


def test_a_typed_name_replaces_and_a_common_name_never_does(session: Session, issued: list[Issued]) -> None:
    zone = UploadZone(session)
    pair_of_files = (("cert", issued[0].certificate_pem), ("key", issued[0].key_pem))
    drop(zone, *pair_of_files, name="mine")
    drop(zone, *pair_of_files, name="mine")
    assert [stored.name for stored in session.store] == ["mine"]
    assert "replaces the certificate of that name" in zone.state["outcomes"][0]["detail"]
    drop(zone, *pair_of_files)
    drop(zone, *pair_of_files)
    assert [stored.name for stored in session.store] == ["mine", "client 0", None]


def test_halves_dropped_one_after_the_other_find_each_other(session: Session, issued: list[Issued]) -> None:
    zone = UploadZone(session)
    drop(zone, ("key.pem", issued[0].key_pem))
    assert causes(zone.state["alone"]) == ["key.pem holds a private key, and no dropped file holds its certificate."]
    drop(zone, ("other.pem", leaf_pem(issued[1])))
    assert zone.state["alone"][0]["cause"].startswith("key.pem does not hold the key of other.pem. Public key SHA-256")
    drop(zone, ("cert.pem", leaf_pem(issued[0])))
    assert [stored.name for stored in session.store] == ["client 0"]
    assert len(zone.state["alone"]) == 1
    zone._handle_custom_msg({"kind": "forget"}, [])
    assert (zone.state["alone"], zone._waiting) == ([], ())


@pytest.mark.parametrize("make", [archive, encrypted])
def test_a_locked_file_asks_for_its_passphrase_until_it_opens(
    make: Any, session: Session, issued: list[Issued]
) -> None:
    zone = UploadZone(session)
    drop(zone, ("locked", make(issued[0])), ("cert.pem", leaf_pem(issued[0])))
    assert zone.state["locked"] == [{"file": "locked", "wrong": ""}]
    passphrase(zone, b"wrong")
    assert zone.state["locked"] == [{"file": "locked", "wrong": "The passphrase does not open it."}]
    assert len(session.store) == 0
    passphrase(zone, PASSPHRASE)
    assert zone.state["locked"] == []
    assert [stored.name for stored in session.store] == ["client 0"]


def test_one_passphrase_opens_every_file_that_it_fits(session: Session, issued: list[Issued]) -> None:
    zone = UploadZone(session)
    drop(zone, *((f"{n}.p12", archive(one)) for n, one in enumerate(issued)))
    assert len(zone.state["locked"]) == 3
    passphrase(zone, PASSPHRASE)
    assert len(session.store) == 3


def test_nothing_secret_is_synchronised_shown_or_kept(session: Session, issued: list[Issued]) -> None:
    zone = UploadZone(session)
    states = []
    zone.observe(lambda change: states.append(json.dumps(change["new"])), "state")
    drop(zone, ("k", encrypted(issued[0])), ("c", issued[0].certificate_pem), ("lone", issued[1].key_pem))
    passphrase(zone, PASSPHRASE)
    saved = "".join(states) + json.dumps(zone.get_state(), default=repr) + repr(vars(zone)) + upload.text(zone)
    lines = [line.decode() for line in issued[1].key_pem.splitlines() if b"-----" not in line]
    assert not [line for line in lines if line in saved]
    assert PASSPHRASE.decode() not in saved
    assert len(states) == 2
    zone.close()
    assert (zone._waiting, zone._passphrases, zone._arriving) == ((), [], [])


def test_many_files_come_in_several_messages_and_only_the_first_cards_are_drawn(
    session: Session, root: Authority
) -> None:
    made = [root.issue(f"bulk {n}") for n in range(upload.CARDS + 2)]
    files = [
        (f"{n}-{half}", data) for n, one in enumerate(made) for half, data in (("c", leaf_pem(one)), ("k", one.key_pem))
    ]
    random.Random(7).shuffle(files)
    zone = UploadZone(session)
    drop(zone, *files, parts=4)
    assert len(session.store) == len(made)
    assert sum(each["card"] is not None for each in zone.state["outcomes"]) == upload.CARDS


def test_a_drop_that_is_too_large_is_refused_whole_and_the_next_one_is_taken(
    session: Session, issued: list[Issued]
) -> None:
    zone = UploadZone(session)
    part = {"kind": "files", "names": ["x"], "last": False}
    for _ in range(9):
        zone._handle_custom_msg(part, [memoryview(bytes(4 << 20))])
    drop(zone, ("c", issued[0].certificate_pem), ("k", issued[0].key_pem))
    assert causes(zone.state["outcomes"]) == ["That is more than 2,100 files or 32 MiB."]
    assert len(session.store) == 0
    drop(zone, ("c", issued[0].certificate_pem), ("k", issued[0].key_pem))
    assert len(session.store) == 1


def test_a_full_store_and_an_unreadable_file_are_said(session: Session, issued: list[Issued]) -> None:
    session.store._limit = 0
    zone = UploadZone(session)
    drop(zone, ("c", issued[0].certificate_pem), ("k", issued[0].key_pem), unreadable=["folder"])
    assert causes(zone.state["outcomes"]) == [
        "The store holds 0 certificates, as many as an account may have.",
        "folder could not be read by the browser.",
    ]


def test_an_authority_alone_is_refused_with_the_way_to_trust_it(session: Session, root: Authority) -> None:
    zone = UploadZone(session)
    drop(zone, ("ca.pem", root.certificate_pem))
    (fault,) = zone.state["outcomes"]
    assert "ca.pem holds a CA certificate (CN=drop root)" in fault["cause"]
    assert "--ca-cert" in fault["fix"]


def test_file_names_are_made_visible(session: Session) -> None:
    zone = UploadZone(session)
    drop(zone, (HOSTILE, b"noise"))
    assert zone.state["outcomes"][0]["cause"].startswith(SHOWN)


def test_the_same_refusal_twice_is_still_news(session: Session) -> None:
    zone = UploadZone(session)
    sent: list[object] = []
    zone.observe(sent.append, "state")
    drop(zone, ("x", b"noise"))
    drop(zone, ("x", b"noise"))
    assert len(sent) == 2


def test_an_unknown_message_changes_nothing(session: Session) -> None:
    zone = UploadZone(session)
    before = zone.state
    zone._handle_custom_msg({"kind": "other"}, [])
    zone._handle_custom_msg({}, [memoryview(b"x")])
    assert zone.state == before


def test_the_awaitable_twin_returns_what_another_thread_stores(session: Session, issued: list[Issued]) -> None:
    zone = UploadZone(session)
    files = (("c", issued[0].certificate_pem), ("k", issued[0].key_pem))

    async def wait() -> list[str | None]:
        waiting = asyncio.create_task(zone.uploaded())
        while not zone._waiters:
            await asyncio.sleep(0)
        thread = threading.Thread(target=drop, args=(zone, *files))
        thread.start()
        got = await waiting
        thread.join()
        return [stored.name for stored in got]

    assert asyncio.run(wait()) == ["client 0"]
    drop(zone, *files, name="again")
    assert [stored.name for stored in asyncio.run(zone.uploaded())] == ["again"]
    assert zone._waiters == []


def test_an_interrupted_wait_leaves_nothing_behind(session: Session) -> None:
    zone = UploadZone(session)

    async def wait() -> None:
        waiting = asyncio.create_task(zone.uploaded())
        while not zone._waiters:
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(wait())
    assert zone._waiters == []


def test_an_old_kernel_says_so_instead_of_waiting_for_ever(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "version", lambda _: "6.31.0")
    with pytest.raises(UsageError, match=r"ipykernel 6\.31\.0 hands a drop over only after the cell"):
        asyncio.run(UploadZone(session).uploaded())
