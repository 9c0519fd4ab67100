"""A candidate is signed only as the journal says that it was imported (IMP-3).

Signatures are made from digests that were computed at the import, and between import and
signing they are kept in a file of the vault. The chained journal has recorded them, so that a
file which was changed since is found, and nothing is signed that was never read.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from pai_signer.domain.artifact import Artifact, Candidate
from pai_signer.errors import PolicyRefused
from pai_signer.workflows.workbench import Workbench

IMPORTED: Final = "release.imported"


def imported_facts(candidate: Candidate) -> dict[str, Any]:
    """What the journal keeps of an import: the digests, readable, and one over all of it."""
    return {
        "version": candidate.version,
        "artifacts": {a.file.name: a.file.sha256 for a in candidate.artifacts},
        "artifacts_sha256": _digest_of(candidate.artifacts),
        "commit": candidate.commit.oid if candidate.commit else None,
    }


def check_as_imported(bench: Workbench, candidate: Candidate) -> None:
    """``PolicyRefused`` unless artifacts and commit are those of the last import.

    A part that is not there was signed before or never brought: nothing is made of it.
    """
    entries = bench.journal.entries()
    facts: Mapping[str, Any] = next(
        (
            entry.facts
            for entry in reversed(entries)
            if entry.event == IMPORTED and entry.facts.get("version") == candidate.version
        ),
        {},
    )
    is_read = facts.get("artifacts_sha256") == _digest_of(candidate.artifacts)
    if candidate.artifacts and not is_read:
        raise _changed(candidate.version, "artifacts")
    if candidate.commit is not None and facts.get("commit") != candidate.commit.oid:
        raise _changed(candidate.version, "commit")


def _digest_of(artifacts: Sequence[Artifact]) -> str:
    """SHA-256 over both digests of each artifact, and over who vouched and what was found."""
    return hashlib.sha256(msgspec.json.encode(artifacts)).hexdigest()


def _changed(version: str, what: str) -> PolicyRefused:
    return PolicyRefused(
        "IMP-3/changed-since",
        f"{version} in the vault is not what the journal says was imported: other {what}.",
        "Nothing is signed from it. Import the release again from its medium; if nobody knows why "
        "the file was changed, find out first who had access to the vault.",
    )
