"""Re-endorsing history: which releases under a compromised key were really ours (KEY-5).

For each compromised key there is one list, ``endorsement-KEYID.json``, of every release
that the journal proves to have been signed here with it. It is itself signed by keys that
are not compromised. A signature by the compromised key counts for nothing; the list says
that exactly these bytes are good, whoever signed them.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal

import msgspec

from pai_signer.domain.artifact import Record
from pai_signer.domain.history import SignedRelease, read_history
from pai_signer.domain.journal import JournalEntry
from pai_signer.domain.receipt import JournalHead
from pai_signer.domain.records import decode_record
from pai_signer.domain.registry import KeyState, Registry
from pai_signer.domain.text import safe_text
from pai_signer.errors import FormatError, PolicyRefused, UntrustedKey

FORMAT: Final = 1
ENDORSEMENT_PREFIX: Final = "endorsement-"
ENDORSEMENT_SUFFIX: Final = ".json"
MAX_ENDORSEMENT_BYTES: Final = 4 << 20

_DO_NOT_TRUST: Final = "Do not trust these files. See the project's security page."
_A_LIST: Final = "list of endorsed releases"
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_OID: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)


class EndorsedRelease(Record, frozen=True, kw_only=True):
    """One release that was ours; ``signed_by`` are the IDs of the keys of all its visits.

    ``files`` are SHA-256 digests by name of all that was made: manifest, signatures, receipts.
    """

    version: str
    signed_at: datetime
    signed_by: tuple[str, ...]
    manifest_sha256: str | None = None
    tag_oid: str | None = None
    commit: str | None = None
    files: dict[str, str] = msgspec.field(default_factory=dict)


class Endorsement(Record, frozen=True, kw_only=True):
    """The list, for one compromised key. ``journal`` is the head that it was read under."""

    format: Literal[1] = FORMAT
    project: str
    compromised: str
    do_not_trust_after: datetime
    made_at: datetime
    journal: JournalHead
    releases: tuple[EndorsedRelease, ...] = ()


def endorsement_name(key_id: str) -> str:
    """The file name of the list for one compromised key."""
    return f"{ENDORSEMENT_PREFIX}{key_id}{ENDORSEMENT_SUFFIX}"


def endorse(
    registry: Registry, key_id: str, entries: Iterable[JournalEntry], made_at: datetime
) -> Endorsement:
    """List every release of a checked journal that ``key_id`` took part in signing.

    Also those signed after the key's last day of trust: the journal of this workstation
    proves them, not the key. ``PolicyRefused`` if the key is not compromised or the journal
    is empty; ``JournalTampered`` if its entries make no sense.
    """
    known = tuple(entries)
    key = registry.find(key_id)
    if key.do_not_trust_after is None or not known:
        raise PolicyRefused(
            "KEY-5/nothing-to-endorse",
            f"{key_id} is not marked as compromised, or there is no journal.",
            "Mark the key as compromised first, on the workstation that signed the releases.",
        )
    return Endorsement(
        project=registry.project,
        compromised=key_id,
        do_not_trust_after=key.do_not_trust_after,
        made_at=made_at,
        journal=JournalHead(n=known[-1].n, hash=known[-1].hash),
        # A journal whose entries make no sense is refused here.
        releases=tuple(_listed(r) for r in read_history(known).releases if key_id in r.keys),
    )


def _listed(release: SignedRelease) -> EndorsedRelease:
    return EndorsedRelease(
        version=release.version,
        signed_at=release.last_signed_at,
        signed_by=release.keys,
        manifest_sha256=release.manifest_sha256,
        tag_oid=release.tag_oid,
        commit=release.commit,
        files=dict(sorted(release.files.items())),
    )


def parse_endorsement(data: bytes) -> Endorsement:
    """Parse strictly and check; ``FormatError`` for anything that we would not write."""
    endorsement = decode_record(data, Endorsement, _A_LIST, limit_bytes=MAX_ENDORSEMENT_BYTES)
    versions = [release.version for release in endorsement.releases]
    times = [endorsement.made_at, endorsement.do_not_trust_after]
    times += [release.signed_at for release in endorsement.releases]
    rules = {
        "a release stands in it twice": len(set(versions)) == len(versions),
        "a date has no time zone": all(time.tzinfo is not None for time in times),
        "a digest is malformed": all(_is_whole(release) for release in endorsement.releases)
        and _SHA256.fullmatch(endorsement.journal.hash) is not None,
        "a release was not signed by that key": all(
            endorsement.compromised in release.signed_by for release in endorsement.releases
        ),
    }
    for why, holds in rules.items():
        if not holds:
            raise FormatError(
                "KEY-5/endorsement",
                f"The {_A_LIST} cannot be trusted: {why}.",
                "Get it again from the project's keys folder.",
            )
    return endorsement


def _is_whole(release: EndorsedRelease) -> bool:
    digests = [*release.files.values(), release.manifest_sha256]
    oids = (release.tag_oid, release.commit)
    return (
        all(d is None or _SHA256.fullmatch(d) for d in digests)
        and all(o is None or _OID.fullmatch(o) for o in oids)
        and any((release.manifest_sha256, release.tag_oid))
    )


def check_endorsement(endorsement: Endorsement, registry: Registry, signed_by: str) -> None:
    """Check that the list may be believed; ``signed_by`` is the key whose signature verified.

    ``UntrustedKey`` if that key is compromised itself, or the list is of another project
    or key, or contradicts the registry's last day of trust.
    """
    signer, key = registry.find(signed_by), registry.find(endorsement.compromised)
    if signer.life is KeyState.COMPROMISED:
        raise _useless("KEY-5/list-signer", f"{signer.id}, which signed it, is compromised")
    if (signer.state is KeyState.REHEARSAL) != (key.state is KeyState.REHEARSAL):
        raise _useless("KEY-5/list-rehearsal", "a rehearsal key signed it")
    rules = {
        "it is of another project": endorsement.project == registry.project,
        f"{key.id} is not compromised": key.life is KeyState.COMPROMISED,
        f"it has another last day of trust for {key.id}": key.do_not_trust_after
        == endorsement.do_not_trust_after,
    }
    for why, holds in rules.items():
        if not holds:
            raise _useless("KEY-5/list-contradicts", why)


def endorsed_release(
    endorsement: Endorsement,
    key_id: str,
    version: str,
    *,
    manifest_sha256: str | None = None,
    tag_oid: str | None = None,
    files: dict[str, str] | None = None,
) -> EndorsedRelease:
    """The entry that covers all that is given, each exactly; ``UntrustedKey`` if none does.

    ``files`` are SHA-256 digests by name, for receipts and whatever else is at hand. At
    least one of the three has to be given: a version alone proves nothing.
    """
    if manifest_sha256 is None and tag_oid is None and not files:
        raise _not_endorsed(f"Nothing of {safe_text(version, limit=80)} is here to compare.")
    release = next((r for r in endorsement.releases if r.version == version), None)
    if key_id != endorsement.compromised or release is None:
        raise _not_endorsed(
            f"The key {safe_text(key_id, limit=80)} is compromised, and "
            f"{safe_text(version, limit=80)} is not among the releases that were endorsed."
        )
    others = [name for name, digest in (files or {}).items() if release.files.get(name) != digest]
    if manifest_sha256 not in (None, release.manifest_sha256):
        others.append("the manifest")
    if tag_oid not in (None, release.tag_oid):
        others.append("the tag")
    if others:
        raise other_content(version, ", ".join(others))
    return release


def other_content(version: str, what: str) -> UntrustedKey:
    """The refusal of a release that the list names with other bytes than are here."""
    return UntrustedKey(
        "KEY-5/other-content",
        f"{safe_text(version, limit=80)} was endorsed with other content: "
        f"{safe_text(what, limit=200)} differs.",
        _DO_NOT_TRUST,
    )


def _not_endorsed(summary: str) -> UntrustedKey:
    return UntrustedKey("KEY-5/not-endorsed", summary, _DO_NOT_TRUST)


def _useless(code: str, why: str) -> UntrustedKey:
    return UntrustedKey(
        code,
        f"The {_A_LIST} is of no use: {why}.",
        "Get the whole keys folder again, and compare it with another copy.",
    )
