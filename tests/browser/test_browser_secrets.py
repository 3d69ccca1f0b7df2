"""What a notebook saved with the state of its widgets holds of an uploaded key and its passphrase: nothing.

The page uploads a key file, a locked archive and a passphrase, and saves everything that Lab can save. Then
every file below Lab's folders (the notebook, its checkpoint, IPython's history, logs, the browser's profile)
is searched for the key in any form.
"""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from playwright.sync_api import expect

from tests.browser.lab import Notebook
from tests.browser.test_browser_upload import CLIENT, SHOW, client, drop
from tests.unit.views.test_views_upload import PASSPHRASE, archive

LATER = "print([stored.name for stored in session.store])"


@pytest.fixture
def saved(notebook: Notebook) -> str:
    """Return the text of a notebook in which keys were uploaded, as saved with the state of its widgets."""
    notebook.open("secrets.ipynb", SHOW, LATER)
    notebook.run_all()
    zone = notebook.view("Upload a client certificate")
    drop(notebook, zone, ("a.pem", client().certificate_pem), ("b.key", client().key_pem))
    drop(notebook, zone, ("alone.key", client("alone").key_pem), ("locked.p12", archive(client("locked"))))
    field = zone.get_by_label("Passphrase of locked.p12")
    field.fill(PASSPHRASE.decode())
    field.press("Enter")
    expect(zone.get_by_role("note")).to_contain_text("alone.key holds a private key")
    expect(zone.get_by_role("status")).to_have_text("1 certificate stored, 1 file waiting for the other half")
    return notebook.save()


def secrets_of(*names: str) -> list[bytes]:
    """Return the keys in the forms in which they could leak, and the passphrase with them."""
    forms = [PASSPHRASE, base64.b64encode(PASSPHRASE)]
    for name in names:
        pem = bytes(client(name).key_pem)
        key = load_pem_private_key(pem, None)
        assert isinstance(key, EllipticCurvePrivateKey)
        number = key.private_numbers().private_value.to_bytes(32, "big")
        forms += [line for line in pem.splitlines() if b"-----" not in line and len(line) > 20]
        forms += [number, number.hex().encode(), base64.b64encode(number), str(list(number))[1:-1].encode()]
    # Where the browser or a log writes text as UTF-16.
    return forms + [form.decode("ascii").encode("utf-16-le") for form in forms if form.isascii()]


def holding(folder: Path, forms: list[bytes]) -> list[str]:
    """Return the files below `folder` that hold one of `forms`."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return [str(file) for file in files if any(form in content(file) for form in forms)]


def content(file: Path) -> bytes:
    """Return what a file holds; the browser removes some of its own while we look."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def test_no_key_and_no_passphrase_is_in_any_file(notebook: Notebook, saved: str) -> None:
    # What was saved is the widget's state, and the search does find what is there.
    assert '"application/vnd.jupyter.widget-state+json"' in saved
    found = holding(notebook.root.parent, [b"alone.key holds a private key, and no dropped file"])
    assert {Path(name).name for name in found} >= {"secrets.ipynb", "secrets-checkpoint.ipynb"}

    forms = secrets_of(CLIENT, "alone", "locked")
    assert [form for form in forms if form.decode("latin-1") in saved] == []
    assert holding(notebook.root.parent, forms) == []
    assert "PRIVATE KEY" not in saved


def test_the_search_finds_a_key_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "leak.ipynb").write_bytes(b'{"x": "' + client().key_pem.replace(b"\n", b"\\n") + b'"}')
    assert len(holding(tmp_path, secrets_of(CLIENT))) == 1
