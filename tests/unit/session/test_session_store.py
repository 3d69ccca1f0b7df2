"""The store hands out what was put in, follows rotations, and says what it has when asked for something else."""

from __future__ import annotations

import json
import pickle
import threading
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mtls_notebook.errors import StoreFull, UnknownCertificate
from mtls_notebook.pki.authority import Authority
from mtls_notebook.pki.identity import Identity
from mtls_notebook.session.store import LIMIT, CertificateStore, Stored, record


def test_what_is_added_answers_to_its_id_and_its_name(identity: Identity) -> None:
    store = CertificateStore()
    stored = store.add(identity, "my-cert")
    assert str(uuid.UUID(stored.id)) == stored.id
    assert (stored.name, stored.identity, stored.replaces) == ("my-cert", identity, None)
    assert 0 <= (datetime.now(UTC) - stored.uploaded_on).total_seconds() < 60
    assert store.resolve(stored.id) is store.resolve("my-cert") is store.resolve(stored.id.upper()) is stored
    assert list(store) == [stored] and len(store) == 1
    assert stored.id in store and "my-cert" in store and "other" not in store


def test_nameless_certificates_do_not_replace_each_other(identity: Identity) -> None:
    store = CertificateStore()
    first, second = store.add(identity), store.add(identity, "")
    assert first.id != second.id and len(store) == 2
    assert second.name is None


def test_a_rotation_gets_a_new_id_and_the_old_ids_lead_to_it(identity: Identity, other: Identity) -> None:
    store = CertificateStore()
    first = store.add(identity, "my-cert")
    second = store.add(other, "my-cert")
    third = store.add(identity, "my-cert")
    assert (second.replaces, third.replaces) == (first.id, second.id)
    assert len({first.id, second.id, third.id}) == 3 and len(store) == 1
    for ref in ("my-cert", first.id, second.id, third.id):
        assert store.resolve(ref) is third


def test_a_deleted_certificate_is_gone_under_every_id_it_had(identity: Identity, other: Identity) -> None:
    store = CertificateStore()
    first, second = store.add(identity, "my-cert"), store.add(other, "my-cert")
    kept = store.add(identity, "kept")
    assert store.delete(first.id) is second
    for ref in ("my-cert", first.id, second.id):
        assert ref not in store
        with pytest.raises(UnknownCertificate):
            store.resolve(ref)
    assert list(store) == [kept]


def test_one_too_many_is_refused_and_not_stored(identity: Identity) -> None:
    store = CertificateStore()
    for number in range(LIMIT):
        store.add(identity, f"cert-{number}")
    with pytest.raises(StoreFull, match="1,000 certificates") as caught:
        store.add(identity, "one more")
    assert "--delete" in caught.value.hint
    assert len(store) == LIMIT and "one more" not in store
    assert store.add(identity, "cert-7").replaces, "a rotation needs no room"
    store.delete("cert-8")
    assert store.add(identity, "one more").id in store


def test_an_unknown_name_is_an_error_with_what_there_is_and_a_close_match(identity: Identity) -> None:
    store = CertificateStore()
    with pytest.raises(UnknownCertificate, match="'nope'") as caught:
        store.resolve("nope")
    assert "%mtls_upload" in caught.value.hint
    for name in ("my-client-cert", "backup"):
        store.add(identity, name)
    with pytest.raises(UnknownCertificate) as caught:
        store.resolve("my-cleint-cert")
    assert caught.value.hint == "Did you mean 'my-client-cert'? There is: my-client-cert, backup."
    for number in range(20):
        store.add(identity, f"x{number}")
    with pytest.raises(UnknownCertificate, match="'zzz'") as caught:
        store.delete("zzz")
    assert caught.value.hint.endswith("and 14 more.") and "Did you mean" not in caught.value.hint


def test_the_record_has_the_fields_of_the_api_and_never_the_key(authority: Authority) -> None:
    issued = authority.intermediate("Between").issue("recorded")
    store = CertificateStore()
    stored = store.add(issued.identity(), "my-cert")
    shown = record(stored)
    leaf = issued.certificate
    assert shown == {
        "id": stored.id,
        "name": "my-cert",
        "ca": False,
        "certificates": issued.certificate_pem.decode(),
        "issuer": "CN=Between",
        "serial_number": str(leaf.serial_number),
        "signature": "ecdsa-with-SHA256",
        "uploaded_on": stored.uploaded_on.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "expires_on": leaf.not_after.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    everything = json.dumps(shown) + repr(store) + repr(stored)
    assert not any(line in everything for line in issued.key_pem.decode().split("\n")[1:-3])


def test_what_is_stored_does_not_leave_by_pickle(identity: Identity) -> None:
    store = CertificateStore()
    stored = store.add(identity, "my-cert")
    for value in (store, stored):
        with pytest.raises(TypeError):
            pickle.dumps(value)


def test_threads_that_add_at_once_lose_nothing_and_never_pass_the_limit(identity: Identity) -> None:
    store = CertificateStore(limit=50)
    refused: list[str] = []

    def add(worker: int) -> None:
        for number in range(20):
            try:
                store.add(identity, f"{worker}-{number}")
            except StoreFull:
                refused.append(f"{worker}-{number}")

    threads = [threading.Thread(target=add, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store) == 50 and len(refused) == 30
    assert {stored.name for stored in store}.isdisjoint(refused)


@given(st.text(min_size=1).filter(str.strip))
def test_any_name_resolves_to_what_was_added_under_it(name: str) -> None:
    store = CertificateStore()
    stored = store.add(ANY, name)
    assert store.resolve(name) is stored and store.delete(name) is stored and len(store) == 0


ANY = Authority.create("Any").issue("any").identity()
NAMES = st.sampled_from(["a", "b", "c"])


class Rotations(RuleBasedStateMachine):
    """Whatever is added, rotated and deleted: an id leads to the newest certificate of its line, or nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.store = CertificateStore(limit=10)
        self.newest: dict[str, Stored] = {}
        self.line: dict[str, str] = {}  # every id ever given → the name it was given to, "" when deleted

    @rule(name=NAMES)
    def add(self, name: str) -> None:
        self.newest[name] = self.store.add(ANY, name)
        self.line[self.newest[name].id] = name

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        if name in self.newest:
            assert self.store.delete(name) is self.newest.pop(name)
            self.line = {ref: "" if line == name else line for ref, line in self.line.items()}

    @invariant()
    def every_id_leads_to_the_newest_of_its_line(self) -> None:
        assert set(self.store) == set(self.newest.values())
        for ref, name in self.line.items():
            assert (ref in self.store) == bool(name)
            assert not name or self.store.resolve(ref) is self.newest[name]


TestRotations = Rotations.TestCase
