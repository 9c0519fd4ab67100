"""Any changed, removed, reordered or cut entry of the journal is found (JRN-1, JRN-2)."""

import hashlib
import json
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from pai_signer.domain.journal import (
    GENESIS,
    MAX_LINE_BYTES,
    JournalEntry,
    encode_entry,
    next_entry,
    parse_journal,
)
from pai_signer.errors import JournalTampered

AT = datetime(2026, 11, 23, 18, 41, 5, tzinfo=UTC)


def journal(count: int = 4) -> tuple[JournalEntry, ...]:
    entries: list[JournalEntry] = []
    for number in range(count):
        last = entries[-1] if entries else None
        facts = {"version": f"v1.{number}.0", "list": [1, "x"], "none": None}
        entries.append(next_entry(last, AT + timedelta(hours=number), "release-signed", facts))
    return tuple(entries)


ENTRIES = journal()
LINES = [encode_entry(entry) for entry in ENTRIES]
WHOLE = b"".join(LINES)


def broken(data: bytes) -> str:
    with pytest.raises(JournalTampered) as caught:
        parse_journal(data)
    assert caught.value.hint
    return caught.value.summary


def test_what_was_written_is_read_back() -> None:
    assert parse_journal(WHOLE) == ENTRIES
    assert parse_journal(b"") == ()
    assert ENTRIES[0].previous == GENESIS
    assert [entry.n for entry in ENTRIES] == [1, 2, 3, 4]
    assert ENTRIES[1].time == AT + timedelta(hours=1)


def test_the_chain_can_be_checked_with_sha256sum_alone(tmp_path: Path) -> None:
    """As the module's docstring promises: the line's bytes up to ``,"hash":``."""
    previous = GENESIS
    for line in LINES:
        head = line.rpartition(b',"hash":')[0]
        stock = subprocess.run(["sha256sum"], input=head, capture_output=True, check=True)
        digest = stock.stdout.split()[0].decode()
        assert json.loads(line)["hash"] == digest
        assert json.loads(line)["previous"] == previous
        previous = digest


def test_every_flipped_bit_is_found_in_its_line() -> None:
    for position in range(len(WHOLE)):
        number = WHOLE.count(b"\n", 0, position) + 1
        for bit in range(8):
            changed = bytearray(WHOLE)
            changed[position] ^= 1 << bit
            assert f"breaks at line {number}:" in broken(bytes(changed)), (position, bit)


def test_every_removed_line_but_the_last_is_found() -> None:
    for index in range(len(LINES) - 1):
        left = LINES[:index] + LINES[index + 1 :]
        assert f"breaks at line {index + 1}:" in broken(b"".join(left))


def test_every_swap_and_every_repetition_is_found() -> None:
    for index in range(len(LINES) - 1):
        swapped = list(LINES)
        swapped[index], swapped[index + 1] = swapped[index + 1], swapped[index]
        assert f"breaks at line {index + 1}:" in broken(b"".join(swapped))
    for index, line in enumerate(LINES):
        repeated = [*LINES[: index + 1], line, *LINES[index + 1 :]]
        assert f"breaks at line {index + 2}:" in broken(b"".join(repeated))


def test_a_cut_within_a_line_is_found_at_every_byte() -> None:
    for end in range(1, len(WHOLE)):
        if WHOLE[end - 1 : end] == b"\n":
            # A cut between lines leaves a valid chain: the head file finds it.
            assert len(parse_journal(WHOLE[:end])) == WHOLE.count(b"\n", 0, end)
            continue
        assert "cut off" in broken(WHOLE[:end])


def test_an_entry_with_a_valid_hash_of_its_own_still_has_to_follow() -> None:
    other = next_entry(None, AT, "release-signed", {"version": "v9.0.0"})
    assert "does not follow" in broken(LINES[0] + encode_entry(other).replace(b'"n":1', b'"n":2'))
    forged = next_entry(ENTRIES[0], AT, "release-signed", {"version": "v9.0.0"})
    assert "breaks at line 3" in broken(b"".join([LINES[0], encode_entry(forged), *LINES[2:]]))


