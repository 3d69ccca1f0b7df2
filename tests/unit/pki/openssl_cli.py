"""The openssl command line, as the second opinion and as the maker of old formats."""

from __future__ import annotations

import subprocess


def openssl(*arguments: str, stdin: bytes = b"") -> bytes:
    """Return what `openssl …` prints for `stdin`; its complaints become an assertion."""
    done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
