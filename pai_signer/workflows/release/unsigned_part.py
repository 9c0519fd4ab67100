"""Which part of a release a visit signs (IMP-7)."""

import hashlib
from typing import Final

from pai_signer.domain.artifact import Candidate
from pai_signer.domain.history import Visited
from pai_signer.errors import PolicyRefused, UsageError
from pai_signer.workflows.release.evaluate import manifest_of
from pai_signer.workflows.workbench import Workbench

PARTS: Final[tuple[Visited, ...]] = ("manifest", "tag")


def unsigned_part(bench: Workbench, version: str, what: Visited) -> Visited:
    """Which visit this is: what was imported, asked for, and is not signed yet."""
    candidate = bench.candidate(version)
    signed = bench.history().find(version)
    open_parts: dict[Visited, bool] = {
        "manifest": bool(candidate.artifacts) and not (signed and signed.manifest_sha256),
        "tag": candidate.commit is not None and not (signed and signed.tag_oid),
    }
    parts = [part for part in PARTS if what in (part, "all") and open_parts[part]]
    if parts:
        return "all" if len(parts) == len(PARTS) else parts[0]
    if signed is None:
        raise UsageError(
            "IMP-7/nothing-imported",
            f"Nothing was imported for {version} that --what {what} could sign.",
            "Import the artifacts, or a bundle, first.",
        )
    changed = _changed_part(candidate, signed.manifest_sha256, signed.commit)
    if changed:
        raise PolicyRefused(
            "POL-4/refused",
            f"POL-4: {version} was signed with other {changed} before. "
            "A published checksum is a contract.",
            "This cannot be waived: publish the new content as a new version.",
        )
    raise UsageError(
        "IMP-7/nothing-unsigned",
        f"All that was imported for {version} is signed already.",
        f"Export it: pai-signer release export {version} DEST",
        unchanged="The signatures in staging are as they were.",
    )


def _changed_part(
    candidate: Candidate, manifest_sha256: str | None, commit: str | None
) -> str | None:
    manifest = manifest_of(candidate)
    if manifest and manifest_sha256 and hashlib.sha256(manifest).hexdigest() != manifest_sha256:
        return "files"
    if candidate.commit and commit and candidate.commit.oid != commit:
        return "commit"
    return None
