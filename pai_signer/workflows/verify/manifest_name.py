"""What a project calls its list of digests, told from a folder: no profile is at hand (VER-1)."""

import hashlib
from typing import Final

from pai_signer.domain.manifest import MAX_MANIFEST_BYTES, parse_manifest
from pai_signer.domain.registry import MINISIG_SUFFIX, OPENPGP_SUFFIX, Registry
from pai_signer.domain.text import safe_text
from pai_signer.errors import FormatError
from pai_signer.ports import Source

DEFAULT_MANIFEST: Final = "SHA256SUMS"


def manifest_name_in(folder: Source, registry: Registry) -> str:
    """Say which file of ``folder`` is the manifest; ``FormatError`` where two could be.

    ``SHA256SUMS`` wherever it lies. Else the one list of digests with a signature beside it, or
    whose own digest the registry states of a release that was never signed. The choice proves
    nothing: the file that is chosen has to be signed by a key of the registry like any other.
    """
    sizes = {entry.name: entry.size_bytes for entry in folder.listing().files}
    if DEFAULT_MANIFEST in sizes:
        return DEFAULT_MANIFEST
    never_signed = {release.manifest_sha256 for release in registry.unsigned_releases}
    found = []
    for name, size_bytes in sizes.items():
        is_signed = name + MINISIG_SUFFIX in sizes or name + OPENPGP_SUFFIX in sizes
        if size_bytes > MAX_MANIFEST_BYTES or not (is_signed or never_signed):
            continue
        data = folder.read_small(name, MAX_MANIFEST_BYTES)
        if _is_manifest(data) and (is_signed or hashlib.sha256(data).hexdigest() in never_signed):
            found.append(name)
    if len(found) > 1:
        names = ", ".join(safe_text(name, limit=80) for name in sorted(found))
        raise FormatError(
            "VER-1/two-manifests",
            f"There are {len(found)} lists of digests in the folder: {names}.",
            "Keep one release in one folder.",
        )
    return found[0] if found else DEFAULT_MANIFEST


def _is_manifest(data: bytes) -> bool:
    try:
        parse_manifest(data)
    except FormatError:
        return False
    return True
