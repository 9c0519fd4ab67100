"""The return leg: prove that what is live is what was signed (EXP-5)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from pai_signer.domain.confirmation import (
    LIVE_SUMS,
    LIVE_TAG,
    MAX_LIVE_TAG_BYTES,
    SIDE_SUFFIX,
    Compared,
    LiveContent,
    SignedContent,
    Verdict,
    compare_live,
    parse_live_refs,
    parse_live_sums,
)
from pai_signer.domain.history import CONFIRMED, DIFFERS, EXPORTED, SignedRelease
from pai_signer.domain.manifest import MAX_MANIFEST_BYTES
from pai_signer.domain.page import Line, Mark, Page, digest_lines
from pai_signer.domain.progress import Progress
from pai_signer.domain.receipt import parse_receipt
from pai_signer.errors import CannotTell, DigestMismatch, SignerError, UsageError
from pai_signer.ports import Source
from pai_signer.workflows.engine import (
    Answer,
    Automatic,
    Choice,
    Option,
    Outcome,
    Question,
    Step,
    Workflow,
)
from pai_signer.workflows.pick_directory import PickMedium, TypeFolder, given_directory
from pai_signer.workflows.release.export_release import export_folder
from pai_signer.workflows.unmount import Unmount, UnmountState, unmounted_line
from pai_signer.workflows.workbench import Workbench

PURPOSE: Final = "Where is what was brought back?"
#: The folder beside an exported one that ``upload.sh`` writes its lists into.
LIVE_SUFFIX: Final = "-live"
#: The session's note that the medium was read in this sitting.
COMPARED: Final = "compared"
UNCHANGED: Final = "The release and its signatures are as they were: confirming only reads."

_MARKS: Final = {Verdict.SAME: Mark.OK, Verdict.UNKNOWN: Mark.WARN}


class ConfirmState(UnmountState, frozen=True, kw_only=True):
    """Where a confirmation stands; ``source`` is the folder that was read."""

    version: str = ""
    source: str = ""
    compared: tuple[Compared, ...] = ()


def confirm_release(
    bench: Workbench, version: str = "", directory: str = ""
) -> Workflow[ConfirmState]:
    """Build the workflow; asks which release if it is not given.

    ``UsageError`` for a version of which no manifest is signed.
    """
    name = bench.release_name(version) if version else ""
    if name:
        _published(bench, name)
    return Workflow(
        name="confirm-release",
        key=name,
        title=f"Confirm {name or 'a release'}",
        start=ConfirmState(version=name, directory=given_directory(directory)),
        steps=(
            _ChooseRelease(bench),
            PickMedium(bench.media, PURPOSE, read_only=True),
            TypeFolder(PURPOSE),
            _Compare(bench),
            Unmount(bench.media, lambda state: bool(state.compared)),
        ),
        outcome=lambda state: _outcome(bench, state),
    )


def confirmable(bench: Workbench) -> tuple[SignedRelease, ...]:
    """Every release with a signed manifest that was exported, the newest first."""
    releases = reversed(bench.history().releases)
    return tuple(r for r in releases if r.exported and r.manifest_sha256 is not None)


def _published(bench: Workbench, version: str) -> SignedRelease:
    release = bench.history().find(version)
    if release is None or release.manifest_sha256 is None:
        raise UsageError(
            "EXP-5/nothing-signed",
            f"No manifest of {version} is signed, so there is nothing to compare with.",
            f"Sign it first: pai-signer release sign {version} --confirm {version}",
            unchanged=UNCHANGED,
        )
    return release


class _ChooseRelease(Step[ConfirmState]):
    """Which release, where none was named."""

    id = "choose"
    title = "Which release"
    unchanged = UNCHANGED

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: ConfirmState) -> bool:
        return bool(state.version)

    def question(self, state: ConfirmState) -> Question:
        options = tuple(
            Option(release.version, f"{release.version}: {release.stage}")
            for release in confirmable(self._bench)
        )
        return Choice("choose", "Which release was published?", options=options)

    def act(self, state: ConfirmState, answer: Answer, progress: Progress) -> ConfirmState:
        return msgspec.structs.replace(state, version=str(answer))


class _Compare(Step[ConfirmState]):
    """Read what was brought, compare, and put the result into the journal."""

    id = "compare"
    title = "Compare"
    commit_point = True
    unchanged = UNCHANGED

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: ConfirmState) -> bool:
        # Read again in each sitting: it may be another medium by now.
        here = COMPARED in self._bench.session
        return state.unmounted is not None or (bool(state.compared) and here)

    def question(self, state: ConfirmState) -> Question:
        return Automatic("compare")

    def act(self, state: ConfirmState, answer: Answer, progress: Progress) -> ConfirmState:
        bench = self._bench
        release = _published(bench, state.version)
        signed = _signed_content(bench, release)
        folder = _live_folder(bench, release, Path(state.directory))
        with bench.sources.open(folder) as source:
            live = _Reader(source, signed).read(progress)
        compared = compare_live(signed, live)
        _record(bench, state, folder, compared)
        bench.session.note(COMPARED)
        return msgspec.structs.replace(state, source=str(folder), compared=compared)


def _signed_content(bench: Workbench, release: SignedRelease) -> SignedContent:
    """What the journal says was signed, and what was exported beside it."""
    staged = bench.releases.staged(release.version)
    sizes = {
        artifact.name: artifact.size_bytes
        for name in release.receipts
        if name in staged
        for artifact in parse_receipt(staged[name]).artifacts
    }
    limit = bench.profile.upload.asset_limit_bytes
    bundle = f"{release.version}.bundle"
    companions: dict[str, str] = {}
    for entry in bench.journal.entries():
        if entry.event == EXPORTED and entry.facts.get("version") == release.version:
            companions.update(entry.facts.get("files", {}))
    return SignedContent(
        artifacts={file.name: file.sha256 for file in release.manifest},
        files={name: digest for name, digest in release.files.items() if name != bundle},
        companions=companions,
        too_large=frozenset(name for name, size in sizes.items() if size >= limit),
        tag_name=release.version,
        tag_oid=release.tag_oid,
        commit=release.commit,
    )


def _live_folder(bench: Workbench, release: SignedRelease, directory: Path) -> Path:
    """The folder that ``upload.sh`` wrote, where it is on the medium; else the one given."""
    name = f"{export_folder(bench, release)}{LIVE_SUFFIX}"
    with bench.sources.open(directory) as source:
        folders = {entry.shown_name for entry in source.listing().refused if entry.is_folder}
    return directory / name if name in folders else directory


@dataclass
class _Reader:
    """Reads a folder of what is live: each file once, by its kind."""

    source: Source
    signed: SignedContent
    digests: dict[str, str] = field(default_factory=dict)
    side_files: dict[str, bytes] = field(default_factory=dict)
    loose: list[str] = field(default_factory=list)

    def read(self, progress: Progress) -> LiveContent:
        """All of it; ``CannotTell`` where nothing of the release was brought."""
        listing = self.source.listing()
        names = [entry.name for entry in listing.files]
        listed = refs = None
        if LIVE_SUMS in names:
            listed = parse_live_sums(self.source.read_small(LIVE_SUMS, MAX_MANIFEST_BYTES))
        if LIVE_TAG in names:
            refs = parse_live_refs(self.source.read_small(LIVE_TAG, MAX_LIVE_TAG_BYTES))
        for name in names:
            if name not in (LIVE_SUMS, LIVE_TAG):
                progress.check()
                self._read(name, progress)
        if listed is None and not self.digests:
            raise CannotTell(
                "EXP-5/nothing-brought",
                f"Neither a file of this release nor {LIVE_SUMS} is in {self.source.shown_path}.",
                "Bring back the folder that upload.sh wrote, or the downloaded files.",
            )
        return LiveContent(
            read=self.digests,
            listed=listed,
            refs=refs,
            side_files=self.side_files,
            loose=tuple(self.loose),
            # A folder is nothing that a release page can hold.
            refused={e.shown_name: e.why for e in listing.refused if not e.is_folder},
        )

    def _read(self, name: str, progress: Progress) -> None:
        if name in self.signed.all or name in self.signed.companions:
            self.digests[name] = self.source.read_once(name, progress).sha256
        elif name.endswith(SIDE_SUFFIX) and name.removesuffix(SIDE_SUFFIX) in self.signed.artifacts:
            data = self.source.read_small(name, MAX_MANIFEST_BYTES)
            self.digests[name] = hashlib.sha256(data).hexdigest()
            self.side_files[name] = data
        else:
            self.loose.append(name)


def _record(
    bench: Workbench, state: ConfirmState, folder: Path, compared: Sequence[Compared]
) -> None:
    """A result goes into the journal; where it cannot be told there is none."""
    facts = {
        "version": state.version,
        "source": str(folder),
        "command": f"release confirm {state.version} {state.directory}",
    }
    differences = [each for each in compared if each.verdict.is_difference]
    if differences:
        event = DIFFERS
        facts["why"] = f"{len(differences)} of {len(compared)} differ"
    elif all(each.verdict is Verdict.SAME for each in compared):
        event = CONFIRMED
    else:
        return
    kept = differences or compared
    try:
        bench.journal.append(
            event, {**facts, "compared": [msgspec.to_builtins(each) for each in kept]}
        )
    except SignerError as error:
        error.unchanged = "What was found is not recorded. Confirm again to record it."
        raise


# --- what it says -------------------------------------------------------------------------


def _outcome(bench: Workbench, state: ConfirmState) -> Outcome:
    compared = state.compared
    differences = [each for each in compared if each.verdict.is_difference]
    unknown = [each for each in compared if each.verdict is Verdict.UNKNOWN]
    project, version = bench.profile.project.name, state.version
    read = sum(each.how == "read" for each in compared)
    refusal: SignerError | None = None
    if differences:
        verdict = "different"
        text = f"{project} {version} is NOT live as it was signed: {len(differences)} differ."
        refusal = DigestMismatch(
            "EXP-5/differs",
            text,
            "Tell the other maintainers now. Delete nothing: find out who changed it and when.",
            unchanged="What was signed is as it was. The difference is in the journal.",
        )
    elif unknown:
        verdict = "unknown"
        text = f"Of {len(compared)} parts of {project} {version}, {len(unknown)} are not known."
        refusal = CannotTell(
            "EXP-5/not-whole",
            text,
            "Bring what is missing as well, and confirm again.",
            unchanged="The release is not confirmed. Nothing was recorded.",
        )
    else:
        verdict = "same"
        text = f"{project} {version} is live as it was signed: confirmed published."
    lines = [
        Line(text, mark=Mark.OK if verdict == "same" else Mark.NONE),
        Line(f"{read} of {len(compared)} read here, the others as the online machine lists them"),
        *(line for each in compared for line in _lines(each)),
        unmounted_line(state),
    ]
    data = {
        "version": version,
        "verdict": verdict,
        "compared": [msgspec.to_builtins(each) for each in compared],
        "source": state.source,
        "unmounted": bool(state.unmounted),
    }
    return Outcome((Page(f"Return leg: {version}", tuple(lines)),), data, refusal=refusal)


def _lines(each: Compared) -> list[Line]:
    mark = _MARKS.get(each.verdict, Mark.FAIL)
    how = f" ({each.how})" if each.how and each.verdict is Verdict.SAME else ""
    lines = [Line(f"{each.name}: {each.why}{how}", mark=mark)]
    if each.verdict is Verdict.DIFFERENT and each.signed and each.live:
        lines += [*digest_lines("signed", each.signed), *digest_lines("live", each.live)]
    return lines
