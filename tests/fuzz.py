"""`make fuzz`: a million mutations of captured messages and certificates; each gives a value or a DecodeError.

    python -m tests.fuzz [--count 1000000] [--seed 0]

Every mutation is made from its seed and number alone, so one that finds something can be made again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from mtls_notebook.errors import DecodeError
from mtls_notebook.pki.certificate_tree import tree
from mtls_notebook.recorder.events import Bytes, Event
from mtls_notebook.recorder.handshake import fold
from mtls_notebook.recorder.proofs import prove
from mtls_notebook.spans import leaves
from mtls_notebook.tls.messages import certificate_chain, decode
from tests.unit.recorder.recorded import recorded
from tests.unit.tls.captured import NAMES, decoded_with_context

SLOW_S = 2.0
FOLD_EVERY = 50  # a fold decodes a whole handshake: as costly as some twenty messages


def samples() -> list[tuple[bytes, str, object]]:
    return [(m.raw, m.sender, context) for name in NAMES for m, context in decoded_with_context(name) if len(m.raw) > 2]


def certificates() -> list[bytes]:
    chains = [certificate_chain(m) or () for name in NAMES for m, _ in decoded_with_context(name)]
    return [der for chain in chains for der in chain]


def mutated(raw: bytes, chance: random.Random) -> bytes:
    """Return `raw` with one to eight small damages: bits, bytes, lengths, cuts, repeats, splices."""
    data = bytearray(raw)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 8))):
        at = chance.randrange(len(data)) if data else 0
        kind = chance.randrange(7)
        if not data:
            data = bytearray(chance.randbytes(4))
        elif kind == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            del data[at : at + chance.randrange(1, 9)]
        elif kind == 3:
            data[at:at] = chance.randbytes(chance.randrange(1, 9))
        elif kind == 4:
            del data[at:]
        elif kind == 5:
            end = at + chance.randrange(1, 64)
            data[at:at] = data[at:end]
        else:
            start = chance.randrange(len(data))
            data[at : at + 8] = data[start : start + 8]
    return bytes(data)


def decode_mutation(chance: random.Random, raws: list[tuple[bytes, str, object]]) -> str:
    raw, sender, context = chance.choice(raws)
    damaged = mutated(raw, chance)
    if chance.random() < 0.5 and len(damaged) > 4:  # else most damage would be found at the outermost length
        damaged = damaged[:1] + (len(damaged) - 4).to_bytes(3, "big") + damaged[4:]
    message = decode(damaged, sender, context)  # type: ignore[arg-type]
    spans = sorted(leaf.span for leaf in leaves(message.field))
    ends = [end for _, end in spans]
    assert [start for start, _ in spans] == [0, *ends[:-1]] and ends[-1] == len(damaged), "leaves do not tile"
    return "message decoded"


def tree_mutation(chance: random.Random, ders: list[bytes]) -> str:
    tree(mutated(chance.choice(ders), chance))
    return "certificate decoded"


def fold_mutation(chance: random.Random) -> str:
    name = chance.choice(NAMES)
    events: list[Event] = list(recorded(name, version="TLSv1.3" if name.startswith("tls13") else "TLSv1.2"))
    at = chance.randrange(3, len(events))
    data = events[at].data
    if isinstance(data, Bytes):
        events[at] = replace(events[at], data=Bytes.of(data.sender, mutated(data.data, chance)))
    fold(events)
    prove(events)
    return "handshake folded"


def work(job: tuple[int, int, int]) -> Counter[str]:
    """Run the mutations numbered `start` to `end`; raise at the first that does what it must not."""
    seed, start, end = job
    raws, ders = samples(), certificates()
    outcomes: Counter[str] = Counter()
    for number in range(start, end):
        chance = random.Random(f"{seed}:{number}")
        target: Callable[[], str] = (
            (lambda c=chance: fold_mutation(c))  # type: ignore[misc]
            if number % FOLD_EVERY == 0
            else (lambda c=chance: tree_mutation(c, ders))  # type: ignore[misc]
            if number % 5 == 0
            else (lambda c=chance: decode_mutation(c, raws))  # type: ignore[misc]
        )
        began = time.perf_counter()
        try:
            outcomes[target()] += 1
        except DecodeError:
            outcomes["DecodeError"] += 1
        except BaseException as error:
            raise AssertionError(f"mutation {seed}:{number} raised {type(error).__name__}: {error}") from error
        assert time.perf_counter() - began < SLOW_S, f"mutation {seed}:{number} took longer than {SLOW_S} s"
    return outcomes


def main() -> int:
    """Run all mutations on all cores and print what came of them."""
    parser = argparse.ArgumentParser(description="Mutate captured messages and certificates.")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    step = 5_000
    jobs = [(options.seed, at, min(at + step, options.count)) for at in range(0, options.count, step)]
    began = time.monotonic()
    total: Counter[str] = Counter()
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for outcomes in pool.imap_unordered(work, jobs):
            total += outcomes
    print(f"{total.total():,} mutations (seed {options.seed}) in {time.monotonic() - began:.0f} s: nothing found")
    for outcome, count in total.most_common():
        print(f"  {count:>9,} {outcome}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
