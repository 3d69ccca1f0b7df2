"""axe-core, which reads a page as assistive technology would, fetched once into the user's cache.

It comes with the npm client of the `deno` wheel, which the package needs anyway, and a lock that names its
digest. It is used in tests only (axe-core is under MPL-2.0) and is no part of what is installed.
What may not live here: which page is looked at.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import deno
from playwright.sync_api import Locator, Page

from mtls_notebook.worker.javascript.workerd import cache_folder

VERSION = "4.14.1"
INTEGRITY = "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
LOCK = {
    "version": "5",
    "specifiers": {f"npm:axe-core@{VERSION}": VERSION},
    "npm": {f"axe-core@{VERSION}": {"integrity": INTEGRITY}},
}
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
# What a theme can spoil: the rest is the same in every theme.
COLOURS = ("color-contrast", "link-in-text-block")
# The first three are about a whole page, which a widget shares with whatever else the notebook shows. The last
# one axe itself calls experimental: it wants all visible text in a name, numbers and units included.
LEFT_OUT = ("heading-order", "region", "landmark-unique", "label-content-name-mismatch")
FETCH_TIMEOUT_S = 120


class Unavailable(Exception):
    """axe-core is not in the cache and cannot be fetched."""


@cache
def script() -> str:
    """Return the text of axe-core. Raises Unavailable."""
    folder = cache_folder() / f"axe-core-{VERSION}"
    return (_cached(folder) or _fetched(folder)).read_text("utf-8")


def problems(page: Page, *views: Locator, rules: Sequence[str] = ()) -> list[str]:
    """Return what is wrong with the views: rule, element and reason, one line each.

    `rules` are the rules to go by, all of TAGS if none are named. Raises Unavailable.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(script())
    elements = [view.element_handle() for view in views]
    found: list[dict[str, Any]] = page.evaluate(_RUN, [elements, TAGS, LEFT_OUT, list(rules)])
    return [
        f"{rule['id']}: {' '.join(node['target'])}: {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]


# Lab's body is of no height and clips, so that axe would take every text for hidden and judge no contrast. (For
# the same reason a test makes the window so tall that nothing is scrolled out of sight.)
_RUN = """async ([views, tags, leftOut, rules]) => {
    const runOnly = rules.length ? { type: 'rule', values: rules } : { type: 'tag', values: tags };
    const without = Object.fromEntries(rules.length ? [] : leftOut.map(rule => [rule, { enabled: false }]));
    const options = { runOnly, rules: without, resultTypes: ['violations'], preload: false };
    document.body.style.height = '100vh';
    try {
        return (await axe.run({ include: views }, options)).violations;
    } finally {
        document.body.style.height = '';
    }
}"""


def _cached(folder: Path) -> Path | None:
    return next(folder.glob(f"npm/*/axe-core/{VERSION}/axe.min.js"), None)


def _fetched(folder: Path) -> Path:
    """Return the script, fetched into `folder`; deno checks its digest against the lock."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / "deno.lock"
    lock.write_text(json.dumps(LOCK), "utf-8")
    command = [deno.find_deno_bin(), "cache", "--no-config", f"--lock={lock}", "--frozen", f"npm:axe-core@{VERSION}"]
    environment = os.environ | {"DENO_DIR": str(folder), "NO_COLOR": "1", "DENO_NO_UPDATE_CHECK": "1"}
    try:
        outcome = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"axe-core {VERSION} could not be fetched: no end after {FETCH_TIMEOUT_S} s") from error
    found = _cached(folder)
    if outcome.returncode != 0 or found is None:
        raise Unavailable(f"axe-core {VERSION} could not be fetched: {outcome.stderr.strip()[-300:]}")
    return found
