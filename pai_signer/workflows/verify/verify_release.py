"""Verify a release folder with published keys: for everyone, no vault needed (VER-1)."""

import dataclasses
import hashlib
import os.path
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pai_signer.domain.artifact import HashedFile, Record
from pai_signer.domain.progress import Progress
from pai_signer.domain.receipt import MAX_RECEIPT_BYTES, text_name
from pai_signer.domain.registry import (
    MINISIG_SUFFIX,
    OPENPGP_SUFFIX,
    REGISTRY_NAME,
    check_key_files,
    is_key_file,
)
from pai_signer.domain.release_index import INDEX_NAME, MAX_INDEX_BYTES
from pai_signer.ports import Source, SourceListing, Sources
from pai_signer.workflows.engine import Answer, Automatic, Outcome, Question, Step, Workflow
from pai_signer.workflows.keys.compromise_papers import is_paper, verify_papers
from pai_signer.workflows.pick_directory import TypePath, given_directory
from pai_signer.workflows.verify.covered import BUNDLE_SUFFIX, RECEIPTS, stated_digests
from pai_signer.workflows.verify.due_signatures import due_and_missing
from pai_signer.workflows.verify.manifest_name import manifest_name_in
from pai_signer.workflows.verify.pins import NO_PINS, Pins
from pai_signer.workflows.verify.verdict import Findings, outcome_of
from pai_signer.workflows.verify.verification import ReleaseVerifier
from pai_signer.workflows.verify.verified import Statement, Unchecked, Verified
from pai_signer.workflows.verify.verify_index import (
    IndexVerdict,
    VerifiedIndex,
    ask_index,
    index_statements,
    judge_by_index,
)
from pai_signer.workflows.verify.verify_registry import verify_registry
from pai_signer.workflows.workbench import Verifiers

NOTHING_CHANGED: Final = "Nothing was changed: verifying only reads."
FOLDER: Final = "Path of the folder with the downloaded files"
KEYS: Final = "Path of the published keys (keys/public of the repository)"
#: Whoever forges a release forges the keys beside it as well.
KEYS_FROM_THE_RELEASE: Final = (
    "the keys lie in the folder that they vouch for: that they are the project's own is NOT shown"
)


@dataclass(frozen=True)
class VerifyRequest:
    """What to verify, and against which keys."""

    directory: Path
    keys: Path
    #: None: whatever the folder shows it to be called.
    manifest_name: str | None = None
    accept_rehearsal: bool = False
    #: Keys that whoever verifies knows from elsewhere: one of them has to vouch for this.
    pins: Pins = NO_PINS
    #: A release index that was kept from before: the one beside the keys has to go on from it.
    earlier_index: Path | None = None
    #: Without ``gpg`` the rest is checked all the same, and the verdict says so (VER-1).
    gpg_optional: bool = False


def verify_release(
    request: VerifyRequest, sources: Sources, verifiers: Verifiers, progress: Progress
) -> Outcome:
    """Check all that is there; raises on the first thing that is wrong.

    ``BadSignature``, ``UntrustedKey``, ``DigestMismatch`` or ``FormatError`` where
    something is wrong; ``CannotTell`` where nothing signed is there.
    """
    with sources.open(request.keys) as folder:
        keys = _small_files(folder, _is_of_registry, MAX_INDEX_BYTES)
    unchecked: Unchecked | None = [] if request.gpg_optional else None
    practice = request.accept_rehearsal
    registry = verify_registry(keys, verifiers, accept_rehearsal=practice, unchecked=unchecked)
    check_key_files(registry, keys)
    request.pins.check_are_known(registry)
    endorsements = verify_papers(
        keys, registry, verifiers, accept_rehearsal=practice, unchecked=unchecked
    )
    with sources.open(request.directory) as folder:
        manifest_name = request.manifest_name or manifest_name_in(folder, registry)
        verifier = ReleaseVerifier(
            verifiers,
            registry,
            manifest_name=manifest_name,
            accept_rehearsal=practice,
            endorsements=endorsements,
            unchecked=unchecked,
        )
        files = _small_files(folder, lambda name: _is_small(name, manifest_name), MAX_RECEIPT_BYTES)
        artifacts = _read_artifacts(folder, files, manifest_name, progress)
        verified = verifier.verify(files, artifacts)
        # One that was hashed for what an unchecked receipt says of it was compared with nothing.
        compared = {*verified.artifacts_checked, *(n for n in artifacts if _has_own(n, files))}
        left = _left_alone(folder.listing(), {*files, *compared}, verified)
    request.pins.check_vouch(registry, verified, manifest_name, unchecked or [])
    index = ask_index(keys, registry, verifiers, accept_rehearsal=practice, unchecked=unchecked)
    verdict = IndexVerdict()
    if isinstance(index, VerifiedIndex):
        manifest = files.get(manifest_name)
        digest = hashlib.sha256(manifest).hexdigest() if manifest is not None else None
        verdict = judge_by_index(index, verified.version, digest, verified.tag_oid)
    more = index_statements(index, verdict, request.earlier_index, sources)
    came_along = _is_within(request.keys, request.directory) and request.pins == NO_PINS
    if came_along:
        more = (*more, Statement(KEYS_FROM_THE_RELEASE, proved=False))
    findings = Findings(
        verified,
        verdict,
        more,
        left,
        tuple(unchecked or ()),
        came_along,
        due_and_missing(registry, verified),
    )
    return outcome_of(findings, registry.project, manifest_name)


