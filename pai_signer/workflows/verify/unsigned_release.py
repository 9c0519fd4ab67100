"""What can be said of a release that the registry knows was never signed (KEY-2, VER-1)."""

import hashlib
import re
from collections.abc import Mapping

from pai_signer.domain.artifact import HashedFile
from pai_signer.domain.registry import Registry, UnsignedRelease
from pai_signer.errors import CannotTell, DigestMismatch

HINT = (
    "Checksums without a signature show a damaged download, not a forged one. "
    "Use a later release, which is signed."
)


def refuse_unsigned(
    registry: Registry,
    manifest: bytes,
    listed: Mapping[str, str],
    artifacts: Mapping[str, HashedFile],
) -> None:
    """Say clearly why there is no signature beside ``manifest``, if the registry knows.

    ``listed`` are the digests in it. Raises ``CannotTell`` where it is the manifest of a
    release of which no signature was ever expected, or passes for one by its file names;
    ``DigestMismatch`` for a file that is not the published one even so. Returns where the
    registry knows of no such release: then a signature is missing.
    """
    digest = hashlib.sha256(manifest).hexdigest()
    for release in registry.unsigned_releases:
        if release.manifest_sha256 == digest:
            raise _never_signed(release, _matching(listed, artifacts, release))
    for release in registry.unsigned_releases:
        if listed and all(_is_named_for(name, release.version) for name in listed):
            raise _named_only(release, digest)


def _matching(
    listed: Mapping[str, str], artifacts: Mapping[str, HashedFile], release: UnsignedRelease
) -> str:
    """How many files are the published ones; the registry's signature pins their digests."""
    for name, hashed in artifacts.items():
        if name in listed and hashed.sha256 != listed[name]:
            raise DigestMismatch(
                "VER-1/digest",
                f"{name} is NOT the file of {release.version}: it has SHA-256 {hashed.sha256}, "
                f"published was {listed[name]}.",
                "Do not use it. Download it again.",
            )
    here = sum(name in listed for name in artifacts)
    return f"{here} of its {len(listed)} files are here and match"


def _never_signed(release: UnsignedRelease, matching: str) -> CannotTell:
    return CannotTell(
        "VER-1/never-signed",
        f"{release.version} has no signature, and none was ever expected: {release.reason}. "
        f"Its checksums are the ones that the signed registry lists ({matching}), but nobody "
        "signed them at the time.",
        HINT,
    )


def _named_only(release: UnsignedRelease, digest: str) -> CannotTell:
    if release.manifest_sha256 is None:
        return CannotTell(
            "VER-1/never-signed",
            f"The files are named as those of {release.version}, which has no signature, and "
            f"none was ever expected: {release.reason}. The registry does not know its "
            "checksums, so nothing shows that these files are the published ones.",
            HINT,
        )
    return CannotTell(
        "VER-1/not-the-listed-one",
        f"The files are named as those of {release.version}, which was never signed, but these "
        f"are NOT its published checksums: SHA-256 {digest}, published was "
        f"{release.manifest_sha256}.",
        "Do not use these files. Get them again from the project.",
    )


def _is_named_for(name: str, version: str) -> bool:
    """Whether a file name holds this version and not merely one that begins or ends so."""
    bare = re.escape(version.removeprefix("v"))
    return re.search(rf"(?<![0-9A-Za-z.])v?{bare}(?![0-9A-Za-z])(?!\.[0-9])", name) is not None
