"""The journal on disk: fsynced, never shortened unseen, whole after a kill at any point (JRN-1)."""

import errno
import fcntl
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pai_signer.adapters import durable
from pai_signer.adapters.clock import SystemClock
from pai_signer.adapters.journal_file import FileJournal, begin_journal
from pai_signer.domain.journal import (
    GENESIS,
    MAX_LINE_BYTES,
    JournalEntry,
    encode_entry,
    next_entry,
)
from pai_signer.errors import (
    FormatError,
    JournalTampered,
    MediumError,
    PolicyRefused,
    SignerError,
)

AT = datetime(2026, 11, 23, 18, 41, 5, tzinfo=UTC)


class FixedClock:
    def now(self) -> datetime:
        return AT


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    begin_journal(tmp_path)
    return tmp_path


@pytest.fixture
def journal(vault: Path) -> FileJournal:
    return FileJournal(vault, FixedClock())


def refuse(journal: FileJournal, code: str) -> None:
    """Neither reading nor appending works, and appending changes nothing."""
    files = {p: p.read_bytes() for p in journal._journal.parent.iterdir() if p.is_file()}
    with pytest.raises(JournalTampered) as caught:
        journal.entries()
    assert caught.value.code == code
    with pytest.raises(JournalTampered):
        journal.append("sign", {})
    assert files == {p: p.read_bytes() for p in journal._journal.parent.iterdir() if p.is_file()}


def test_entries_come_back_in_order_and_in_plain_files(journal: FileJournal, vault: Path) -> None:
    assert journal.entries() == ()
    first = journal.append("import", {"name": "a\x1b[2J"})
    second = journal.append("sign", {"version": "v1.0.0"})
    assert journal.entries() == (first, second)
    assert (first.previous, second.previous) == (GENESIS, first.hash)
    lines = (vault / "journal.jsonl").read_bytes()
    assert lines == encode_entry(first) + encode_entry(second)
    assert b"\x1b" not in lines
    assert (vault / "journal.head").read_text() == f"2 {second.hash}\n"
    for name in ("journal.jsonl", "journal.head"):
        assert (vault / name).stat().st_mode & 0o777 == 0o600


