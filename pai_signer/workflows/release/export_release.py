"""Carry the signatures out on a medium (EXP-1, EXP-2)."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from pai_signer.domain.history import EXPORTED, SignedRelease
from pai_signer.domain.icalendar import CALENDAR_NAME, render_calendar
from pai_signer.domain.ledger_reading import read_ledger
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.receipt import parse_receipt
from pai_signer.domain.registry import Algorithm, Registry, published_files
from pai_signer.domain.reminders import proof_reminder, reminders
from pai_signer.domain.upload_guide import render_upload_guide
from pai_signer.domain.upload_plan import UploadFacts, plan_upload
from pai_signer.domain.upload_script import render_upload_script
from pai_signer.errors import BadSignature, SignerError, UsageError
from pai_signer.workflows.engine import Answer, Automatic, Outcome, Question, Step, Workflow
from pai_signer.workflows.keys.compromise_papers import Papers, vault_papers
from pai_signer.workflows.pick_directory import PickMedium, TypeFolder, given_directory
from pai_signer.workflows.unmount import Unmount, UnmountState, unmounted_line
from pai_signer.workflows.verify.verification import ReleaseVerifier
from pai_signer.workflows.workbench import Workbench

PURPOSE = "Where to write the signatures?"
UPLOAD_GUIDE = "UPLOAD.md"
UPLOAD_SCRIPT = "upload.sh"
KEYS_FOLDER = "keys"
#: The session's note that the files were written in this sitting.
WRITTEN = "written"


class ExportState(UnmountState, frozen=True, kw_only=True):
    """Where an export stands."""

    version: str
    folder: str = ""
    written: dict[str, str] = msgspec.field(default_factory=dict)


def export_release(bench: Workbench, version: str, directory: str = "") -> Workflow[ExportState]:
    """Build the workflow; refuses a version that has nothing signed."""
    name = bench.release_name(version)
    signed_release(bench, name)
    return Workflow(
        name="export-release",
        key=name,
        title=f"Export {name}",
        start=ExportState(version=name, directory=given_directory(directory)),
        steps=(
            PickMedium(bench.media, PURPOSE),
            TypeFolder(PURPOSE),
            _Write(bench),
            Unmount(bench.media, lambda state: bool(state.written)),
        ),
        outcome=_outcome,
    )


def staged_files(bench: Workbench, release: SignedRelease) -> dict[str, bytes]:
    """What was signed, as it stands in staging; ``BadSignature`` if it changed since (SIG-5)."""
    staged = bench.releases.staged(release.version)
    files = {name: staged.get(name, b"") for name in release.files}
    for name, data in files.items():
        if hashlib.sha256(data).hexdigest() != release.files[name]:
            raise BadSignature(
                "SIG-5/staging",
                f"{name} in staging is not the file that was signed.",
                "Do not use this workstation before you know why. "
                "The journal has the digests of what was signed.",
            )
    return files


def verify_staged(bench: Workbench, files: dict[str, bytes]) -> Papers:
    """Verify what is about to leave once more (SIG-5); the papers that belong to its keys."""
    registry = bench.registry()
    papers = vault_papers(bench, registry)
    verifier = ReleaseVerifier(
        bench.verifiers,
        registry,
        manifest_name=bench.profile.artifacts.manifest,
        accept_rehearsal=bench.info.rehearsal,
        endorsements=papers.endorsements,
    )
    verifier.verify(files, {})
    return papers


def export_files(bench: Workbench, release: SignedRelease) -> dict[str, bytes]:
    """Everything that belongs on the medium, verified once more (SIG-5, EXP-1).

    ``BadSignature`` if staging is not what the journal says was signed.
    """
    files = staged_files(bench, release)
    papers = verify_staged(bench, files)
    registry = bench.registry()
    keys = {**published_files(bench.registry_store.load()), **papers.files}
    plan = plan_upload(_upload_facts(bench, release), bench.profile, registry)
    return {
        **files,
        **_calendar(bench, registry, release),
        **{f"{KEYS_FOLDER}/{name}": data for name, data in keys.items()},
        UPLOAD_GUIDE: render_upload_guide(plan).encode(),
        UPLOAD_SCRIPT: render_upload_script(plan).encode(),
    }


def _calendar(bench: Workbench, registry: Registry, release: SignedRelease) -> dict[str, bytes]:
    """When keys and backups want to be looked after, for the maintainers' calendars (KEY-6).

    As of the registry's last change and of the release's signing, not of today: exported
    again it is the same file, which does not conflict with the one on the medium.
    """
    found = reminders(registry, bench.profile, registry.changed_at)
    signed_at = release.last_signed_at
    ledger = read_ledger(e for e in bench.journal.entries() if e.time <= signed_at)
    proof = proof_reminder(ledger, registry, bench.profile, signed_at)
    if proof is not None:
        found = (*found, proof)
    if not found:
        return {}
    calendar = render_calendar(
        found,
        project_slug=bench.profile.project.slug,
        sequence=registry.serial,
        made_at=registry.changed_at,
    )
    return {CALENDAR_NAME: calendar}


def export_folder(bench: Workbench, release: SignedRelease) -> str:
    """The folder's name says what is in it, so that two visits never collide (IMP-7)."""
    name = f"{bench.profile.project.slug}-{release.version}"
    if release.manifest_sha256 is None:
        return f"{name}-tag"
    return name if release.tag_oid is not None else f"{name}-manifest"


