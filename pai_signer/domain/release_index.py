"""``releases.json``: every release and what became of it, append-only (VER-2).

The index is a list of facts that were published: a release was signed, an old one never
was, one was deprecated. Entries are linked by hashes, as the journal's are, and are read
from the journal, which nobody edits unnoticed. A later index begins with every entry of an
earlier one; whether a release is current or deprecated is what its entries add up to.

``hash`` of an entry is the SHA-256, in lower hex, of its compact JSON up to and without
``,"hash":``; ``previous`` is the hash of the entry before, 64 zeros for the first.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from pai_signer.domain.artifact import Record
from pai_signer.domain.history import SIGNED, SIGNING, SignedFacts, SigningFacts
from pai_signer.domain.journal import GENESIS, JournalEntry
from pai_signer.domain.records import decode_record
from pai_signer.domain.text import is_safe, safe_text
from pai_signer.errors import BadSignature, FormatError, JournalTampered

FORMAT: Final = 1
INDEX_NAME: Final = "releases.json"
#: Room for some 20,000 releases.
MAX_INDEX_BYTES: Final = 16 << 20

#: The journal's events of which the index tells, beside that of a signing.
DEPRECATED: Final = "release.deprecated"
DECLARED_UNSIGNED: Final = "release.declared-unsigned"

_RELEASE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,79}", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_OID: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)
_KEY_ID: Final = re.compile(r"[0-9A-F]{1,16}|[0-9A-F]{40}", re.ASCII)


class Fact(Record, frozen=True, kw_only=True):
    """One thing that became true of a release; ``keys`` are the IDs of all that signed it.

    ``signed`` is one visit (IMP-7): a manifest, a tag, or both. ``unsigned`` is a release of
    which no signature was ever expected. ``deprecated`` names its replacement, and why.
    """

    event: Literal["signed", "unsigned", "deprecated"]
    at: datetime
    version: str
    manifest_sha256: str | None = None
    tag_oid: str | None = None
    commit: str | None = None
    keys: tuple[str, ...] = ()
    replacement: str | None = None
    reason: str = ""


class IndexEntry(Fact, frozen=True, kw_only=True):
    """A fact in its place in the chain."""

    n: int
    previous: str
    hash: str


class ReleaseIndex(Record, frozen=True, kw_only=True):
    """The whole index of one project."""

    format: Literal[1] = FORMAT
    project: str
    rehearsal: bool = False
    entries: tuple[IndexEntry, ...] = ()

    @property
    def head(self) -> str:
        """The hash of the last entry, which pins all of them."""
        return self.entries[-1].hash if self.entries else GENESIS


class DeprecatedFacts(Record, frozen=True, kw_only=True):
    """The facts of a ``release.deprecated`` entry of the journal."""

    version: str
    replacement: str
    reason: str
    command: str = ""


class _UnsignedFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a ``release.declared-unsigned`` entry; it tells more."""

    version: str
    reason: str
    manifest_sha256: str | None = None


@dataclass(frozen=True)
class ListedRelease:
    """What all entries about one release add up to."""

    version: str
    was_signed: bool
    manifest_sha256: str | None = None
    tag_oid: str | None = None
    keys: tuple[str, ...] = ()
    #: Why it has no signature.
    reason: str = ""
    deprecation: IndexEntry | None = None

    @property
    def is_deprecated(self) -> bool:
        """Whether users should move on to its replacement."""
        return self.deprecation is not None

    @property
    def can_replace(self) -> bool:
        """Whether another release may be deprecated in favour of this one."""
        return self.manifest_sha256 is not None and self.was_signed and not self.is_deprecated


Listed = dict[str, ListedRelease]


# --- from the journal --------------------------------------------------------------------


def journal_facts(entries: Iterable[JournalEntry]) -> Iterator[Fact]:
    """What a checked journal has to tell the public, in its order.

    ``JournalTampered`` if an entry makes no sense where it stands.
    """
    begun: dict[str, SigningFacts] = {}
    for entry in entries:
        try:
            if entry.event == SIGNING:
                signing = msgspec.convert(entry.facts, SigningFacts)
                begun[signing.version] = signing
            elif (fact := _fact(entry, begun)) is not None:
                yield fact
        except (KeyError, msgspec.ValidationError) as error:
            raise JournalTampered(
                "JRN-2/meaning",
                f"Journal entry {entry.n} ({entry.event}) makes no sense where it stands.",
                "Do not sign. Compare the journal with a receipt and with a backup.",
            ) from error


