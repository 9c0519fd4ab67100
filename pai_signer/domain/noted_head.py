"""A journal head as somebody noted it, and a journal compared with it (JRN-1, CUS-4).

Receipts and paper carry the number of an entry with its hash, or with the hash's first eight
bytes as words. Whoever holds one can tell whether a journal was rolled back or forked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pai_signer.domain.journal import GENESIS, JournalEntry
from pai_signer.domain.receipt import JournalHead
from pai_signer.domain.text import safe_text
from pai_signer.domain.words import from_words
from pai_signer.errors import FormatError, JournalTampered, UsageError

#: As many bytes of the hash as stand on paper in words.
NOTED_BYTES: Final = 8
_HASH_BYTES: Final = 32
_FIND_OUT: Final = (
    "Do not sign. Compare with the other maintainers, the published receipts and every backup "
    "medium; if this vault is the wrong one, restore the newest backup into a new vault. After "
    "a restoration, the entry 'custody.restored' says how many entries are missing."
)


@dataclass(frozen=True)
class NotedHead:
    """The number of an entry, and the hash that it has, or the first bytes of that."""

    n: int
    digest: bytes


def parse_noted_head(text: str) -> NotedHead:
    """Read ``41 stairway liberty ...`` or ``41:9f27ee06...``; ``UsageError`` for anything else.

    ``FormatError`` names a word that is misspelt or out of its place.
    """
    number, _, noted = " ".join(text.replace(":", " ", 1).split()).partition(" ")
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


def check_holds(entries: Sequence[JournalEntry], noted: NotedHead, where: str) -> None:
    """Check that a journal holds the entry whose head stands in ``where`` (JRN-1).

    ``JournalTampered`` where it was rolled back to before that entry, or written anew.
    """
    try:
        missing = missing_entries(entries, noted)
    except JournalTampered as error:
        raise JournalTampered(
            "JRN-1/forked",
            f"{where} knows another entry {noted.n} than this journal: one of the two was "
            "written anew.",
            _FIND_OUT,
        ) from error
    if missing:
        raise JournalTampered(
            "JRN-1/rolled-back",
            f"{where} knows entry {noted.n}, but this journal ends at entry {len(entries)}: it "
            "was rolled back, or the vault is an old copy.",
            _FIND_OUT,
        )


def check_holds_recorded(entries: Sequence[JournalEntry], head: JournalHead, where: str) -> None:
    """``check_holds`` for a head in a record of ours; ``FormatError`` where it is none."""
    if head.n == 0 and head.hash == GENESIS:  # of a vault that was just made
        return
    if head.n == 0 or not head.is_whole:
        raise FormatError(
            "JRN-1/head-malformed",
            f"{where} has no journal head that could be one.",
            "Get it again from where it came.",
        )
    check_holds(entries, NotedHead(head.n, bytes.fromhex(head.hash)), where)


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
