"""Gathers what the rules look at, and runs them."""

import hashlib
from collections.abc import Mapping

from pai_signer.domain.artifact import Candidate
from pai_signer.domain.history import Visited
from pai_signer.domain.manifest import render_manifest
from pai_signer.domain.policy import CheckResult, PolicyFacts, check_release
from pai_signer.workflows.workbench import Workbench

#: The checks that an import answers already; the others wait for the signing.
IMPORT_CHECKS = ("IMP-4", "IMP-5", "POL-1", "POL-2", "POL-4")


def manifest_of(candidate: Candidate) -> bytes | None:
    """The canonical manifest that would be signed, or None without artifacts (SIG-1)."""
    if not candidate.artifacts:
        return None
    return render_manifest({a.file.name: a.file.sha256 for a in candidate.artifacts})


def evaluate(
    bench: Workbench,
    candidate: Candidate,
    *,
    visit: Visited,
    clock_confirmed: bool,
    waivers: Mapping[str, str],
) -> tuple[CheckResult, ...]:
    """Run every check that concerns this visit ("tag", "manifest" or "all")."""
    manifest = manifest_of(candidate)
    facts = PolicyFacts(
        candidate=candidate,
        profile=bench.profile,
        registry=bench.registry(),
        history=bench.history(),
        ledger=bench.ledger(),
        host=bench.host.facts(),
        now=bench.clock.now(),
        last_entry_at=bench.last_entry_at(),
        clock_confirmed=clock_confirmed,
        sign_manifest=visit != "tag",
        sign_tag=visit != "manifest",
        manifest_sha256=hashlib.sha256(manifest).hexdigest() if manifest else None,
    )
    return check_release(facts, waivers)


def evaluate_import(bench: Workbench, candidate: Candidate) -> tuple[CheckResult, ...]:
    """The checks that can be answered right after an import."""
    visit: Visited = "manifest" if candidate.artifacts else "tag"
    results = evaluate(bench, candidate, visit=visit, clock_confirmed=False, waivers={})
    return tuple(result for result in results if result.id in IMPORT_CHECKS)