def test_the_system_clock_gives_utc_whole_seconds(vault: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    now = SystemClock().now()
    assert now.utcoffset() is not None
    assert now.microsecond == 0
    assert before <= now <= datetime.now(UTC)
    assert FileJournal(vault, SystemClock()).append("x", {}).time >= before


def test_every_entry_cut_off_the_end_is_found(journal: FileJournal, vault: Path) -> None:
    entries = [journal.append("import", {"i": i}) for i in range(4)]
    lines = [encode_entry(entry) for entry in entries]
    for kept in range(4):
        (vault / "journal.jsonl").write_bytes(b"".join(lines[:kept]))
        refuse(journal, "JRN-1/cut")


def test_a_removed_journal_or_head_is_found(journal: FileJournal, vault: Path) -> None:
    journal.append("import", {})
    for name, code in (("journal.jsonl", "JRN-1/gone"), ("journal.head", "JRN-1/head-gone")):
        (vault / name).rename(vault / "aside")
        refuse(journal, code)
        (vault / "aside").rename(vault / name)
    assert len(journal.entries()) == 1


def test_a_cut_or_changed_line_is_found(journal: FileJournal, vault: Path) -> None:
    journal.append("import", {})
    journal.append("sign", {})
    path = vault / "journal.jsonl"
    whole = path.read_bytes()
    for data in (whole[:-1], whole[:-20], whole.replace(b'"sign"', b'"sigh"'), whole + b"\n"):
        path.write_bytes(data)
        refuse(journal, "JRN-2/chain")


@pytest.mark.parametrize(
    "head",
    [b"", b"2\n", b"x", b"2 " + b"0" * 64 + b"\n", b"1 " + b"0" * 64 + b"\n", b"\xff" * 2000],
)
def test_a_head_that_was_changed_is_found(journal: FileJournal, vault: Path, head: bytes) -> None:
    journal.append("import", {})
    journal.append("sign", {})
    (vault / "journal.head").write_bytes(head)
    refuse(journal, "JRN-1/head")


def test_a_rewritten_last_entry_is_found_by_the_head(journal: FileJournal, vault: Path) -> None:
    first = journal.append("import", {})
    journal.append("sign", {"version": "v1.0.0"})
    forged = next_entry(first, AT, "sign", {"version": "v6.6.6"})
    (vault / "journal.jsonl").write_bytes(encode_entry(first) + encode_entry(forged))
    refuse(journal, "JRN-1/head")


def test_the_head_may_lag_by_one_entry_and_catches_up_before_the_next(
    journal: FileJournal, vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut came between the entry and its head: twice in a row, which must not add up."""
    journal.append("import", {})
    real_replace = durable.replace
    written: list[bytes] = []

    def cut_before_the_newest_head(path: Path, data: bytes) -> None:
        if written:
            raise KeyboardInterrupt
        written.append(data)
        real_replace(path, data)

    def cut(path: Path, data: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(durable, "replace", cut)
    with pytest.raises(KeyboardInterrupt):
        journal.append("sign", {"n": 2})
    assert len(journal.entries()) == 2
    monkeypatch.setattr(durable, "replace", cut_before_the_newest_head)
    with pytest.raises(KeyboardInterrupt):
        journal.append("sign", {"n": 3})
    assert len(journal.entries()) == 3
    monkeypatch.setattr(durable, "replace", real_replace)
    journal.append("sign", {"n": 4})
    assert [entry.n for entry in journal.entries()] == [1, 2, 3, 4]
    assert (vault / "journal.head").read_text().startswith("4 ")


def tear(vault: Path, journal: FileJournal, kept_bytes: int) -> bytes:
    """A power cut within one long write: the line is there in part, the head is not."""
    file, head = vault / "journal.jsonl", (vault / "journal.head").read_bytes()
    whole = file.read_bytes()
    journal.append("release.signing", {"text": "x" * 10_000})
    piece = file.read_bytes()[len(whole) :][:kept_bytes]
    file.write_bytes(whole + piece)
    (vault / "journal.head").write_bytes(head)
    return piece


@pytest.mark.parametrize("kept_bytes", [1, 60, -1])
def test_a_torn_append_is_kept_aside_and_an_entry_says_so(
    journal: FileJournal, vault: Path, kept_bytes: int
) -> None:
    journal.append("vault.created", {})
    before = journal.entries()
    file = vault / "journal.jsonl"
    whole = file.read_bytes()
    piece = tear(vault, journal, kept_bytes)
    assert journal.entries() == before
    entry = journal.append("next", {})
    recovered = journal.entries()[1]
    assert journal.entries() == (*before, recovered, entry)
    assert file.read_bytes().startswith(whole)
    assert recovered.event == "journal.recovered"
    digest = hashlib.sha256(piece).hexdigest()
    kept_as = f"journal.torn-000002-{digest[:8]}"
    assert recovered.facts == {
        "line": 2,
        "size_bytes": len(piece),
        "sha256": digest,
        "kept_as": kept_as,
    }
    assert (vault / kept_as).read_bytes() == piece
    assert journal.recover() is None


@pytest.mark.parametrize("moves", range(4))
def test_killed_at_any_moment_of_it_the_piece_is_never_set_aside_unseen(
    journal: FileJournal, vault: Path, moves: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append("vault.created", {})
    piece = tear(vault, journal, 60)
    real = durable.replace
    made: list[str] = []

    def counted(path: Path, data: bytes) -> None:
        if len(made) == moves:
            raise KeyboardInterrupt
        made.append(path.name)
        real(path, data)

    monkeypatch.setattr(durable, "replace", counted)
    with suppress(KeyboardInterrupt):
        journal.recover()
    monkeypatch.undo()
    after = FileJournal(vault, FixedClock())
    after.append("next", {})
    assert [entry.event for entry in after.entries()] == [
        "vault.created",
        "journal.recovered",
        "next",
    ]
    assert [path.read_bytes() for path in vault.glob("journal.torn-*")] == [piece]


@pytest.mark.parametrize("tail", [b"junk\n", b"{}\n", b"a\nb", b"x" * (MAX_LINE_BYTES + 1)])
def test_other_damage_behind_the_head_is_no_torn_append(
    journal: FileJournal, vault: Path, tail: bytes
) -> None:
    journal.append("vault.created", {})
    with (vault / "journal.jsonl").open("ab") as file:
        file.write(tail)
    with pytest.raises(JournalTampered):
        journal.recover()
    refuse(journal, "JRN-2/chain")


def test_what_was_read_once_is_still_checked_when_it_changes(
    journal: FileJournal, vault: Path
) -> None:
    for number in range(3):
        journal.append("sign", {"number": number})
    assert len(journal.entries()) == 3
    file = vault / "journal.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b'"number":1', b'"number":7'))
    refuse(journal, "JRN-2/chain")
    file.write_bytes(whole)
    assert len(journal.entries()) == 3
    file.write_bytes(whole.replace(b'"number":2', b'"number":7'))
    refuse(journal, "JRN-2/chain")


def test_a_journal_that_is_replaced_while_one_waits_for_it_is_opened_again(
    journal: FileJournal, vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append("vault.created", {})
    tear(vault, journal, 60)
    real = fcntl.flock
    waits: list[int] = []

    def replaced_meanwhile(descriptor: int, operation: int) -> None:
        if not waits:
            waits.append(descriptor)
            monkeypatch.setattr(fcntl, "flock", real)
            FileJournal(vault, FixedClock()).recover()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", replaced_meanwhile)
    assert journal.append("next", {}).n == 3
    assert len(waits) == 1


def test_a_piece_of_a_line_that_the_head_notes_is_no_torn_append(
    journal: FileJournal, vault: Path
) -> None:
    journal.append("vault.created", {})
    file = vault / "journal.jsonl"
    file.write_bytes(file.read_bytes()[:-1])
    refuse(journal, "JRN-2/chain")


def test_a_head_two_entries_behind_is_not_a_power_cut(journal: FileJournal, vault: Path) -> None:
    journal.append("import", {})
    old = (vault / "journal.head").read_bytes()
    journal.append("sign", {})
    journal.append("sign", {})
    (vault / "journal.head").write_bytes(old)
    refuse(journal, "JRN-1/head-old")


def test_a_full_disk_leaves_the_journal_as_it_was(
    journal: FileJournal, vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append("import", {})
    before = (vault / "journal.jsonl").read_bytes()
    real_write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) > 10:
            return real_write(descriptor, data[:10])  # short writes, then none
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(MediumError):
            journal.append("sign", {})
    assert (vault / "journal.jsonl").read_bytes() == before
    assert len(journal.entries()) == 1


def test_an_entry_too_long_to_be_read_back_is_not_written(journal: FileJournal) -> None:
    with pytest.raises(FormatError, match="JRN-1/entry-size"):
        journal.append("sign", {"list": ["x" * 4000] * 300})
    assert journal.entries() == ()


def test_a_link_or_a_pipe_is_not_read_as_the_journal(journal: FileJournal, vault: Path) -> None:
    journal.append("import", {})
    (vault / "journal.jsonl").rename(vault / "aside")
    (vault / "journal.jsonl").symlink_to("aside")
    with pytest.raises(SignerError):
        journal.entries()
    (vault / "journal.jsonl").unlink()
    os.mkfifo(vault / "journal.jsonl")
    with pytest.raises(JournalTampered, match="JRN-1/file"):
        journal.entries()


WRITER = """
import sys
from pathlib import Path
from pai_signer.adapters.clock import SystemClock
from pai_signer.adapters.journal_file import FileJournal
journal = FileJournal(Path(sys.argv[1]), SystemClock())
for number in range(int(sys.argv[2])):
    entry = journal.append("write", {"number": number, "pad": "x" * 2000})
    print(entry.n, flush=True)
"""


def start_writer(vault: Path, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(vault), str(count)], stdout=subprocess.PIPE
    )


def test_two_processes_at_once_lose_no_entry(vault: Path, journal: FileJournal) -> None:
    writers = [start_writer(vault, 20) for _ in range(2)]
    numbers: list[int] = []
    for writer in writers:
        out, _ = writer.communicate(timeout=60)
        assert writer.returncode == 0
        numbers += map(int, out.split())
    assert sorted(numbers) == list(range(1, 41))
    assert [entry.n for entry in journal.entries()] == list(range(1, 41))


def test_kill_9_at_any_moment_keeps_every_acknowledged_entry(
    vault: Path, journal: FileJournal
) -> None:
    chance = random.Random(7)
    acknowledged = 0
    for _ in range(6):
        writer = start_writer(vault, 100_000)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(chance.uniform(0, 0.05))
        writer.send_signal(signal.SIGKILL)
        out, _ = writer.communicate(timeout=60)
        seen = [int(line) for line in out.splitlines(keepends=True) if line.endswith(b"\n")]
        acknowledged = max([acknowledged + 1, *seen])
        entries = journal.entries()
        assert len(entries) >= acknowledged
        acknowledged = len(entries)
    assert journal.append("after", {}).n == acknowledged + 1


# --- taking over a journal from a backup (CUS-4) -------------------------------------------------


def from_elsewhere(count: int = 4) -> bytes:
    """The journal of another workstation."""
    entries: list[JournalEntry] = []
    for number in range(count):
        last = entries[-1] if entries else None
        entries.append(next_entry(last, AT, "sign", {"version": f"v1.0.{number}"}))
    return b"".join(encode_entry(entry) for entry in entries)


def test_a_journal_is_taken_over_and_goes_on(journal: FileJournal, vault: Path) -> None:
    journal.append("vault.created", {})
    journal.take_over(from_elsewhere())
    assert [entry.n for entry in journal.entries()] == [1, 2, 3, 4]
    assert journal.append("custody.restored", {}).n == 5
    assert sorted(path.name for path in vault.iterdir()) == ["journal.head", "journal.jsonl"]


@pytest.mark.parametrize("moves", range(4))
def test_killed_at_any_moment_it_is_the_old_journal_or_the_whole_new_one(
    journal: FileJournal, vault: Path, moves: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    born = journal.append("vault.created", {})
    made: list[str] = []
    for name in ("create", "replace", "remove"):
        real = getattr(durable, name)

        def counted(*arguments: object, real: Callable[..., None] = real, name: str = name) -> None:
            if len(made) == moves:
                raise KeyboardInterrupt
            made.append(name)
            real(*arguments)

        monkeypatch.setattr(durable, name, counted)
    with pytest.raises(KeyboardInterrupt):
        journal.take_over(from_elsewhere())
    monkeypatch.undo()
    after = FileJournal(vault, FixedClock())
    entries = after.entries()
    assert made == ["create", "replace", "replace", "remove"][:moves]
    if moves:  # it stood whole beside the old one: the next look finishes it
        assert b"".join(encode_entry(entry) for entry in entries) == from_elsewhere()
        assert after.append("custody.restored", {}).n == 5
    else:
        assert entries == (born,)
        after.take_over(from_elsewhere())
    assert not (vault / "journal.incoming").exists()


def test_a_journal_with_more_than_its_birth_is_never_replaced(
    journal: FileJournal, vault: Path
) -> None:
    journal.append("vault.created", {})
    journal.append("sign", {})
    before = (vault / "journal.jsonl").read_bytes()
    with pytest.raises(PolicyRefused) as caught:
        journal.take_over(from_elsewhere())
    assert caught.value.code == "CUS-4/journal-kept"
    assert (vault / "journal.jsonl").read_bytes() == before
    # Nor by somebody who puts one there as if a crash had left it.
    (vault / "journal.incoming").write_bytes(from_elsewhere())
    refuse(journal, "JRN-1/incoming")


@pytest.mark.parametrize(
    "data", [b"", from_elsewhere()[:-1], from_elsewhere().replace(b"v1.0.2", b"v1.0.9")]
)
def test_what_is_no_whole_journal_is_not_taken_over(
    journal: FileJournal, vault: Path, data: bytes
) -> None:
    born = journal.append("vault.created", {})
    with pytest.raises((FormatError, JournalTampered)):
        journal.take_over(data)
    assert journal.entries() == (born,)
    assert not (vault / "journal.incoming").exists()
