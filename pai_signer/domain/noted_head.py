"""A journal head as somebody noted it, and a journal compared with it (JRN-1, CUS-4).

Receipts and paper carry the number of an entry with its hash, or with the hash's first eight
bytes as words. Whoever holds one can tell whether a journal was rolled back or forked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pai_signer.domain.journal import JournalEntry
from pai_signer.domain.text import safe_text
from pai_signer.domain.words import from_words
from pai_signer.errors import FormatError, JournalTampered, UsageError

#: As many bytes of the hash as stand on paper in words.
NOTED_BYTES: Final = 8
_HASH_BYTES: Final = 32


@dataclass(frozen=True)
class NotedHead:
    """The number of an entry, and the hash that it has, or the first bytes of that."""

    n: int
    digest: bytes


def parse_noted_head(text: str) -> NotedHead:
    """Read ``41 stairway liberty ...`` or ``41 9f27ee06...``; ``UsageError`` for anything else.

    ``FormatError`` names a word that is misspelt or out of its place.
    """
    number, _, noted = " ".join(text.split()).partition(" ")
    if not (number.isascii() and number.isdecimal() and len(number) <= 12 and int(number)):
        raise _no_head(text)
    compact = noted.replace(" ", "").lower()
    if compact and set(compact) <= set("0123456789abcdef"):
        digest = bytes.fromhex(compact) if len(compact) % 2 == 0 else b""
    else:
        digest = from_words(noted.split())
    if not NOTED_BYTES <= len(digest) <= _HASH_BYTES:
        raise _no_head(text)
    return NotedHead(int(number), digest)


def missing_entries(entries: Sequence[JournalEntry], noted: NotedHead) -> int:
    """How many entries up to the noted one a journal lacks: 0 where it holds it.

    ``JournalTampered`` where its entry of that number is another one.
    """
    if noted.n > len(entries):
        return noted.n - len(entries)
    if not bytes.fromhex(entries[noted.n - 1].hash).startswith(noted.digest):
        raise _forked(f"entry {noted.n} of the journal is not the one that was noted")
    return 0


def missing_from(entries: Sequence[JournalEntry], other: Sequence[JournalEntry]) -> int:
    """How many entries of ``other``, another copy of this journal, stand behind its end.

    Negative where ``other`` is the shorter one. ``JournalTampered`` where the two differ in
    an entry that both have: then one was forked from the other.
    """
    for mine, theirs in zip(entries, other, strict=False):
        if mine.hash != theirs.hash:
            raise _forked(f"the journals differ from entry {mine.n} on")
    return len(other) - len(entries)


def _forked(why: str) -> JournalTampered:
    return JournalTampered(
        "CUS-4/forked",
        f"Two histories: {why}. One of them was rolled back and written anew, or forged.",
        "Do not sign. Find out with the other maintainers, the receipts that are published and "
        "every other medium which of the two is yours.",
    )


def _no_head(text: str) -> UsageError | FormatError:
    return UsageError(
        "CUS-4/head",
        f"{safe_text(text, limit=120)!r} is no head of a journal.",
        "Give the number of the entry, then its hash or all of its words, as a receipt or "
        "'journal verify' shows them.",
    )
