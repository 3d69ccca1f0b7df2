"""What tshark reads in a capture file: its TLS messages, and where it finds each field in them.

It is the judge of our decoder and of our files: nothing it is asked is derived from our own code.
What may not live here: anything from mtls_notebook, any assertion.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import xml.etree.ElementTree as ET  # what tshark wrote on this machine, a moment ago
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.live.servers import NotInstalled

TIME_LIMIT_S = 60
SERVER_PORT = "443"

# Element of the packet tree → what our list of messages calls it.
MESSAGES = {
    "tls.handshake": "handshake",
    "tls.alert_message": "alert",
    "tls.change_cipher_spec": "change-cipher-spec",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """One named field: bytes from the message's start, how many, and its bytes as hex ("" where tshark has none)."""

    name: str
    offset: int
    length: int
    value: str


@dataclass(frozen=True, slots=True)
class Heard:
    """One TLS message as tshark took it apart; `port` is the client's, which tells connections apart."""

    port: int
    sender: str
    layer: str
    pieces: tuple[Piece, ...]

    def has(self, name: str) -> bool:
        """Return whether tshark shows a field of that name."""
        return any(piece.name == name for piece in self.pieces)

    def number(self, name: str) -> int:
        """Return the value of the first field of that name. Raises StopIteration."""
        return int(next(piece.value for piece in self.pieces if piece.name == name), 16)


def program() -> str:
    """Return the full path of tshark. Raises NotInstalled."""
    found = shutil.which("tshark")
    if found is None:
        raise NotInstalled("tshark is not installed")
    return found


def run(capture: Path, home: Path, *options: str) -> str:
    """Return what tshark writes about a capture; `home` is an empty folder, so that no one's settings count."""
    argv = [program(), "-r", str(capture), *options]
    environment = os.environ | {"HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    environment.pop("SSLKEYLOGFILE", None)
    done = subprocess.run(argv, capture_output=True, env=environment, timeout=TIME_LIMIT_S, check=True)
    return done.stdout.decode("utf-8", "replace")


def messages(capture: Path, home: Path, *options: str) -> list[Heard]:
    """Return every TLS message of the capture in the order of its packets."""
    packets = ET.fromstring(run(capture, home, "-T", "pdml", "-J", "tcp tls", *options))
    return [heard for packet in packets.iter("packet") for heard in _heard(packet)]


def _heard(packet: ET.Element) -> Iterator[Heard]:
    source, destination = _shown(packet, "tcp.srcport"), _shown(packet, "tcp.dstport")
    sender, port = ("server", int(destination)) if source == SERVER_PORT else ("client", int(source))
    for element in packet.iter("field"):
        if (layer := MESSAGES.get(element.get("name", ""))) is not None:
            yield Heard(port, sender, layer, tuple(_pieces(element)))


def _shown(packet: ET.Element, name: str) -> str:
    return next(field.get("show", "") for field in packet.iter("field") if field.get("name") == name)


def _pieces(message: ET.Element) -> Iterator[Piece]:
    """Yield the fields below `message`; decrypted or reassembled bytes count from their own buffer's start."""
    fields = [field for field in message.iter("field") if field is not message]
    start = next((_position(field) for field in fields if field.get("name") == "tls.handshake.type"), 0)
    for field in fields:
        yield Piece(
            field.get("name", ""), _position(field) - start, int(field.get("size", "0")), field.get("value", "")
        )


def _position(field: ET.Element) -> int:
    return int(field.get("pos", "0"))