def _upload_facts(bench: Workbench, release: SignedRelease) -> UploadFacts:
    staged = bench.releases.staged(release.version)
    receipts = {name: parse_receipt(staged[name]) for name in release.receipts}
    signers: dict[str, tuple[str, ...]] = {}
    tag_signer = None
    for name, receipt in receipts.items():
        signers[name] = tuple(key.id for key in receipt.keys)
        if receipt.manifest_sha256 is not None:
            signers[bench.profile.artifacts.manifest] = signers[name]
        if receipt.tag is not None:
            openpgp = Algorithm.OPENPGP.value
            tag_signer = next((k.id for k in receipt.keys if k.algorithm == openpgp), None)
    return UploadFacts(
        version=release.version,
        files=release.files,
        artifact_sizes={a.name: a.size_bytes for r in receipts.values() for a in r.artifacts},
        signers=signers,
        commit=release.commit,
        tag_oid=release.tag_oid,
        tag_signer=tag_signer,
        has_manifest=release.manifest_sha256 is not None,
        rehearsal=bench.info.rehearsal,
    )


def signed_release(bench: Workbench, version: str) -> SignedRelease:
    """The release of this tag name; ``UsageError`` if nothing of it is signed."""
    release = bench.history().find(version)
    if release is None:
        raise UsageError(
            "EXP-1/nothing-signed",
            f"Nothing of {version} is signed.",
            f"Sign it first: pai-signer release sign {version} --confirm {version}",
        )
    return release


class _Write(Step[ExportState]):
    """Write, sync, read back past the cache, compare."""

    id = "write"
    title = "Export"
    commit_point = True
    unchanged = "The signatures in staging are as they were; nothing half-written has a final name."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: ExportState) -> bool:
        # Written again in each sitting: it may be another medium, and more may be signed by now.
        here = WRITTEN in self._bench.session
        return state.unmounted is not None or (bool(state.written) and here)

    def question(self, state: ExportState) -> Question:
        return Automatic("write")

    def act(self, state: ExportState, answer: Answer, progress: Progress) -> ExportState:
        bench = self._bench
        release = signed_release(bench, state.version)
        folder = export_folder(bench, release)
        files = export_files(bench, release)
        written = bench.destinations.write_release(Path(state.directory), folder, files, progress)
        digests = {file.name: file.sha256 for file in written}
        facts = {
            "version": state.version,
            "folder": folder,
            "destination": state.directory,
            "files": digests,
            "command": f"release export {state.version} {state.directory}",
        }
        try:
            bench.journal.append(EXPORTED, facts)
        except SignerError as error:
            error.unchanged = (
                "The files are whole on the medium; only their journal entry is missing. "
                "Export again to complete it."
            )
            raise
        bench.session.note(WRITTEN)
        return msgspec.structs.replace(state, folder=folder, written=digests)


def _outcome(state: ExportState) -> Outcome:
    place = f"{state.directory}/{state.folder}"
    lines: Sequence[Line] = (
        Line(place, label="folder"),
        *(Line(name, label="written", mark=Mark.OK) for name in state.written),
        Line("every file was read back from the medium and compared", mark=Mark.OK),
        unmounted_line(state),
        Line(f"Next: follow {UPLOAD_GUIDE} on the online machine, or run {UPLOAD_SCRIPT} there."),
    )
    data = {
        "version": state.version,
        "folder": place,
        "files": state.written,
        "unmounted": bool(state.unmounted),
    }
    return Outcome((Page(f"Exported {state.version}", tuple(lines)),), data)
