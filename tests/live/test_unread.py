"""What a client had received and did not read when it refused its server is told, and told as that."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from mtls_notebook import Session
from mtls_notebook.recorder.documents import document
from mtls_notebook.views import comparison, handshake

ASK = """
from workers import fetch
async def on_fetch(request):
    return await fetch("https://example-secure-origin.com")
"""
UNREAD = {
    ssl.TLSVersion.TLSv1_3: ["CertificateVerify", "Finished"],
    ssl.TLSVersion.TLSv1_2: ["ServerKeyExchange", "CertificateRequest", "ServerHelloDone"],
}


@pytest.mark.parametrize("version", UNREAD, ids=lambda version: str(version.name))
@pytest.mark.parametrize("origin", ["expired", "wrong-host", "untrusted"])
def test_the_rest_of_the_flight_of_a_refused_server_arrived_and_was_not_read(
    tmp_path: Path, version: ssl.TLSVersion, origin: str
) -> None:
    with Session() as session:
        session.versions = (version, version)
        session.start_lab(tmp_path / "lab", origins=[origin])
        (shown,) = session.worker(ASK).fetch("/").handshakes
        ends = session.both_ends(shown)
    assert shown.outcome == "refused-by-client"
    assert [arrow.name for arrow in shown.arrows if not arrow.read] == UNREAD[version]
    assert [arrow.name for arrow in shown.arrows][-1] == "Alert"
    assert all(shown.steps[arrow.step].title == "Client refuses it" for arrow in shown.arrows if not arrow.read)
    assert "arrived, not read" in handshake.text(shown)
    (told,) = document([shown.events], 0)["connections"]
    assert [one["name"] for one in told["messages"] if not one["read"]] == UNREAD[version]
    assert {pair.only for pair in ends.pairs} == {""}
    assert "every message arrived as it was sent" in comparison.state(ends)["ends"][0]["words"]


def test_a_handshake_that_nobody_refused_was_read_whole(tmp_path: Path) -> None:
    with Session() as session:
        session.start_lab(tmp_path / "lab", origins=["optional"])
        (shown,) = session.worker(ASK).fetch("/").handshakes
    assert all(arrow.read for arrow in shown.arrows)
    assert "not read" not in handshake.text(shown)
