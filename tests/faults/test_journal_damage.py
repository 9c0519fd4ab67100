"""Whatever is done to the journal on disk is found: flips, removals, swaps, truncations (JRN-1).

A sample by default; ``PAI_FAULTS=all`` (``make fault-test``) does 10,000 of them.
"""

import os
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from pai_signer.adapters.journal_file import FileJournal, begin_journal
from pai_signer.errors import JournalTampered

TRIES: Final = 10_000 if os.environ.get("PAI_FAULTS") == "all" else 1_000
AT: Final = datetime(2026, 11, 23, 18, 41, 5, tzinfo=UTC)
ENTRIES: Final = 12
#: The journal once more, opened anew, has to refuse reading and appending alike.
LOOKS: Final[tuple[Callable[[FileJournal], object], ...]] = (
    FileJournal.entries,
    FileJournal.recover,
    lambda journal: journal.append("release.signing", {}),
)


class FixedClock:
    def now(self) -> datetime:
        return AT


def flipped(chance: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def removed(chance: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    first = chance.randrange(len(lines))
    del lines[first : first + chance.choice((1, 1, 2, 5))]
    return b"".join(lines)


def swapped(chance: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    one, other = chance.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def truncated(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data))]


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    begin_journal(tmp_path)
    journal, chance = FileJournal(tmp_path, FixedClock()), random.Random(1)
    for number in range(ENTRIES):
        facts = {"version": f"v1.{number}.0", "text": "x" * chance.randrange(60), "list": [1, None]}
        journal.append("release.signed", facts)
    return tmp_path


def test_every_one_of_many_random_changes_is_found(vault: Path) -> None:
    chance = random.Random(20261123)
    path, head = vault / "journal.jsonl", vault / "journal.head"
    whole, noted = path.read_bytes(), head.read_bytes()
    found = dict.fromkeys((flipped, removed, swapped, truncated), 0)
    for number in range(TRIES):
        damage = tuple(found)[number % len(found)]
        data = damage(chance, whole)
        if data == whole:  # two flips of one bit
            continue
        path.write_bytes(data)
        with pytest.raises(JournalTampered):
            chance.choice(LOOKS)(FileJournal(vault, FixedClock()))
        assert path.read_bytes() == data, "what is damaged is left as it is"
        assert head.read_bytes() == noted
        found[damage] += 1
    path.write_bytes(whole)
    assert len(FileJournal(vault, FixedClock()).entries()) == ENTRIES
    assert sum(found.values()) > TRIES * 0.99
    assert sorted(entry.name for entry in vault.iterdir()) == ["journal.head", "journal.jsonl"]
