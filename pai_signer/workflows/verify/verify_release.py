"""Verify a release folder with published keys: for everyone, no vault needed (VER-1)."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from pai_signer.domain.artifact import HashedFile, Record
from pai_signer.domain.manifest import parse_manifest
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.receipt import MAX_RECEIPT_BYTES, text_name
from pai_signer.domain.registry import (
    MAX_REGISTRY_BYTES,
    MINISIG_SUFFIX,
    OPENPGP_SUFFIX,
    REGISTRY_NAME,
    check_key_files,
    is_key_file,
)
from pai_signer.ports import Source, SourceListing, Sources
from pai_signer.workflows.engine import (
    Answer,
    Automatic,
    Outcome,
    Question,
    Step,
    TypedText,
    Workflow,
)
from pai_signer.workflows.keys.compromise_papers import is_paper, verify_papers
from pai_signer.workflows.pick_directory import checked_directory
from pai_signer.workflows.verify.verification import (
    BUNDLE_SUFFIX,
    RECEIPTS,
    TAG,
    ReleaseVerifier,
)
from pai_signer.workflows.verify.verified import Statement, Verified
from pai_signer.workflows.verify.verify_registry import verify_registry
from pai_signer.workflows.workbench import Verifiers

DEFAULT_MANIFEST: Final = "SHA256SUMS"
NOTHING_CHANGED: Final = "Nothing was changed: verifying only reads."


@dataclass(frozen=True)
class VerifyRequest:
    """What to verify, and against which keys."""

    directory: Path
    keys: Path
    manifest_name: str = DEFAULT_MANIFEST
    accept_rehearsal: bool = False


def verify_release(
    request: VerifyRequest, sources: Sources, verifiers: Verifiers, progress: Progress
) -> Outcome:
    """Check all that is there; raises on the first thing that is wrong.

    ``BadSignature``, ``UntrustedKey``, ``DigestMismatch`` or ``FormatError`` where
    something is wrong; ``CannotTell`` where nothing signed is there.
    """
    with sources.open(request.keys) as folder:
        keys = _small_files(folder, _is_of_registry, MAX_REGISTRY_BYTES)
    registry = verify_registry(keys, verifiers, accept_rehearsal=request.accept_rehearsal)
    check_key_files(registry, keys)
    endorsements = verify_papers(
        keys, registry, verifiers, accept_rehearsal=request.accept_rehearsal
    )
    verifier = ReleaseVerifier(
        verifiers,
        registry,
        manifest_name=request.manifest_name,
        accept_rehearsal=request.accept_rehearsal,
        endorsements=endorsements,
    )
    with sources.open(request.directory) as folder:
        files = _small_files(
            folder, lambda name: _is_small(name, request.manifest_name), MAX_RECEIPT_BYTES
        )
        artifacts = _read_artifacts(folder, files, request.manifest_name, progress)
        verified = verifier.verify(files, artifacts)
        left = _left_alone(folder.listing(), {*files, *artifacts}, verified)
    return _outcome(verified, left, registry.project, request.manifest_name)


class VerifyState(Record, frozen=True, kw_only=True):
    """Where a verification stands."""

    directory: str = ""
    keys: str = ""


def verify_folder(
    sources: Sources, verifiers: Verifiers, directory: str = "", keys: str = ""
) -> Workflow[VerifyState]:
    """Build the workflow: which folder, whose keys, then all checks."""
    verify = _Verify(sources, verifiers)
    return Workflow(
        name="verify",
        key="",
        title="Verify a release",
        start=VerifyState(
            directory=checked_directory(directory) if directory else "",
            keys=checked_directory(keys) if keys else "",
        ),
        steps=(_AskFolder(), _AskKeys(), verify),
        outcome=verify.outcome,
    )


class _AskFolder(Step[VerifyState]):
    """The folder with the downloaded files."""

    id = "folder"
    title = "Verify"
    unchanged = NOTHING_CHANGED

    def done(self, state: VerifyState) -> bool:
        return bool(state.directory)

    def question(self, state: VerifyState) -> Question:
        return TypedText("directory", "Path of the folder with the downloaded files")

    def act(self, state: VerifyState, answer: Answer, progress: Progress) -> VerifyState:
        return msgspec.structs.replace(state, directory=checked_directory(str(answer)))


class _AskKeys(Step[VerifyState]):
    """The folder with the published keys."""

    id = "keys"
    title = "Verify"
    unchanged = NOTHING_CHANGED

    def done(self, state: VerifyState) -> bool:
        return bool(state.keys)

    def question(self, state: VerifyState) -> Question:
        return TypedText("keys", "Path of the published keys (keys/public of the repository)")

    def act(self, state: VerifyState, answer: Answer, progress: Progress) -> VerifyState:
        return msgspec.structs.replace(state, keys=checked_directory(str(answer)))


class _Verify(Step[VerifyState]):
    """All checks; the outcome is kept for showing."""

    id = "verify"
    title = "Verify"
    unchanged = NOTHING_CHANGED

    def __init__(self, sources: Sources, verifiers: Verifiers) -> None:
        self._sources = sources
        self._verifiers = verifiers
        self._outcome: Outcome | None = None

    def done(self, state: VerifyState) -> bool:
        return self._outcome is not None

    def question(self, state: VerifyState) -> Question:
        return Automatic("verify")

    def act(self, state: VerifyState, answer: Answer, progress: Progress) -> VerifyState:
        request = VerifyRequest(directory=Path(state.directory), keys=Path(state.keys))
        self._outcome = verify_release(request, self._sources, self._verifiers, progress)
        return state

    def outcome(self, state: VerifyState) -> Outcome:
        """What was found; there is one once the step is done."""
        if self._outcome is None:
            raise RuntimeError("nothing was verified")
        return self._outcome


def _small_files(
    folder: Source, wanted: Callable[[str], bool], limit_bytes: int
) -> dict[str, bytes]:
    names = [entry.name for entry in folder.listing().files]
    return {name: folder.read_small(name, limit_bytes) for name in names if wanted(name)}


def _is_of_registry(name: str) -> bool:
    """The registry, its signatures, its keys, and the papers of compromised keys (KEY-5)."""
    beside = is_key_file(name) or is_paper(name)
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
    """Hash every file that the manifest lists or that has a signature of its own, once."""
    listed = parse_manifest(files[manifest_name]) if manifest_name in files else {}
    signed = {n.removesuffix(MINISIG_SUFFIX) for n in files if n.endswith(MINISIG_SUFFIX)}
    present = [e.name for e in folder.listing().files if e.name not in files]
    wanted = [name for name in present if name in listed or name in signed]
    return {name: folder.read_once(name, progress) for name in wanted}


def _left_alone(
    listing: SourceListing, looked_at: Collection[str], verified: Verified
) -> tuple[Statement, ...]:
    """What lies in the folder and is not vouched for: nobody may take it for verified."""
    loose = [f"{e.name}: NOT SIGNED, not checked" for e in listing.files if e.name not in looked_at]
    refused = [
        f"{e.shown_name}: NOT CHECKED, {e.why}"
        for e in listing.refused
        if e.shown_name in verified.manifest
    ]
    return tuple(Statement(text, proved=False) for text in (*loose, *refused))


def _outcome(
    verified: Verified, left: tuple[Statement, ...], project: str, manifest_name: str
) -> Outcome:
    version = verified.version or "a release"
    verdict = f"GOOD: {project} {version}: {_what(verified, manifest_name)}{_by_whom(verified)}"
    statements = (*verified.statements, *left)
    lines = [
        Line(verdict),
        Line(),
        *(Line(s.text, mark=Mark.OK if s.proved else Mark.WARN) for s in statements),
    ]
    data = {
        "verdict": "good",
        "text": verdict,
        "version": verified.version,
        "signed_by": list(verified.signed_by),
        "endorsed_by": list(verified.endorsed_by),
        "counts_for_nothing": list(verified.count_for_nothing),
        "files_checked": list(verified.artifacts_checked),
        "files_absent": list(verified.artifacts_absent),
        "tag": verified.tag_oid,
        "signatures_missing": list(verified.missing_systems),
        "statements": [{"text": s.text, "proved": s.proved} for s in statements],
    }
    return Outcome((Page("Verified", tuple(lines)),), data)


def _what(verified: Verified, manifest_name: str) -> str:
    """What is vouched for; by a list of endorsed releases alone, it says so (KEY-5)."""
    checked, listed = len(verified.artifacts_checked), len(verified.manifest)
    what = []
    if listed:
        word = "endorsed" if verified.is_endorsed_only(manifest_name) else "signed"
        what.append(
            f"{checked} of {listed} files match the {word} manifest"
            if checked
            else f"the manifest is {word} (none of its {listed} files is here)"
        )
    if verified.tag_oid:
        word = "endorsed" if verified.is_endorsed_only(TAG) else "signed"
        what.append(f"the tag is {word}")
    return ", ".join(what) or ("signed" if verified.signed_by else "endorsed")


def _by_whom(verified: Verified) -> str:
    by = [f"by {' and '.join(verified.signed_by)}"] if verified.signed_by else []
    if verified.endorsed_by:
        by.append(f"endorsed by {' and '.join(verified.endorsed_by)}")
    missing = "".join(f" A signature is missing: {name}." for name in verified.missing_systems)
    nothing = "".join(
        f" The signature by the compromised key {key} counts for nothing."
        for key in verified.count_for_nothing
    )
    return f", {'; '.join(by)}.{missing}{nothing}"