def rehashed(head: bytes) -> bytes:
    return head + b',"hash":"' + hashlib.sha256(head).hexdigest().encode() + b'"}\n'


def test_a_second_spelling_of_an_entry_is_refused_even_with_a_fitting_hash() -> None:
    head = LINES[0].rpartition(b',"hash":')[0]
    assert parse_journal(rehashed(head)) == ENTRIES[:1]
    for spelling in (
        head.replace(b'"n":1', b'"n": 1'),
        head.replace(b'"n":1', b'"n":1.0'),
        head.replace(b'"event":"r', b'"event":"\\u0072'),
        head.replace(b'{"n"', b' {"n"'),
        head.replace(b'"n":1,', b'"n":2,"n":1,'),
        head.replace(b'"n":1,', b'"n":1,"extra":1,'),
    ):
        assert spelling != head
        assert "line 1:" in broken(rehashed(spelling))


@pytest.mark.parametrize(
    "at",
    [
        *("2026-11-23", "2026-11-23T18:41:05", "2026-11-23T18:41:05+01:00", "x", "2026-13-01T0Z"),
        *("2026-13-01T00:00:00Z", "2026-1-3T1:2:3Z", "20261123T184105Z", "2026-W48-1T18:41:05Z"),
        *("2026-11-23T18:41:05.5Z", "2026-11-23T18:41Z", "2026-11-23T24:41:05Z", ""),
    ],
)
def test_a_time_that_is_not_utc_whole_seconds_is_refused(at: str) -> None:
    head = LINES[0].rpartition(b',"hash":')[0].replace(b"2026-11-23T18:41:05Z", at.encode())
    assert "not a journal entry" in broken(rehashed(head))


@pytest.mark.parametrize(
    "line", [b"\n", b"{}\n", b"junk\n", b"[]\n", b"null\n", b"\xff\n", b"\0\n"]
)
def test_junk_between_entries_is_found(line: bytes) -> None:
    assert "breaks at line 2:" in broken(LINES[0] + line + LINES[1])


def test_a_line_without_end_is_refused_before_it_is_parsed() -> None:
    assert "too long" in broken(b"x" * (MAX_LINE_BYTES + 1) + b"\n")


def test_a_forged_field_name_does_not_reach_the_terminal() -> None:
    head = LINES[0].rpartition(b',"hash":')[0]
    for name in ("\x7f\x9b2J", "\u202e"):
        line = rehashed(head.replace(b'"previous"', f'"{name}"'.encode()))
        assert broken(line).isprintable()


def test_facts_nested_beyond_measure_are_refused() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    head = LINES[0].rpartition(b',"hash":')[0].replace(b'"none":null', b'"none":' + deep)
    assert "breaks at line 1:" in broken(rehashed(head))


def test_text_from_outside_cannot_forge_a_line_or_reach_a_terminal() -> None:
    facts = {
        "name\n": 'a\nb"}\n{"n":2}',
        "deep": [{"esc": "\x1b[2J"}, ("\u202e", "\udcff")],
        "number": 7,
        "truth": True,
    }
    entry = next_entry(None, AT, "import", facts)
    line = encode_entry(entry)
    assert line.count(b"\n") == 1
    assert b"\x1b" not in line
    assert parse_journal(line) == (entry,)
    assert entry.facts["name\\x0a"] == 'a\\x0ab"}\\x0a{"n":2}'
    assert entry.facts["deep"] == [{"esc": "\\x1b[2J"}, ["\\u202e", "\\xff"]]
    assert (entry.facts["number"], entry.facts["truth"]) == (7, True)


def test_times_are_written_in_utc_whole_seconds() -> None:
    there = datetime(2026, 11, 23, 20, 41, 5, 999999, timezone(timedelta(hours=2)))
    assert next_entry(None, there, "x", {}).at == "2026-11-23T18:41:05Z"
