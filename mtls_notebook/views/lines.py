"""What the magics print: the lab, the store and the bindings as plain lines.

Text only, and stable but for ids, ports and dates. Widgets have files of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .static import text_table
from .text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..lab.lab import Lab
    from ..session.bindings import Bindings
    from ..session.store import CertificateStore
    from ..worker.serve import Served
    from ..worker.ship_folder import Written


def lab(running: Lab | None) -> str:
    """Return what the lab runs, and what to type next."""
    if running is None:
        return "The lab is stopped; its folder is still there. Start it again: %mtls_lab"
    upload = f"%mtls_upload --cert {running.directory}/cert.pem --key {running.directory}/key.pem --name my-client-cert"
    return "\n".join([*running.status(), "", f"Next: {upload}"])


def served(running: Served) -> str:
    """Return where a served worker answers, and what to type next."""
    return "\n".join(
        [
            f"{running.named_url} is this worker now, on this machine only (really {running.url}).",
            f'Next: await env.NAME.fetch("{running.named_url}/") in another %%worker cell.',
        ]
    )


def exported(outcome: Written) -> str:
    """Return what was written where, what was left as it was, and what to read next."""
    told = [f"Written to {outcome.directory}/: {', '.join(outcome.written) or 'nothing new'}."]
    if outcome.kept:
        told.append(f"Left as you edited it: {', '.join(outcome.kept)}.")
    if outcome.removed:
        told.append(f"Removed, the worker has it no longer: {', '.join(outcome.removed)}.")
    return "\n".join([*told, f"No key is in it. Next: {outcome.directory}/README.md"])


def trusted(subjects: Iterable[str]) -> str:
    """Return which CAs this session trusts from now on."""
    return "\n".join(f"Trusted for this session: {visible(subject)}" for subject in subjects)


def bound(bindings: Bindings, store: CertificateStore, notes: Iterable[str] = ()) -> str:
    """Return the bindings as the worker sees them, then what the configuration made one wonder about."""
    noted = [f"Note: {note}" for note in notes]
    if not len(bindings):
        return "\n".join([*noted, "No bindings yet. Bind one: %mtls_bindings MY_CERT=NAME"])
    rows = [
        (
            f"env.{binding.name}",
            visible(stored.name or stored.id),
            visible(stored.identity.leaf.subject),
            ", ".join(binding.hosts) or "any host",
        )
        for binding in bindings
        for stored in [store.resolve(binding.certificate_id)]
    ]
    return "\n".join([*noted, text_table(("Binding", "Certificate", "Subject", "Hosts"), rows)])
