"""The journal on disk: ``journal.jsonl`` and the note of its head (JRN-1).

The chain alone cannot tell that entries were cut off its end. So
``journal.head`` (one line, ``NUMBER HASH``) is rewritten durably after each
append: it may lag by the one entry that a power cut came after, and never
leads. A piece of a line behind the entry that the head notes is an append that
never returned: nobody relies on it, and the next append writes in its place.

What neither file can show is that both were replaced together; for that,
receipts and the paper carry the head.

A vault that is restored from a backup takes over the journal from the medium (CUS-4): the
whole of it first stands in ``journal.incoming``, then takes the place of journal and head.
Whatever the moment of a crash, the next look at the journal finishes that.
"""

import fcntl
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pai_signer.adapters import device_errors, durable
from pai_signer.adapters.vault_files import read_bounded
from pai_signer.domain.journal import (
    GENESIS,
    MAX_LINE_BYTES,
    RECOVERED,
    JournalEntry,
    encode_entry,
    next_entry,
    parse_journal,
)
from pai_signer.errors import FormatError, JournalTampered, PolicyRefused
from pai_signer.ports import Clock

JOURNAL_NAME: Final = "journal.jsonl"
HEAD_NAME: Final = "journal.head"
INCOMING_NAME: Final = "journal.incoming"
#: Then the number of the line that it would have become, and the start of its SHA-256.
TORN_PREFIX: Final = "journal.torn-"
#: A long life of releases is a few megabytes.
MAX_JOURNAL_BYTES: Final = 256 << 20

_HEAD: Final = re.compile(rb"(\d{1,12}) ([0-9a-f]{64})\n")


def empty_journal() -> dict[str, bytes]:
    """The files of a new vault's journal: it is there from birth, so a missing one is noticed."""
    return {JOURNAL_NAME: b"", HEAD_NAME: _head_line(0, GENESIS)}


def begin_journal(vault: Path) -> None:
    """Write the empty journal of a new vault; what an interrupted attempt wrote stays."""
    for name, data in empty_journal().items():
        if not (vault / name).exists():
            durable.create(vault / name, data)