def _fact(entry: JournalEntry, begun: dict[str, SigningFacts]) -> Fact | None:
    if entry.event == SIGNED:
        signed = msgspec.convert(entry.facts, SignedFacts)
        signing = begun.pop(signed.version)
        return Fact(
            event="signed",
            at=entry.time,
            version=signed.version,
            manifest_sha256=signing.manifest_sha256,
            tag_oid=signed.tag_oid,
            commit=signing.commit,
            keys=signing.keys,
        )
    if entry.event == DECLARED_UNSIGNED:
        unsigned = msgspec.convert(entry.facts, _UnsignedFacts)
        return Fact(
            event="unsigned",
            at=entry.time,
            version=unsigned.version,
            manifest_sha256=unsigned.manifest_sha256,
            reason=unsigned.reason,
        )
    if entry.event == DEPRECATED:
        facts = msgspec.convert(entry.facts, DeprecatedFacts)
        return Fact(
            event="deprecated",
            at=entry.time,
            version=facts.version,
            replacement=facts.replacement,
            reason=facts.reason,
        )
    return None


def extended(index: ReleaseIndex, facts: Iterable[Fact]) -> ReleaseIndex:
    """``index`` with every fact that it does not tell yet; nothing in it changes.

    Raises ``FormatError`` where a fact contradicts what the index tells.
    """
    known = {_told(entry) for entry in index.entries}
    entries = list(index.entries)
    previous = index.head
    for fact in facts:
        if _told(fact) in known:
            continue
        entry = _linked(fact, len(entries) + 1, previous)
        entries.append(entry)
        known.add(_told(fact))
        previous = entry.hash
    following = msgspec.structs.replace(index, entries=tuple(entries))
    check_index(following)
    return following


def _told(fact: Fact) -> tuple[str | None, ...]:
    """What makes two facts one; a clock may have told another time of it elsewhere."""
    return (fact.event, fact.version, fact.manifest_sha256, fact.tag_oid, fact.replacement)


def _linked(fact: Fact, n: int, previous: str) -> IndexEntry:
    fields = {name: getattr(fact, name) for name in Fact.__struct_fields__}
    unhashed = IndexEntry(**fields, n=n, previous=previous, hash="")
    return msgspec.structs.replace(unhashed, hash=entry_hash(unhashed))


def entry_hash(entry: IndexEntry) -> str:
    """What ``hash`` of an entry has to be."""
    head, _, _ = msgspec.json.encode(entry).rpartition(b',"hash":')
    return hashlib.sha256(head).hexdigest()


# --- reading ------------------------------------------------------------------------------


def parse_index(data: bytes) -> ReleaseIndex:
    """Parse strictly and check; ``FormatError`` for anything that we would not write."""
    index = decode_record(data, ReleaseIndex, INDEX_NAME, limit_bytes=MAX_INDEX_BYTES)
    check_index(index)
    return index


def check_index(index: ReleaseIndex) -> None:
    """Check every link and that the entries tell one story; ``FormatError`` if they do not."""
    if not index.project or not is_safe(index.project):
        raise _bad("its project is none")
    previous = GENESIS
    for number, entry in enumerate(index.entries, 1):
        if entry.n != number or entry.previous != previous:
            raise _bad(f"entry {number} does not follow the one before it")
        if entry.hash != entry_hash(entry):
            raise _bad(f"the content of entry {number} does not match its hash")
        previous = entry.hash
    listed(index)


def listed(index: ReleaseIndex) -> Listed:
    """What is known of each release, in the order of their first entries."""
    releases: Listed = {}
    for entry in index.entries:
        why = _fault(entry, releases)
        if why is not None:
            raise _bad(f"entry {entry.n} {why}")
        releases[entry.version] = _joined(releases.get(entry.version), entry)
    return releases


def _fault(entry: IndexEntry, releases: Listed) -> str | None:
    """What is wrong with an entry where it stands; None if nothing is."""
    known = releases.get(entry.version)
    return _malformed(entry) or _STORIES[entry.event](entry, known, releases)


def _malformed(entry: IndexEntry) -> str | None:
    digests = (entry.manifest_sha256,)
    rules = {
        "has no time in UTC": entry.at.utcoffset() == timedelta(),
        "names a release that is none": all(
            v is None or _RELEASE.fullmatch(v) for v in (entry.version, entry.replacement)
        ),
        "has a malformed digest": all(d is None or _SHA256.fullmatch(d) for d in digests)
        and all(o is None or _OID.fullmatch(o) for o in (entry.tag_oid, entry.commit)),
        "names a key that is none": all(_KEY_ID.fullmatch(key) for key in entry.keys),
        "has a text with unprintable characters": is_safe(entry.reason),
    }
    return next((why for why, holds in rules.items() if not holds), None)


