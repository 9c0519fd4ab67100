"""The hash chain of the journal (JRN-1): pure encoding, decoding and checking.

Format of ``journal.jsonl``: one entry a line, compact JSON with the keys
``n`` (number from 1), ``at`` (RFC 3339, UTC, whole seconds), ``event``,
``facts`` (strings from outside already sanitised), ``previous`` (hash of the
entry before; 64 zeros for the first) and ``hash``. ``hash`` is the SHA-256, in
lower hex, of the line's own bytes up to and without ``,"hash":``. So the
chain can be checked with ``sha256sum`` and a text editor.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from pai_signer.domain.artifact import Record
from pai_signer.domain.text import safe_text
from pai_signer.errors import JournalTampered

GENESIS: Final = "0" * 64
MAX_LINE_BYTES: Final = 1 << 20
#: The event of an entry that says that a torn last line was set aside.
RECOVERED: Final = "journal.recovered"
_HASH_KEY: Final = b',"hash":"'
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


class JournalEntry(Record, frozen=True, kw_only=True):
    """One line of evidence."""

    n: int
    at: str
    event: str
    facts: dict[str, Any]
    previous: str
    hash: str

    @property
    def time(self) -> datetime:
        """``at`` as an aware time; ``ValueError`` if it is not one, in the one form."""
        if not _TIME.fullmatch(self.at):
            raise ValueError("its time is not in the form 2026-11-23T18:41:05Z")
        return datetime.fromisoformat(self.at)  # a tenth of what strptime takes


def next_entry(
    last: JournalEntry | None, at: datetime, event: str, facts: Mapping[str, Any]
) -> JournalEntry:
    """The entry that follows ``last``; every string in ``facts`` is sanitised here (SEC-3)."""
    unhashed = {
        "n": last.n + 1 if last else 1,
        "at": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "event": event,
        "facts": _sanitised(dict(facts)),
        "previous": last.hash if last else GENESIS,
    }
    digest = hashlib.sha256(_head_bytes(unhashed)).hexdigest()
    return msgspec.convert({**unhashed, "hash": digest}, JournalEntry)


def encode_entry(entry: JournalEntry) -> bytes:
    """The line of ``entry``, with its newline."""
    fields = {k: getattr(entry, k) for k in ("n", "at", "event", "facts", "previous")}
    return _head_bytes(fields) + _HASH_KEY + entry.hash.encode() + b'"}\n'


def parse_journal(data: bytes, *, after: Sequence[JournalEntry] = ()) -> tuple[JournalEntry, ...]:
    """Parse and check a whole journal; ``JournalTampered`` names the first bad line.

    With ``after``, entries that were checked already, ``data`` is what follows the last of them.
    """
    last = after[-1] if after else None
    if data and not data.endswith(b"\n"):
        raise _broken((last.n if last else 0) + data.count(b"\n") + 1, "the line is cut off")
    return tuple(_checked(data.splitlines(keepends=True), last))


def _checked(lines: Iterable[bytes], last: JournalEntry | None) -> Iterable[JournalEntry]:
    for number, line in enumerate(lines, last.n + 1 if last else 1):
        if len(line) > MAX_LINE_BYTES:
            raise _broken(number, "the line is too long")
        try:
            entry = msgspec.json.decode(line, type=JournalEntry)
            entry.time  # noqa: B018 - parsing it is the check
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            why = safe_text(str(error), limit=300)
            raise _broken(number, f"it is not a journal entry ({why})") from error
        if entry.n != number:
            raise _broken(number, f"it says it is entry {entry.n}")
        if entry.previous != (last.hash if last else GENESIS):
            raise _broken(number, "it does not follow the entry before it")
        # Re-encoding must give the very same bytes: no second spelling of an entry.
        digest = hashlib.sha256(line.rpartition(_HASH_KEY)[0]).hexdigest()
        if entry.hash != digest or encode_entry(entry) != line:
            raise _broken(number, "its content does not match its hash")
        yield entry
        last = entry


def _head_bytes(fields: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(fields)[:-1]


def _sanitised(value: Any) -> Any:
    if isinstance(value, str):
        return safe_text(value)
    if isinstance(value, Mapping):
        return {safe_text(str(key)): _sanitised(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_sanitised(item) for item in value]
    return value


def _broken(number: int, why: str) -> JournalTampered:
    return JournalTampered(
        "JRN-2/chain",
        f"The journal breaks at line {number}: {why}.",
        "Do not sign. Compare the last head on paper or on a receipt, and see "
        "'pai-signer journal verify'.",
        unchanged="The journal file was left as it is.",
    )
