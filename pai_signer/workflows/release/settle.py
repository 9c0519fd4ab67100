"""After a crash: finish or take back a signing that was journalled as begun (SIG-6).

Staging appears all at once, so there are two cases only. The visit's files are
there: they are verified again and the signing is journalled as done. They are
not: the tag is taken back and the visit is journalled as discarded. Neither
needs a secret.
"""

import hashlib

import msgspec

from pai_signer.domain.history import (
    DISCARDED,
    SIGNED,
    SIGNING,
    DiscardedFacts,
    SignedFacts,
    SigningFacts,
)
from pai_signer.domain.receipt import Receipt, parse_receipt, receipt_name
from pai_signer.domain.registry import MINISIG_SUFFIX, OPENPGP_SUFFIX
from pai_signer.errors import BadSignature
from pai_signer.workflows.verify.verification import ReleaseVerifier
from pai_signer.workflows.workbench import Workbench


def settle_unfinished(bench: Workbench) -> tuple[str, ...]:
    """Settle every unfinished visit; returns what was done, one line each."""
    return tuple(_settle(bench, visit) for visit in bench.history().unfinished)


def _settle(bench: Workbench, visit: SigningFacts) -> str:
    files = bench.releases.staged(visit.version)
    name = receipt_name(visit.visit)
    if name in files:
        receipt = parse_receipt(files[name])
        _check_is_of_visit(bench, receipt, visit)
        missing = [n for n in _files_of(receipt, name) if n not in files]
        if missing:
            raise BadSignature(
                "SIG-6/staging",
                f"Of the interrupted signing of {visit.version}, {missing[0]} is missing in "
                "staging, which appears all at once.",
                "Do not use this workstation before you know who changed it.",
                unchanged="Staging and journal were left as they are.",
            )
        own = {n: files[n] for n in _files_of(receipt, name)}
        _verify(bench, own)
        facts = SignedFacts(
            version=visit.version,
            visit=visit.visit,
            receipt=name,
            files={n: hashlib.sha256(data).hexdigest() for n, data in own.items()},
            tag_oid=receipt.tag.oid if receipt.tag else None,
        )
        bench.journal.append(SIGNED, msgspec.to_builtins(facts))
        outcome = f"The interrupted signing of {visit.version} was complete and has been recorded."
    else:
        if visit.commit is not None:
            bench.tags.delete_tag(visit.version)
        why = "the program was interrupted before anything was staged"
        discarded = DiscardedFacts(version=visit.version, visit=visit.visit, why=why)
        bench.journal.append(DISCARDED, msgspec.to_builtins(discarded))
        outcome = f"The interrupted signing of {visit.version} left nothing behind: discarded."
    bench.states.delete(f"sign-release.{visit.version}")
    return outcome


def _check_is_of_visit(bench: Workbench, receipt: Receipt, visit: SigningFacts) -> None:
    """The staged receipt names the very journal entry that began this visit."""
    begun = [
        entry
        for entry in bench.journal.entries()
        if entry.event == SIGNING and entry.facts["version"] == visit.version
    ][-1]
    commit = receipt.tag.commit if receipt.tag else None
    if (
        (receipt.journal.n, receipt.journal.hash) != (begun.n, begun.hash)
        or (receipt.version, receipt.visit) != (visit.version, visit.visit)
        or (receipt.manifest_sha256, commit) != (visit.manifest_sha256, visit.commit)
    ):
        raise BadSignature(
            "SIG-6/other-visit",
            f"The receipt in staging is not of the interrupted signing of {visit.version}.",
            "Do not use this workstation before you know who changed it.",
            unchanged="Staging and journal were left as they are.",
        )


def _files_of(receipt: Receipt, name: str) -> tuple[str, ...]:
    """All names that a visit stages: what the receipt lists, and the receipt itself."""
    return (
        *receipt.files,
        name,
        name + MINISIG_SUFFIX,
        name + OPENPGP_SUFFIX,
    )


def _verify(bench: Workbench, files: dict[str, bytes]) -> None:
    verifier = ReleaseVerifier(
        bench.verifiers,
        bench.registry(),
        manifest_name=bench.profile.artifacts.manifest,
        accept_rehearsal=bench.info.rehearsal,
    )
    verifier.verify(files, {})
