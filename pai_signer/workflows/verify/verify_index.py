"""Checks the release index against the registry, and against an earlier one (VER-2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pai_signer.domain.registry import Algorithm, KeyState, Registry
from pai_signer.domain.release_index import (
    INDEX_NAME,
    MAX_INDEX_BYTES,
    Listed,
    ReleaseIndex,
    check_extends,
    check_listed,
    listed,
    parse_index,
    successor,
)
from pai_signer.errors import BadSignature, CannotTell, UntrustedKey
from pai_signer.ports import Sources
from pai_signer.workflows.verify.counting import PAPER_SIGNER, CountingSignatures
from pai_signer.workflows.verify.verified import Statement, Unchecked
from pai_signer.workflows.verify.vouching import shown_signer
from pai_signer.workflows.workbench import Verifiers

NO_INDEX: Final = (
    f"{INDEX_NAME}: not beside the keys: whether this release is current or deprecated is NOT shown"
)


@dataclass(frozen=True)
class VerifiedIndex:
    """An index that verified, what it adds up to, and who vouches for it.

    ``missing`` are the systems that have a key in use which did not sign it.
    """

    index: ReleaseIndex
    releases: Listed
    signers: tuple[str, ...]
    missing: tuple[str, ...] = ()


def verify_index(
    files: Mapping[str, bytes],
    registry: Registry,
    verifiers: Verifiers,
    *,
    accept_rehearsal: bool = False,
    unchecked: Unchecked | None = None,
) -> VerifiedIndex:
    """Check ``releases.json`` among ``files``, its links and its signatures.

    A key that was retired since may have signed it; a compromised one counts for nothing.
    Raises ``FormatError``, ``BadSignature`` or ``UntrustedKey`` where something is wrong, and
    ``CannotTell`` where it is not signed at all.
    """
    signatures = CountingSignatures(
        files, registry, verifiers, accept_rehearsal=accept_rehearsal, unchecked=unchecked
    )
    signers = signatures.counting(INDEX_NAME)
    index = parse_index(files[INDEX_NAME])
    is_rehearsal = any(key.state is KeyState.REHEARSAL for key in registry.keys)
    if index.project != registry.project or index.rehearsal != is_rehearsal:
        raise BadSignature(
            "VER-2/other-project",
            f"{INDEX_NAME} is not of the project of these keys.",
            "Get the whole keys folder again.",
        )
    counted = {key.algorithm for key in signers}
    return VerifiedIndex(
        index,
        listed(index),
        tuple(shown_signer(key) for key in signers),
        tuple(a.shown for a in Algorithm if registry.signing_key(a) and a not in counted),
    )


@dataclass(frozen=True)
class IndexVerdict:
    """What the index says of one release, for the verdict of ``verify``."""

    statements: tuple[Statement, ...] = ()
    is_listed: bool | None = None
    deprecated_for: str | None = None
    reason: str = ""
    entries: int | None = None

    @property
    def sentence(self) -> str:
        """What stands in the verdict; nothing where the release is current."""
        if self.deprecated_for is None:
            return ""
        return f" DEPRECATED, see {self.deprecated_for}: {self.reason}."


def ask_index(
    files: Mapping[str, bytes],
    registry: Registry,
    verifiers: Verifiers,
    *,
    accept_rehearsal: bool = False,
    unchecked: Unchecked | None = None,
) -> VerifiedIndex | Statement | None:
    """The index beside the keys, if there is one that anybody trusted vouches for.

    One that only a compromised key signed counts for nothing: that is a statement. Raises
    what ``verify_index`` raises otherwise.
    """
    if INDEX_NAME not in files:
        return None
    try:
        return verify_index(
            files, registry, verifiers, accept_rehearsal=accept_rehearsal, unchecked=unchecked
        )
    except UntrustedKey as error:
        if error.code != PAPER_SIGNER:
            raise
        text = f"{INDEX_NAME}: only a compromised key signed it, it counts for nothing"
        return Statement(text, proved=False)


def judge_by_index(
    found: VerifiedIndex, version: str, manifest_sha256: str | None, tag_oid: str | None
) -> IndexVerdict:
    """What the index says of the release that verified; ``BadSignature`` if it contradicts."""
    release = found.releases.get(version)
    check_listed(release, version, manifest_sha256, tag_oid)
    who = " and ".join(found.signers)
    lines = [Statement(f"{INDEX_NAME}: {len(found.index.entries)} entries, signed by {who}")]
    lines += [
        Statement(f"{INDEX_NAME}: no {system} signature that counts", proved=False)
        for system in found.missing
    ]
    if release is None:
        text = f"{version or 'this release'}: not in the release index (is it the current one?)"
        lines.append(Statement(text, proved=False))
        return IndexVerdict(tuple(lines), is_listed=False, entries=len(found.index.entries))
    if release.deprecation is None:
        lines.append(Statement(f"{version}: current, says the release index"))
        return IndexVerdict(tuple(lines), is_listed=True, entries=len(found.index.entries))
    use = successor(found.releases, version)
    text = f"{version}: DEPRECATED on {release.deprecation.at:%Y-%m-%d}, see {use}"
    lines.append(Statement(f"{text}: {release.deprecation.reason}", proved=False))
    return IndexVerdict(
        tuple(lines),
        is_listed=True,
        deprecated_for=use,
        reason=release.deprecation.reason,
        entries=len(found.index.entries),
    )


def index_statements(
    found: VerifiedIndex | Statement | None,
    verdict: IndexVerdict,
    earlier: Path | None,
    sources: Sources,
) -> tuple[Statement, ...]:
    """All that is to be said of the index; where one was kept from before, it has to go on.

    Raises ``BadSignature`` where it lost or changed an entry since, and ``CannotTell`` where
    there is no index to compare.
    """
    if isinstance(found, VerifiedIndex):
        goes_on = () if earlier is None else (_check_not_rolled_back(found, earlier, sources),)
        return (*verdict.statements, *goes_on)
    if earlier is not None:
        raise CannotTell(
            "VER-2/no-index",
            f"There is no good {INDEX_NAME} beside the keys to compare with the earlier one.",
            "Get the whole keys folder again: what was published once is never taken back.",
        )
    return (found or Statement(NO_INDEX, proved=False),)


def _check_not_rolled_back(found: VerifiedIndex, earlier: Path, sources: Sources) -> Statement:
    """The earlier one is taken as it is: whoever kept it knows where it is from (VER-2)."""
    with sources.open(earlier.parent) as folder:
        kept = parse_index(folder.read_small(earlier.name, MAX_INDEX_BYTES))
    check_extends(kept, found.index, shown_earlier="the earlier index")
    grown = len(found.index.entries) - len(kept.entries)
    return Statement(f"{INDEX_NAME}: has all of the earlier one, and {grown} entries more")
