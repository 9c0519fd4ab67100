"""What stands about a commit *now*: its relation to the last release, and its tag's name (POL-5).

Asked at the import and again before the review: another release may have been
signed in between, and what was true of the commit then need not be true now.
"""

import msgspec

from pai_signer.domain.artifact import Candidate, Commit
from pai_signer.domain.records import encode_record
from pai_signer.workflows.workbench import Workbench


def describe_commit(bench: Workbench, oid: str, version: str) -> Commit:
    """The commit ``oid`` as the one to tag as ``version``, from mirror and history."""
    tagged = [r for r in bench.history().releases if r.commit and r.version != version]
    newest = max(tagged, key=lambda r: bench.profile.version_of(r.version), default=None)
    return bench.tags.describe_commit(oid, version, newest.commit if newest else None)


def with_fresh_commit(bench: Workbench, version: str) -> Candidate:
    """The candidate, its commit described afresh and stored so, unless its tag is signed."""
    candidate = bench.candidate(version)
    signed = bench.history().find(version)
    if candidate.commit is None or (signed and signed.tag_oid):
        return candidate
    commit = describe_commit(bench, candidate.commit.oid, version)
    if commit == candidate.commit:
        return candidate
    candidate = msgspec.structs.replace(candidate, commit=commit)
    bench.releases.save_candidate(version, encode_record(candidate))
    return candidate