class VerifyState(Record, frozen=True, kw_only=True):
    """Where a verification stands."""

    directory: str = ""
    keys: str = ""


def verify_folder(
    sources: Sources,
    verifiers: Verifiers,
    directory: str = "",
    keys: str = "",
    *,
    pins: Pins = NO_PINS,
    earlier_index: Path | None = None,
    table: bool = True,
) -> Workflow[VerifyState]:
    """Build the workflow: which folder, whose keys, then all checks.

    Without ``table`` the outcome is the verdict alone, on one line.
    """
    verify = _Verify(sources, verifiers, pins, earlier_index, table=table)
    return Workflow(
        name="verify",
        key="",
        title="Verify a release",
        start=VerifyState(
            directory=given_directory(directory),
            keys=given_directory(keys),
        ),
        steps=(
            TypePath("directory", FOLDER, title="Verify", unchanged=NOTHING_CHANGED),
            TypePath("keys", KEYS, title="Verify", unchanged=NOTHING_CHANGED),
            verify,
        ),
        outcome=verify.outcome,
    )


class _Verify(Step[VerifyState]):
    """All checks; the outcome is kept for showing."""

    id = "verify"
    title = "Verify"
    unchanged = NOTHING_CHANGED

    def __init__(
        self,
        sources: Sources,
        verifiers: Verifiers,
        pins: Pins,
        earlier_index: Path | None,
        *,
        table: bool,
    ) -> None:
        self._sources = sources
        self._verifiers = verifiers
        self._pins = pins
        self._earlier_index = earlier_index
        self._table = table
        self._outcome: Outcome | None = None

    def done(self, state: VerifyState) -> bool:
        return self._outcome is not None

    def question(self, state: VerifyState) -> Question:
        return Automatic("verify")

    def act(self, state: VerifyState, answer: Answer, progress: Progress) -> VerifyState:
        request = VerifyRequest(
            directory=Path(state.directory),
            keys=Path(state.keys),
            pins=self._pins,
            earlier_index=self._earlier_index,
            gpg_optional=True,
        )
        outcome = verify_release(request, self._sources, self._verifiers, progress)
        pages = outcome.pages if self._table else outcome.pages[:1]
        self._outcome = dataclasses.replace(outcome, pages=pages)
        return state

    def outcome(self, state: VerifyState) -> Outcome:
        """What was found; there is one once the step is done."""
        if self._outcome is None:
            raise RuntimeError("nothing was verified")
        return self._outcome


def _is_within(path: Path, folder: Path) -> bool:
    """Whether a path leads into a folder, as it is spelt."""
    inner, outer = (Path(os.path.normpath(p.absolute())) for p in (path, folder))
    return inner == outer or outer in inner.parents


def _small_files(
    folder: Source, wanted: Callable[[str], bool], limit_bytes: int
) -> dict[str, bytes]:
    names = [entry.name for entry in folder.listing().files]
    return {name: folder.read_small(name, limit_bytes) for name in names if wanted(name)}


def _is_of_registry(name: str) -> bool:
    """The registry, its signatures, its keys, papers of compromised keys, the release index."""
    beside = is_key_file(name) or is_paper(name) or name.startswith(INDEX_NAME)
    return name.startswith(f"{REGISTRY_NAME.removesuffix('json')}") or beside


def _is_small(name: str, manifest_name: str) -> bool:
    return (
        name.endswith((MINISIG_SUFFIX, OPENPGP_SUFFIX, BUNDLE_SUFFIX))
        or name == manifest_name
        or name in RECEIPTS
        or name in map(text_name, RECEIPTS)
    )


def _read_artifacts(
    folder: Source, files: Mapping[str, bytes], manifest_name: str, progress: Progress
) -> dict[str, HashedFile]:
    """Hash every file of which a digest is stated or that has a signature of its own, once."""
    listed = stated_digests(files, manifest_name)
    signed = {n.removesuffix(MINISIG_SUFFIX) for n in files if n.endswith(MINISIG_SUFFIX)}
    present = [e.name for e in folder.listing().files if e.name not in files]
    wanted = [name for name in present if name in listed or name in signed]
    return {name: folder.read_once(name, progress) for name in wanted}


def _has_own(name: str, files: Collection[str]) -> bool:
    return name + MINISIG_SUFFIX in files


def _left_alone(
    listing: SourceListing, looked_at: Collection[str], verified: Verified
) -> tuple[Statement, ...]:
    """What lies in the folder and is not vouched for: nobody may take it for verified."""
    loose = (*verified.loose, *(e.name for e in listing.files if e.name not in looked_at))
    texts = [f"{name}: NOT SIGNED, not checked" for name in sorted(loose)]
    texts += [f"{e.shown_name}: NOT CHECKED, {e.why}" for e in listing.refused]
    return tuple(Statement(text, proved=False) for text in texts)
