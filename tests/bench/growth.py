"""How it grows with the years: a long journal, many keys, many releases; all are checked whole."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

from pai_signer.domain.journal import encode_entry, next_entry, parse_journal
from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import KeyState, parse_registry
from pai_signer.domain.release_index import Fact, ReleaseIndex, extended, parse_index
from tests.bench.measure import Times, in_turns
from tests.registries import BORN, minisign_key, openpgp_key, registry

#: More than a project sees in a lifetime.
KEYS: Final = 200
RELEASES: Final = 1_000
#: Each is measured at a tenth of its size too: a ratio of ten is growth in a straight line.
TENTH: Final = 10


@dataclass(frozen=True)
class Growth:
    """Processor seconds of each check, and which of them are the same at two sizes."""

    times: Times
    pairs: tuple[tuple[str, str], ...]


def measure_growth(entries: int, rounds: int) -> Growth:
    """What it takes to check a journal, a registry and a release index, from their bytes on."""
    kinds = (
        ("journal of {:,} entries", entries, parse_journal, _journal),
        ("registry of {:,} keys", KEYS, parse_registry, _registry),
        ("index of {:,} releases", RELEASES, parse_index, _index),
    )
    contestants, pairs = {}, []
    for label, count, check, make in kinds:
        names = [label.format(n) for n in (count, count // TENTH)]
        for name, n in zip(names, (count, count // TENTH), strict=True):
            contestants[name] = partial(_cpu_s, partial(check, make(n)))
        pairs.append((names[0], names[1]))
    return Growth(in_turns(contestants, rounds), tuple(pairs))


def _cpu_s(check: Callable[[], object]) -> float:
    before = time.process_time()
    check()
    return time.process_time() - before


def _journal(count: int) -> bytes:
    """Entries as an import writes them, in size."""
    facts: dict[str, Any] = {"version": "v1.2.3", "sha256": "ab" * 32, "note": "x" * 60}
    last, lines = None, []
    for n in range(count):
        last = next_entry(last, BORN + timedelta(minutes=n), "release.imported", facts)
        lines.append(encode_entry(last))
    return b"".join(lines)


def _registry(count: int) -> bytes:
    """Keys that were retired, of both systems, and the two in use."""
    makers = (minisign_key, openpgp_key)
    retired = [makers[n % 2](n + 1, KeyState.RETIRED) for n in range(count - 2)]
    return encode_record(registry(*retired, minisign_key(count), openpgp_key(count)))


def _index(count: int) -> bytes:
    ids = (minisign_key(1).id, openpgp_key(1).id)
    facts = []
    for n in range(count):
        version = f"v1.{n}.0"
        digest = hashlib.sha256(version.encode()).hexdigest()
        facts.append(
            Fact(
                event="signed",
                at=BORN,
                version=version,
                keys=ids,
                manifest_sha256=digest,
                tag_oid=digest[:40],
                commit=digest[:40],
            )
        )
    return encode_record(extended(ReleaseIndex(project="PAI"), facts))