class FileJournal:
    """``ports.Journal`` over the two files in ``vault``."""

    def __init__(self, vault: Path, clock: Clock) -> None:
        self._journal = vault / JOURNAL_NAME
        self._head = vault / HEAD_NAME
        self._incoming = vault / INCOMING_NAME
        self._clock = clock
        self._last_data = b""
        self._last_entries: tuple[JournalEntry, ...] = ()

    def append(self, event: str, facts: Mapping[str, Any]) -> JournalEntry:
        """Check the whole journal, then add one entry that is on disk when this returns."""
        self.recover()
        with self._opened(fcntl.LOCK_EX) as descriptor:
            entries, head_number, _ = self._checked(descriptor)
            last = entries[-1] if entries else None
            if last and head_number != last.n:
                # A power cut came between the last entry and its head: the head may only
                # ever lag by one, so it catches up before the next entry.
                self._write_head(last)
            entry = next_entry(last, self._clock.now(), event, facts)
            line = encode_entry(entry)
            if len(line) > MAX_LINE_BYTES:
                raise FormatError(
                    "JRN-1/entry-size",
                    f"A journal entry of {len(line)} bytes is too long.",
                    "Shorten what was typed.",
                )
            durable.append(self._journal, line)
            self._write_head(entry)
        return entry

    def recover(self) -> JournalEntry | None:
        """Set a torn last line aside that no append ever acknowledged; the entry that says so.

        None where the journal is whole; ``JournalTampered`` for any other damage, which is
        left as it is. The piece is kept first, then journal and entry appear in one step:
        whatever the moment of a crash, the next look finds the piece or the entry.
        """
        with self._opened(fcntl.LOCK_EX) as descriptor:
            entries, _, torn = self._checked(descriptor)
            if not torn:
                return None
            last = entries[-1] if entries else None
            line, digest = (last.n if last else 0) + 1, hashlib.sha256(torn).hexdigest()
            kept_as = f"{TORN_PREFIX}{line:06}-{digest[:8]}"
            facts = {
                "line": line,
                "size_bytes": len(torn),
                "sha256": digest,
                "kept_as": kept_as,
            }
            entry = next_entry(last, self._clock.now(), RECOVERED, facts)
            durable.replace(self._journal.with_name(kept_as), torn)
            whole = b"".join(encode_entry(each) for each in (*entries, entry))
            durable.replace(self._journal, whole)
            self._write_head(entry)
        return entry

    def entries(self) -> tuple[JournalEntry, ...]:
        """All entries, checked against each other and against the head."""
        with self._opened(fcntl.LOCK_SH) as descriptor:
            entries, _, _ = self._checked(descriptor)
        return entries

    def take_over(self, data: bytes) -> None:
        """Put a journal from elsewhere in the place of one that holds its birth only (CUS-4).

        All of it or nothing, whatever the moment of a crash. ``JournalTampered`` where
        ``data`` is no whole journal, ``PolicyRefused`` where this one has more to tell than
        that the vault was made.
        """
        entries = parse_journal(data)
        if not entries or len(data) > MAX_JOURNAL_BYTES:
            raise FormatError(
                "CUS-4/journal-size",
                f"A journal of {len(data)} bytes cannot be taken over.",
                "Use another backup.",
            )
        if len(self.entries()) > 1:
            raise PolicyRefused(
                "CUS-4/journal-kept",
                "The journal of this vault holds more than its birth: it is never replaced.",
                "Restore into a new vault: pai-signer --vault DIR init",
            )
        durable.create(self._incoming, data)
        self._finish_take_over()

    def _finish_take_over(self) -> None:
        """Put what is incoming in place; each move may have been made already."""
        data = read_bounded(self._incoming, MAX_JOURNAL_BYTES)
        if data is None:
            return
        entries = parse_journal(data)
        present = read_bounded(self._journal, MAX_JOURNAL_BYTES) or b""
        if present != data and len(parse_journal(present)) > 1:
            raise _tampered(
                "incoming",
                f"Somebody put a file {INCOMING_NAME} beside a journal that is in use.",
            )
        durable.replace(self._journal, data)
        self._write_head(entries[-1])
        durable.remove(self._incoming)

    @contextmanager
    def _opened(self, lock: int) -> Iterator[int]:
        self._finish_take_over()
        descriptor = self._open_locked(lock)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _open_locked(self, lock: int) -> int:
        """The journal, locked; opened again where it was replaced while this waited."""
        while True:
            with device_errors.explained("read the journal", requirement="JRN-1"):
                try:
                    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                    descriptor = os.open(self._journal, flags)
                except FileNotFoundError as error:
                    raise _tampered("gone", "The journal is gone.") from error
            try:
                fcntl.flock(descriptor, lock)
                if os.path.samestat(os.fstat(descriptor), os.lstat(self._journal)):
                    return descriptor
            except FileNotFoundError:
                pass  # said above, the next time round
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _checked(self, descriptor: int) -> tuple[tuple[JournalEntry, ...], int, bytes]:
        """The entries, the number that the head stands at, and the piece of a torn append."""
        data = _read(descriptor)
        number, digest = self._read_head()
        torn = data[data.rfind(b"\n") + 1 :]
        # Where a noted entry is cut, or the piece is longer than any line: parsing says where.
        if data.count(b"\n") != number or len(torn) > MAX_LINE_BYTES:
            torn = b""
        entries = self._parsed(data[: len(data) - len(torn)])
        if number > len(entries):
            raise _tampered(
                "cut",
                f"The journal ends at entry {len(entries)}, but its head is entry {number}: "
                "entries were cut off.",
            )
        if number < len(entries) - 1:
            raise _tampered(
                "head-old",
                f"The journal has {len(entries)} entries, but its head file stands at {number}.",
            )
        if digest != (entries[number - 1].hash if number else GENESIS):
            raise _tampered("head", f"Entry {number} of the journal is not the one that was noted.")
        return entries, number, torn

    def _parsed(self, data: bytes) -> tuple[JournalEntry, ...]:
        """Parsed and checked; bytes that are the very same as the last time were so already."""
        if data.startswith(self._last_data):
            known = len(self._last_data)
            more = parse_journal(data[known:], after=self._last_entries[-1:])
            self._last_entries = (*self._last_entries, *more) if more else self._last_entries
        else:
            self._last_entries = parse_journal(data)
        self._last_data = data
        return self._last_entries

    def _read_head(self) -> tuple[int, str]:
        with device_errors.explained("read the journal's head", requirement="JRN-1"):
            try:
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                with os.fdopen(os.open(self._head, flags), "rb") as file:
                    match = _HEAD.fullmatch(file.read(1024))
            except FileNotFoundError as error:
                raise _tampered("head-gone", "The note of the journal's head is gone.") from error
        if match is None:
            raise _tampered("head", "The note of the journal's head cannot be read.")
        return int(match[1]), match[2].decode()

    def _write_head(self, entry: JournalEntry) -> None:
        durable.replace(self._head, _head_line(entry.n, entry.hash))


def _head_line(number: int, digest: str) -> bytes:
    return f"{number} {digest}\n".encode()


def _read(descriptor: int) -> bytes:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_JOURNAL_BYTES:
        raise _tampered("file", "The journal is not a regular file of bearable size.")
    with device_errors.explained("read the journal", requirement="JRN-1"):
        chunks = []
        while chunk := os.read(descriptor, 1 << 20):
            chunks.append(chunk)
    return b"".join(chunks)


def _tampered(code: str, summary: str) -> JournalTampered:
    return JournalTampered(
        f"JRN-1/{code}",
        summary,
        "Do not sign. Compare the last head on paper or on a receipt with "
        "'pai-signer journal verify'.",
        unchanged="The journal was left as it is.",
    )
