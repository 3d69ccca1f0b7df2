"""Bindings are bound all together or not at all, and present a certificate only where they may."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.errors import ConfigError, UnknownCertificate
from mtls_notebook.pki.identity import Identity
from mtls_notebook.session.bindings import Binding, Bindings, check, parse_hosts, parse_pairs
from mtls_notebook.session.hosts import parse_pattern
from mtls_notebook.session.store import CertificateStore


def test_names_become_ids_of_the_store(identity: Identity, other: Identity) -> None:
    store, bindings = CertificateStore(), Bindings()
    first, second = store.add(identity, "one"), store.add(other, "two")
    applied = bindings.apply(parse_pairs(["A=one", f"B={second.id}"]), store.resolve)
    assert applied == (Binding("A", first.id), Binding("B", second.id)) == tuple(bindings)
    assert bindings.get("A").certificate_id == first.id


def test_one_unknown_certificate_and_nothing_is_bound(identity: Identity) -> None:
    store, bindings = CertificateStore(), Bindings()
    store.add(identity, "my-client-cert")
    before = bindings.apply(parse_pairs(["KEPT=my-client-cert"]), store.resolve)
    with pytest.raises(UnknownCertificate) as caught:
        bindings.apply(parse_pairs(["A=my-client-cert", "B=my-cilent-cert", "KEPT=nope"]), store.resolve)
    assert caught.value.message == "Binding B: No certificate answers to 'my-cilent-cert'."
    assert "Did you mean 'my-client-cert'?" in caught.value.hint
    assert tuple(bindings) == before


def test_check_binds_nothing_by_itself(identity: Identity) -> None:
    store = CertificateStore()
    stored = store.add(identity, "one")
    assert check(parse_pairs(["A=one"]), store.resolve) == (Binding("A", stored.id),)


def test_a_binding_made_before_a_rotation_still_works_and_can_be_moved(identity: Identity, other: Identity) -> None:
    store, bindings = CertificateStore(), Bindings()
    old = store.add(identity, "one")
    bindings.apply(parse_pairs(["A=one", "B=one"]), store.resolve)
    new = store.add(other, "one")
    assert store.resolve(bindings.get("A").certificate_id) is new
    assert bindings.using(old.id) == ("A", "B")
    assert bindings.move(old.id, new.id) == ("A", "B")
    assert bindings.using(old.id) == () and bindings.using(new.id) == ("A", "B")


def test_a_removed_binding_is_gone_and_an_unknown_one_gets_a_close_match() -> None:
    bindings = Bindings()
    with pytest.raises(ConfigError, match="'MY_CERT'") as caught:
        bindings.remove("MY_CERT")
    assert "%mtls_bindings" in caught.value.hint
    bindings.set(Binding("MY_CERT", "1"), Binding("OTHER", "2"))
    with pytest.raises(ConfigError) as caught:
        bindings.get("MY_CRET")
    assert caught.value.hint == "Did you mean MY_CERT? Bound are: MY_CERT, OTHER."
    assert bindings.remove("MY_CERT") == Binding("MY_CERT", "1")
    assert "MY_CERT" not in bindings and len(bindings) == 1 and repr(bindings) == "<Bindings OTHER>"
    bindings.clear()
    assert list(bindings) == []


def test_hosts_set_once_outlive_a_new_certificate() -> None:
    bindings = Bindings()
    bindings.set(Binding("A", "1"))
    bindings.scope("A", ["API.example.com."])
    bindings.set(Binding("A", "2"))
    assert bindings.get("A") == Binding("A", "2", ("api.example.com",))
    assert bindings.scope("A", []) == Binding("A", "2")
    with pytest.raises(ConfigError):
        bindings.scope("B", ["example.com"])


# Pattern, hosts it covers, hosts it does not cover.
COVERED = [
    ("api.example.com", ["api.example.com", "API.EXAMPLE.COM", "api.example.com."],
     ["example.com", "x.api.example.com", "api.example.com.evil.test", "xapi.example.com", "", "apiXexample.com"]),
    ("*.corp.example", ["a.corp.example", "a.b.corp.example", "A.CORP.example."],
     ["corp.example", ".corp.example", "acorp.example", "a.corp.example.evil.test", "corp.example.a"]),
    ("*.0.0.1", ["a.0.0.1"], ["127.0.0.1"]),
    ("127.0.0.1", ["127.0.0.1"], ["127.0.0.11", "localhost", "1.127.0.0.1"]),
    ("[::1]", ["::1", "[::1]", "0:0:0:0:0:0:0:1"], ["::2", "localhost"]),
    ("bücher.example", ["xn--bcher-kva.example", "BÜCHER.example"], ["bucher.example"]),
    ("localhost", ["localhost", "LocalHost"], ["localhost.evil.test"]),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "inside", "outside"), COVERED)
def test_a_pattern_covers_what_it_says_and_nothing_else(pattern: str, inside: list[str], outside: list[str]) -> None:
    binding = Binding("A", "1", (parse_pattern(pattern),))
    assert {host: binding.allows(host) for host in inside + outside} == (
        dict.fromkeys(inside, True) | dict.fromkeys(outside, False)
    )


def test_without_hosts_a_binding_presents_its_certificate_everywhere() -> None:
    assert Binding("A", "1").allows("anything.example")


@given(host=st.from_regex(r"[a-z0-9.\-]{0,12}", fullmatch=True))
def test_a_star_never_covers_a_host_outside_its_domain(host: str) -> None:
    binding = Binding("A", "1", (parse_pattern("*.corp.example"),))
    assert not binding.allows(host + "corp.example") or host.endswith(".")
    assert not binding.allows(host + ".corp.example" + "x")


@pytest.mark.parametrize(
    "text",
    ["", "*", "*.", "a*.example", "a.*.example", "**.example", "https://example.com", "example.com:443",
     "example.com/x", "a..b", "-a.example", "a b", ".example", "example.com@evil", "*.*.example"],
)  # fmt: skip
def test_what_is_no_host_pattern_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a host pattern") as caught:
        parse_pattern(text)
    assert "api.example.com" in caught.value.hint


def test_hosts_are_read_from_one_option() -> None:
    assert parse_hosts("MY_CERT=api.example.com, *.corp.example,") == (
        "MY_CERT",
        ("api.example.com", "*.corp.example"),
    )
    for text in ("MY_CERT", "MY_CERT=", "=api.example.com"):
        with pytest.raises(ConfigError, match="is not of the form"):
            parse_hosts(text)
