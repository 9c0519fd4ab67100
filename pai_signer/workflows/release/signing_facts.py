"""The journal's facts of a signing: what it is about to sign, and what it signed."""

import hashlib
from collections.abc import Sequence

from pai_signer.domain.artifact import Candidate
from pai_signer.domain.history import SignedFacts, SignedFile, SigningFacts, Visited
from pai_signer.domain.policy import CheckResult, Result
from pai_signer.domain.receipt import receipt_name
from pai_signer.workflows.release.evaluate import manifest_of
from pai_signer.workflows.release.make_signatures import Visit
from pai_signer.workflows.workbench import Workbench


def signing_facts(
    bench: Workbench,
    version: str,
    visit: Visited,
    candidate: Candidate,
    checks: Sequence[CheckResult],
) -> SigningFacts:
    """What a visit is about to sign: journalled before the first signature is made."""
    manifest = manifest_of(candidate) if visit != "tag" else None
    commit = candidate.commit if visit != "manifest" else None
    registry = bench.registry()
    waived = [check for check in checks if check.result is Result.WAIVED]
    waivers = "".join(f" --waive {check.id}={check.reason!r}" for check in waived)
    return SigningFacts(
        version=version,
        visit=visit,
        candidate_sha256=hashlib.sha256(bench.candidate_bytes(version)).hexdigest(),
        manifest=tuple(
            SignedFile(name=a.file.name, sha256=a.file.sha256)
            for a in candidate.artifacts
            if manifest is not None
        ),
        manifest_sha256=hashlib.sha256(manifest).hexdigest() if manifest else None,
        commit=commit.oid if commit else None,
        checks=tuple(
            {"id": c.id, "result": c.result.value, "text": c.text, "reason": c.reason}
            for c in checks
        ),
        keys=tuple(key.id for key in registry.keys if key.can_sign),
        command=f"release sign {version} --confirm {version} --what {visit}{waivers}",
    )


def signed_facts(visit: Visit) -> SignedFacts:
    """What a visit signed: journalled once all of it is staged."""
    return SignedFacts(
        version=visit.signing.version,
        visit=visit.signing.visit,
        receipt=receipt_name(visit.signing.visit),
        files={name: hashlib.sha256(data).hexdigest() for name, data in visit.files.items()},
        tag_oid=visit.tag_oid,
    )
