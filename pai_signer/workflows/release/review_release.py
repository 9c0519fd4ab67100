"""Print the review without signing: ``release review`` (REV-1)."""

import msgspec

from pai_signer.domain.policy import failures, refusal
from pai_signer.workflows.engine import Outcome
from pai_signer.workflows.release.evaluate import evaluate
from pai_signer.workflows.release.sign_release import start_of
from pai_signer.workflows.release.signing_pages import review_pages
from pai_signer.workflows.workbench import Workbench


def review_release(bench: Workbench, version: str) -> Outcome:
    """Every page as the signing would show it; refuses only what no waiver could mend."""
    name = bench.release_name(version)
    state = start_of(bench, name, "all", {})
    candidate = bench.candidate(name)
    results = evaluate(
        bench, candidate, visit=state.visit, clock_confirmed=True, waivers=state.waivers
    )
    final = tuple(r for r in failures(results) if not r.waivable)
    data = {
        "version": name,
        "visit": state.visit,
        "checks": [msgspec.to_builtins(result) for result in results],
    }
    pages = review_pages(bench, name, state.visit, results)
    return Outcome(pages, data, refusal(final, candidate))
