"""What vouches for a release that a compromised key signed (KEY-5).

A signature by a compromised key counts for nothing: with it or without it, the verdict is
the same. Its release is good where a key that is not compromised signed it too, or where
a verified list of endorsed releases names exactly these bytes.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pai_signer.domain.endorsement import (
    EndorsedRelease,
    Endorsement,
    endorsed_release,
    other_content,
)
from pai_signer.domain.registry import (
    MINISIG_SUFFIX,
    OPENPGP_SUFFIX,
    RegisteredKey,
)
from pai_signer.domain.text import safe_text
from pai_signer.errors import UntrustedKey


@dataclass(frozen=True)
class Endorsed:
    """A list that verified, and who vouches for it, as ``shown_signer`` writes them."""

    endorsement: Endorsement
    signers: tuple[str, ...]


#: Verified lists by the ID of the compromised key that each is about.
Endorsements = Mapping[str, Endorsed]


def shown_signer(key: RegisteredKey) -> str:
    """A key and its state, as statements name it."""
    return f"{shown_key(key)} ({key.state.value})"


def shown_key(key: RegisteredKey) -> str:
    """A key by its system and ID."""
    return f"{key.algorithm.shown} {key.id}"


@dataclass
class Discounted:
    """Signatures by compromised keys, by what they are over, and the versions they claim."""

    keys: dict[str, dict[str, RegisteredKey]] = field(default_factory=dict)
    claims: dict[str, str] = field(default_factory=dict)

    def add(self, thing: str, key: RegisteredKey) -> None:
        """Note a signature that counts for nothing."""
        self.keys.setdefault(thing, {})[key.id] = key

    def shown(self) -> tuple[str, ...]:
        """Every compromised key among the signers, once."""
        return tuple({shown_key(k): None for keys in self.keys.values() for k in keys.values()})


def endorsed(
    thing: str,
    keys: Iterable[RegisteredKey],
    endorsements: Endorsements,
    *,
    version: str | None,
    files: Mapping[str, bytes],
    tag_oid: str | None = None,
) -> tuple[EndorsedRelease, Endorsed]:
    """The entry of a list that names exactly these bytes; ``UntrustedKey`` if none does.

    ``keys`` are the compromised ones that signed ``thing``; ``files`` what is at hand of
    it, signatures included. Without a ``version`` the entry is looked up by what it names.
    """
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    known = [(key, endorsements[key.id]) for key in keys if key.id in endorsements]
    if not known:
        shown = " and ".join(shown_key(key) for key in keys)
        raise UntrustedKey(
            "KEY-5/compromised",
            f"{safe_text(thing, limit=200)} is signed by the compromised key {shown} alone, and "
            "there is no list of what was endorsed.",
            "Do not trust this file. Get the current keys folder, and see the project's "
            "security page.",
        )
    refusals = []
    for key, listed in known:
        wanted = version or _version_by_content(listed.endorsement, digests, tag_oid) or ""
        try:
            release = endorsed_release(
                listed.endorsement, key.id, wanted, tag_oid=tag_oid, files=digests
            )
        except UntrustedKey as refusal:
            refusals.append(refusal)
        else:
            return release, listed
    raise refusals[0]


def _version_by_content(
    endorsement: Endorsement, digests: Mapping[str, str], tag_oid: str | None
) -> str | None:
    for release in endorsement.releases:
        same_tag = tag_oid is not None and release.tag_oid == tag_oid
        if same_tag or digests.items() & release.files.items():
            return release.version
    return None


def check_not_contradicted(
    endorsements: Endorsements, version: str, manifest_sha256: str | None, tag_oid: str | None
) -> None:
    """Refuse a version that a list names with another manifest or tag, whoever signed it here."""
    for listed in endorsements.values():
        for release in listed.endorsement.releases:
            if release.version != version:
                continue
            for what, here, there in (
                ("the manifest", manifest_sha256, release.manifest_sha256),
                ("the tag", tag_oid, release.tag_oid),
            ):
                if None not in (here, there) and here != there:
                    raise other_content(version, what)


def files_of(thing: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """What is at hand of a signed file: itself, if it is small, and its signatures."""
    return dict(_files_of(thing, files))


def _files_of(thing: str, files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    for name in (thing, thing + MINISIG_SUFFIX, thing + OPENPGP_SUFFIX):
        if name in files:
            yield name, files[name]
