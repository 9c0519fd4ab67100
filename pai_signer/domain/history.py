"""What was signed so far, read from the journal's entries (POL-3, POL-4, POL-5).

Nothing else remembers it: the journal cannot be edited without being noticed,
so a version that was ever signed stays signed with exactly that content.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

import msgspec

from pai_signer.domain.artifact import Record
from pai_signer.domain.custody import RestoredFacts
from pai_signer.domain.journal import JournalEntry
from pai_signer.errors import JournalTampered

#: What one visit signs: the tag alone, the manifest alone, or both (IMP-7).
Visited = Literal["tag", "manifest", "all"]

SIGNING: Final = "release.signing"
SIGNED: Final = "release.signed"
DISCARDED: Final = "release.discarded"
EXPORTED: Final = "release.exported"
CONFIRMED: Final = "release.confirmed"
DIFFERS: Final = "release.differs"


class SignedFile(Record, frozen=True, kw_only=True):
    """One line of a signed manifest."""

    name: str
    sha256: str


class SigningFacts(Record, frozen=True, kw_only=True):
    """The facts of a ``release.signing`` entry: all that the signatures will be over.

    Written before the first signature is made, so that there is no signature
    without an entry. ``visit`` says what this visit signs (IMP-7).
    """

    version: str
    visit: Visited
    candidate_sha256: str
    manifest: tuple[SignedFile, ...] = ()
    manifest_sha256: str | None = None
    commit: str | None = None
    checks: tuple[dict[str, str], ...] = ()
    keys: tuple[str, ...] = ()
    command: str = ""


class SignedFacts(Record, frozen=True, kw_only=True):
    """The facts of a ``release.signed`` entry; ``files`` are digests by staged name."""

    version: str
    visit: Visited
    receipt: str
    files: dict[str, str]
    tag_oid: str | None = None


class DiscardedFacts(Record, frozen=True, kw_only=True):
    """The facts of a ``release.discarded`` entry: a visit that made no signature."""

    version: str
    visit: Visited
    why: str


@dataclass(frozen=True)
class SignedRelease:
    """All visits of one version together; ``keys`` are the IDs of all that signed in them."""

    version: str
    first_signed_at: str
    last_signed_at: datetime
    keys: tuple[str, ...] = ()
    manifest: tuple[SignedFile, ...] = ()
    manifest_sha256: str | None = None
    commit: str | None = None
    tag_oid: str | None = None
    visits: tuple[str, ...] = ()
    receipts: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    exported: bool = False
    #: When the return leg last proved that what is live is this, or found that it is not (EXP-5).
    confirmed_at: str | None = None
    differs_at: str | None = None

    @property
    def stage(self) -> str:
        """How far it has come since it was signed, in a few words."""
        if self.differs_at is not None:
            return "LIVE DIFFERS"
        if self.confirmed_at is not None:
            return f"confirmed {self.confirmed_at[:10]}"
        return "exported, unconfirmed" if self.exported else "not exported yet"


@dataclass(frozen=True)
class Gap:
    """A journal that came from a backup and may lack the newest entries of its time (CUS-4).

    ``text`` says what is known of that. Releases in ``before`` were signed as the journal
    tells; which were signed between them and ``since`` it cannot know.
    """

    since: datetime
    text: str
    before: tuple[str, ...]


@dataclass(frozen=True)
class ReleaseHistory:
    """Every signed release, oldest first, and the visits that began and never ended."""

    releases: tuple[SignedRelease, ...] = ()
    unfinished: tuple[SigningFacts, ...] = ()
    gap: Gap | None = None

    def find(self, version: str) -> SignedRelease | None:
        """The signed release of this tag name, if any."""
        return next((r for r in self.releases if r.version == version), None)

    def first_and_last(self) -> dict[str, tuple[str, str]]:
        """The first and the last release that each key signed, by key ID (KEY-2)."""
        ends: dict[str, tuple[str, str]] = {}
        for release in self.releases:
            for key_id in release.keys:
                first, _ = ends.get(key_id, (release.version, ""))
                ends[key_id] = (first, release.version)
        return ends

    def unfinished_visit(self, version: str) -> SigningFacts | None:
        """A visit that was journalled as begun and neither as signed nor as discarded."""
        return next((v for v in self.unfinished if v.version == version), None)


def read_history(entries: Iterable[JournalEntry]) -> ReleaseHistory:
    """Fold the journal into what was signed; ``JournalTampered`` if it makes no sense."""
    releases: dict[str, SignedRelease] = {}
    open_visits: dict[str, SigningFacts] = {}
    gap = None
    for entry in entries:
        try:
            match entry.event:
                case "release.signing":
                    signing = msgspec.convert(entry.facts, SigningFacts)
                    open_visits[signing.version] = signing
                case "release.discarded":
                    version = msgspec.convert(entry.facts, DiscardedFacts).version
                    open_visits.pop(version, None)
                case "release.signed":
                    signed = msgspec.convert(entry.facts, SignedFacts)
                    begun = open_visits.pop(signed.version)
                    before = releases.get(signed.version) or SignedRelease(
                        signed.version, entry.at, entry.time
                    )
                    releases[signed.version] = _joined(before, begun, signed, entry.time)
                case "release.exported":
                    version = str(entry.facts["version"])
                    releases[version] = replace(releases[version], exported=True)
                case "release.confirmed" | "release.differs":
                    version = str(entry.facts["version"])
                    is_same = entry.event == CONFIRMED
                    releases[version] = replace(
                        releases[version],
                        confirmed_at=entry.at if is_same else None,
                        differs_at=None if is_same else entry.at,
                    )
                case "custody.restored":
                    restored = msgspec.convert(entry.facts, RestoredFacts)
                    # A visit that had begun then may have ended since, elsewhere.
                    is_whole = restored.is_known_complete and not open_visits
                    gap = None if is_whole else _gap(entry, restored, releases)
        except (KeyError, msgspec.ValidationError) as error:
            raise JournalTampered(
                "JRN-2/meaning",
                f"Journal entry {entry.n} ({entry.event}) makes no sense where it stands.",
                "Do not sign. Compare the journal with a receipt and with a backup.",
            ) from error
    return ReleaseHistory(tuple(releases.values()), tuple(open_visits.values()), gap)


def _gap(entry: JournalEntry, restored: RestoredFacts, releases: Iterable[str]) -> Gap:
    lacks = f"lacks {restored.missing} entries" if restored.missing else "may lack newer entries"
    text = f"the journal was restored on {entry.time:%Y-%m-%d} as of entry {restored.journal_n}"
    return Gap(entry.time, f"{text} and {lacks}", tuple(releases))


def _joined(
    before: SignedRelease, begun: SigningFacts, signed: SignedFacts, at: datetime
) -> SignedRelease:
    return replace(
        before,
        last_signed_at=at,
        keys=tuple(dict.fromkeys((*before.keys, *begun.keys))),
        manifest=begun.manifest or before.manifest,
        manifest_sha256=begun.manifest_sha256 or before.manifest_sha256,
        commit=begun.commit or before.commit,
        tag_oid=signed.tag_oid or before.tag_oid,
        visits=(*before.visits, signed.visit),
        receipts=(*before.receipts, signed.receipt),
        files={**before.files, **signed.files},
        confirmed_at=None,  # what this visit signed cannot have been live then
    )
