"""What is read before a signing and after it: the review pages, and the receipt (REV-1)."""

from collections.abc import Sequence

from pai_signer.domain.history import Visited
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.policy import CheckResult, Result
from pai_signer.domain.receipt import head_words, parse_receipt, receipt_name
from pai_signer.workflows.engine import Outcome
from pai_signer.workflows.release import review
from pai_signer.workflows.release.evaluate import manifest_of
from pai_signer.workflows.workbench import Workbench


def review_pages(
    bench: Workbench, version: str, visit: Visited, checks: Sequence[CheckResult]
) -> tuple[Page, ...]:
    """Every page that stands between the candidate and a signature (REV-1)."""
    candidate = bench.candidate(version)
    history = bench.history()
    others = [r for r in history.releases if r.version != version and r.manifest]
    pages: list[Page] = []
    signed = history.find(version)
    if signed is not None:
        pages.append(_earlier_visit_page(bench, version, signed.receipts))
    names: list[str] = []
    manifest = manifest_of(candidate)
    if visit != "tag" and manifest is not None:
        previous = max(others, key=lambda r: bench.profile.version_of(r.version), default=None)
        pages += review.artifact_pages(candidate, previous)
        pages.append(review.manifest_page(candidate, manifest, bench.profile))
        names.append(bench.profile.artifacts.manifest)
        if bench.profile.artifacts.signature_per_artifact:
            names += [a.file.name for a in candidate.artifacts]
    if visit != "manifest" and candidate.commit is not None:
        message = bench.profile.tag_message_of(bench.profile.version_of(version))
        pages += review.commit_pages(version, candidate.commit, message)
    names.append(receipt_name(visit))
    pages.append(review.keys_page(bench.registry()))
    pages.append(review.comments_page(names, version, bench.comment_project))
    pages.append(Page("The rules", review.check_lines(checks)))
    return tuple(pages)


def _earlier_visit_page(bench: Workbench, version: str, receipts: Sequence[str]) -> Page:
    """The first visit's receipt, shown at the second (IMP-7)."""
    staged = bench.releases.staged(version)
    lines: list[Line] = []
    for name in receipts:
        receipt = parse_receipt(staged[name])
        lines += [Line(receipt.signed_at, label=f"signed ({receipt.visit})")]
        lines += [Line(f"{a.name} {a.sha256[:16]}...", label="file") for a in receipt.artifacts]
        if receipt.tag is not None:
            lines += [Line(receipt.tag.commit, label="commit", mark=Mark.OK)]
            lines += [Line(receipt.tag.oid, label="tag object")]
    return Page(f"Signed already for {version}", tuple(lines))


def receipt_outcome(bench: Workbench, version: str, visit: Visited) -> Outcome:
    """The receipt of a visit, as pages and as data."""
    name = receipt_name(visit)
    staged = bench.releases.staged(version)
    receipt = parse_receipt(staged[name])
    lines = [
        *(Line(key.id, label=key.algorithm) for key in receipt.keys),
        Line(f"entry {receipt.journal.n}", label="journal"),
        Line(head_words(receipt.journal.hash), label="in words"),
        *(Line(f"{file_name}", label="signed", mark=Mark.OK) for file_name in receipt.files),
        *(
            Line(f"{c.id}: {c.reason}", label="waived", mark=Mark.WAIVED)
            for c in receipt.checks
            if c.result is Result.WAIVED
        ),
        Line("Next: export it to a medium."),
    ]
    data = {
        "version": version,
        "visit": visit,
        "receipt": name,
        "journal": {"n": receipt.journal.n, "hash": receipt.journal.hash},
        "files": receipt.files,
        "tag": receipt.tag.oid if receipt.tag else None,
        "waived": {c.id: c.reason for c in receipt.checks if c.result is Result.WAIVED},
    }
    return Outcome((Page(f"Receipt: {version} ({visit})", tuple(lines)),), data)
