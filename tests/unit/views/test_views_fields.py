"""Field trees on their way to the front end: whole, tiled, explained, and cut by their allowance."""

from __future__ import annotations

from itertools import pairwise

import pytest

from mtls_notebook.spans import Explanation
from mtls_notebook.tls.messages import Message
from mtls_notebook.views.fields import Glossary, anatomy, certificate_anatomy, rfc_link
from tests.unit.views.drawn import children, nodes
from tests.unit.views.material import chain
from tests.unit.views.replay import handshake

WHOLE = 5_000


def message(name: str, sender: str, capture: str = "tls13-mtls") -> Message:
    found = next(a.message for a in handshake(capture).arrows if (a.name, a.sender) == (name, sender))
    assert isinstance(found, Message)
    return found


@pytest.mark.parametrize(("capture", "holder"), [("tls13-mtls", "cert_data"), ("tls12-mtls", "ASN.1Cert")])
def test_a_certificate_in_a_message_goes_on_as_its_own_tree(capture: str, holder: str) -> None:
    shown, glossary = message("Certificate", "server", capture), Glossary()
    drawn = anatomy(shown, glossary, WHOLE, WHOLE)
    found = nodes(glossary.state(), drawn)
    paths = [node.path for node in found]
    subject = next(node for node in found if node.path[-2:] == ("tbsCertificate", "subject"))
    assert (holder, "data", "tbsCertificate", "subject") == subject.path[-4:]
    assert "RFC 5280" in subject.source
    assert sum(path[-1] == "tbsCertificate" for path in paths) == 2


@pytest.mark.parametrize("capture", ["tls13-mtls", "tls12-mtls"])
def test_children_tile_their_parent_inside_certificates_too(capture: str) -> None:
    shown, glossary = message("Certificate", "client", capture), Glossary()
    drawn = anatomy(shown, glossary, WHOLE, WHOLE)
    found = nodes(glossary.state(), drawn)
    for parent in found:
        below = children(found, parent)
        spans = [node.span for node in below]
        if not spans:
            continue
        assert spans[0][0] == parent.span[0]
        assert spans[-1][1] == parent.span[1]
        assert all(left[1] == right[0] for left, right in pairwise(spans))


def test_a_certificate_alone_is_drawn_from_its_first_byte() -> None:
    der, glossary = chain()[0].der, Glossary()
    drawn = certificate_anatomy(der, glossary, WHOLE, WHOLE)
    found = nodes(glossary.state(), drawn)
    assert bytes.fromhex(drawn["hex"]) == der
    assert [node.path[0] for node in found if len(node.path) == 1] == [
        "tag",
        "length",
        "tbsCertificate",
        "signatureAlgorithm",
        "signatureValue",
    ]
    assert all(node.text for node in found)


def test_what_is_no_certificate_keeps_its_bytes_and_says_why() -> None:
    drawn = certificate_anatomy(b"\x30\x05abc", Glossary(), WHOLE, WHOLE)
    assert drawn["fields"] == []
    assert "at byte" in drawn["error"]
    assert drawn["hex"] == "3005616263"


@pytest.mark.parametrize("allowance", [0, 1, 7, 40])
def test_fields_beyond_the_allowance_are_counted(allowance: int) -> None:
    shown = message("ClientHello", "client")
    whole = anatomy(shown, Glossary(), WHOLE, WHOLE)
    cut = anatomy(shown, Glossary(), allowance, WHOLE)
    assert len(cut["fields"]) <= allowance
    assert len(cut["fields"]) + cut["hidden"] == len(whole["fields"])


def test_a_word_and_an_explanation_are_kept_once() -> None:
    glossary = Glossary()
    anatomy(message("ClientHello", "client"), glossary, WHOLE, WHOLE)
    state = glossary.state()
    assert len(set(state["words"])) == len(state["words"])
    assert len({tuple(page) for page in state["prose"]}) == len(state["prose"])
    assert len({source["name"] for source in state["sources"]}) == len(state["sources"])


def test_a_source_leads_to_the_section_it_names() -> None:
    assert rfc_link("RFC 8446 §4.4.2") == "https://www.rfc-editor.org/rfc/rfc8446#section-4.4.2"
    assert rfc_link("RFC 8446 §C.2") == "https://www.rfc-editor.org/rfc/rfc8446#appendix-C.2"
    assert rfc_link("X.690 §8.1") == ""


def test_each_of_two_sources_has_its_own_link() -> None:
    glossary = Glossary()
    glossary.page(Explanation("Why.", "RFC 8446 §4.4.2, X.690 §8.1, RFC 5246 §7.4.2"))
    (source,) = glossary.state()["sources"]
    assert source["parts"] == [
        ["RFC 8446 §4.4.2", "https://www.rfc-editor.org/rfc/rfc8446#section-4.4.2"],
        ["X.690 §8.1", ""],
        ["RFC 5246 §7.4.2", "https://www.rfc-editor.org/rfc/rfc5246#section-7.4.2"],
    ]