def _signed_fault(entry: IndexEntry, known: ListedRelease | None, _: Listed) -> str | None:
    if not entry.keys or (entry.manifest_sha256 is None and entry.tag_oid is None):
        return "is a signing of nothing or by nobody"
    if entry.replacement is not None or entry.reason:
        return "is a signing and tells of something else"
    if known is None:
        return None
    again = entry.manifest_sha256 and known.manifest_sha256
    if again or (entry.tag_oid and known.tag_oid) or not known.was_signed:
        return f"signs {known.version} a second time"
    return None


def _unsigned_fault(entry: IndexEntry, known: ListedRelease | None, _: Listed) -> str | None:
    if known is not None:
        return f"calls {known.version} unsigned, which is in the index already"
    if entry.keys or entry.tag_oid or entry.commit or entry.replacement or not entry.reason:
        return "calls a release unsigned and tells of something else"
    return None


def _deprecated_fault(
    entry: IndexEntry, known: ListedRelease | None, releases: Listed
) -> str | None:
    if known is None or known.is_deprecated:
        return "deprecates a release that is not in the index, or is deprecated already"
    replacement = releases.get(entry.replacement or "")
    if replacement is None or not replacement.can_replace or replacement is known:
        return "names a replacement that is not a signed and current release"
    if entry.keys or entry.tag_oid or entry.commit or entry.manifest_sha256 or not entry.reason:
        return "deprecates a release and tells of something else"
    return None


_STORIES: Final = {
    "signed": _signed_fault,
    "unsigned": _unsigned_fault,
    "deprecated": _deprecated_fault,
}


def _joined(known: ListedRelease | None, entry: IndexEntry) -> ListedRelease:
    if known is None:
        return ListedRelease(
            version=entry.version,
            was_signed=entry.event == "signed",
            manifest_sha256=entry.manifest_sha256,
            tag_oid=entry.tag_oid,
            keys=entry.keys,
            reason=entry.reason,
        )
    if entry.event == "deprecated":
        return replace(known, deprecation=entry)
    return replace(
        known,
        manifest_sha256=known.manifest_sha256 or entry.manifest_sha256,
        tag_oid=known.tag_oid or entry.tag_oid,
        keys=tuple(dict.fromkeys((*known.keys, *entry.keys))),
    )


def successor(releases: Listed, version: str) -> str | None:
    """The release to use in the place of a deprecated one, through every later deprecation.

    None where ``version`` is not deprecated. A replacement was current when it was named,
    so the way never leads in a circle.
    """
    found = None
    while (release := releases.get(found or version)) is not None and release.deprecation:
        found = release.deprecation.replacement
    return found


# --- one after another ----------------------------------------------------------------------


def check_extends(earlier: ReleaseIndex, later: ReleaseIndex, *, shown_earlier: str) -> None:
    """Check that ``later`` has every entry of ``earlier``, unchanged and first (VER-2).

    Raises ``BadSignature`` where one is lost or changed: the later one is rolled back or
    forged. ``shown_earlier`` says for a person which one that is.
    """
    if (earlier.project, earlier.rehearsal) != (later.project, later.rehearsal):
        raise BadSignature(
            "VER-2/other-project",
            f"{shown_earlier} is of another project than this one.",
            "Compare the two files: they are not two states of one index.",
        )
    for before, after in zip(earlier.entries, later.entries, strict=False):
        if before != after:
            raise BadSignature(
                "VER-2/rewritten",
                f"Entry {before.n} of the release index, about {before.version}, is not the one "
                f"of {shown_earlier}.",
                "Do not trust it: an index only ever grows. Get it again from another place, "
                "and tell the project.",
            )
    if len(later.entries) < len(earlier.entries):
        lost = earlier.entries[len(later.entries)]
        raise BadSignature(
            "VER-2/rollback",
            f"The release index ends at entry {len(later.entries)}; {shown_earlier} goes on to "
            f"entry {len(earlier.entries)} (the next one is about {lost.version}).",
            "It is an old state, or one that was cut short. Get the current one, and tell the "
            "project if it is still this one.",
        )


def check_listed(
    release: ListedRelease | None, version: str, manifest_sha256: str | None, tag_oid: str | None
) -> None:
    """Check that what verified is what the index tells of it; ``BadSignature`` if it is not."""
    if release is None:
        return
    for what, here, there in (
        ("the manifest", manifest_sha256, release.manifest_sha256),
        ("the tag", tag_oid, release.tag_oid),
    ):
        if here is not None and there is not None and here != there:
            raise BadSignature(
                "VER-2/other-content",
                f"The release index tells of {safe_text(version, limit=80)} with other content: "
                f"{what} differs.",
                "A published checksum never changes. Do not use these files, and tell the project.",
            )


def _bad(why: str) -> FormatError:
    return FormatError(
        "VER-2/index",
        f"The release index cannot be trusted: {safe_text(why, limit=200)}.",
        "Get it again from the project's keys folder.",
    )
