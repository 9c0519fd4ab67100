"""Bring a release in: scan, read each artifact once, compare, inspect, take the bundle.

IMP-1 to IMP-7. The result is a ``Candidate`` in the vault; nothing is signed here.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from pai_signer.domain.artifact import Artifact, Candidate, Commit, ExpectedDigest
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.policy import failures, refusal
from pai_signer.domain.progress import Progress
from pai_signer.domain.records import encode_record
from pai_signer.domain.text import safe_text
from pai_signer.errors import PolicyRefused, UsageError
from pai_signer.ports import Source
from pai_signer.workflows.engine import (
    Answer,
    Automatic,
    Outcome,
    Proceed,
    Question,
    Step,
    Workflow,
)
from pai_signer.workflows.pick_directory import (
    PickMedium,
    TypeFolder,
    given_directory,
)
from pai_signer.workflows.release.as_imported import (
    IMPORTED,
    check_as_imported,
    imported_facts,
)
from pai_signer.workflows.release.commit_facts import describe_commit
from pai_signer.workflows.release.evaluate import evaluate_import
from pai_signer.workflows.release.expected_digests import expected_digests
from pai_signer.workflows.release.import_questions import (
    AskRevision,
    AskSecondFolder,
    AskSecondSource,
    AskVersion,
    ImportState,
    TypeDigests,
    checked_digest,
    checked_revision,
)
from pai_signer.workflows.release.recognise import (
    Found,
    digest_files_of,
    recognise,
    version_of_artifacts,
)
from pai_signer.workflows.release.review import artifact_pages, check_lines, commit_pages
from pai_signer.workflows.workbench import Workbench

MAX_BUNDLE_BYTES: Final = 2 << 30
#: The session's note that the folder was scanned in this sitting.
SCANNED: Final = "scanned"
PURPOSE: Final = "Where are the downloaded files?"


def import_release(
    bench: Workbench,
    directory: str = "",
    version: str = "",
    *,
    commit: str | None = None,
    second_directory: str = "",
    digests: Mapping[str, str] | None = None,
) -> Workflow[ImportState]:
    """Build the workflow; what is given already is not asked.

    All of it belongs to the start: an import that began with another commit or
    without the second source is not resumed.
    """
    second = "folder" if second_directory else "typed" if digests else ""
    start = ImportState(
        directory=given_directory(directory),
        version=bench.release_name(version) if version else "",
        revision=None if commit is None else checked_revision(commit),
        second=second,
        second_directory=given_directory(second_directory),
        typed_digests={n: checked_digest(d) for n, d in (digests or {}).items()},
    )
    return Workflow(
        name="import-release",
        key=start.version,
        title="Import",
        start=start,
        steps=(
            PickMedium(bench.media, PURPOSE),
            TypeFolder(PURPOSE),
            _Scan(bench),
            _Inspect(bench),
            AskVersion(bench),
            AskRevision(),
            AskSecondSource(),
            AskSecondFolder(),
            TypeDigests(bench),
            _Read(bench),
        ),
        outcome=lambda state: _outcome(bench, state),
    )


class _Scan(Step[ImportState]):
    """List the folder and recognise what is in it; nothing is opened yet."""

    id = "scan"
    title = "Import"

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: ImportState) -> bool:
        # Scanned again in each sitting: a medium may have changed in between.
        return state.finished or (state.found is not None and SCANNED in self._bench.session)

    def question(self, state: ImportState) -> Question:
        return Automatic("scan")

    def act(self, state: ImportState, answer: Answer, progress: Progress) -> ImportState:
        with self._bench.sources.open(Path(state.directory)) as source:
            found = recognise(source.listing(), self._bench.profile)
        _check_asked(state, found)
        version = state.version or version_of_artifacts(found, self._bench.profile)
        self._bench.session.note(SCANNED)
        return msgspec.structs.replace(state, found=found, version=version, looked=False)


def _check_asked(state: ImportState, found: Found) -> None:
    """What was asked for can be done: nothing of it is passed over in silence."""
    unknown = [name for name in state.typed_digests if name not in found.artifacts]
    if unknown:
        raise UsageError(
            "IMP-4/unknown-file",
            f"A digest was given for {safe_text(unknown[0], limit=200)}, "
            "which is no artifact in this folder.",
            f"The artifacts are: {', '.join(found.artifacts) or 'none'}.",
        )
    if state.second not in ("", "none") and not found.artifacts:
        raise UsageError(
            "IMP-4/nothing-to-compare",
            "A second source of digests was given, and there is no artifact in this folder.",
            "Leave the second source out, or give the folder of the artifacts.",
        )
    if state.revision and found.bundle is None:
        raise UsageError(
            "IMP-6/no-bundle",
            "A commit was given, and there is no bundle in this folder that brings it.",
            "Put the bundle into the folder: git bundle create release.bundle HEAD main",
        )


class _Inspect(Step[ImportState]):
    """Show what was recognised, before anything is read."""

    id = "inspect"
    title = "Inspect"

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: ImportState) -> bool:
        return state.looked

    def pages(self, state: ImportState) -> Sequence[Page]:
        found = state.found or Found()
        lines = [Line(name, label="artifact") for name in found.artifacts]
        lines += [Line(found.bundle or "none", label="bundle")]
        lines += [Line(found.manifest or "none", label="CI's digests")]
        lines += [Line(name, label="digest file") for name in found.digest_files]
        lines += [Line(name, label="ignored", mark=Mark.WARN) for name in found.ignored]
        return (Page(f"Found in {state.directory}", tuple(lines)),)

    def question(self, state: ImportState) -> Question:
        return Proceed("inspect", "Read these files?")

    def act(self, state: ImportState, answer: Answer, progress: Progress) -> ImportState:
        return msgspec.structs.replace(state, looked=True)


class _Read(Step[ImportState]):
    """Read every artifact once, and take the bundle; then store the candidate."""

    id = "read"
    title = "Checksum"
    unchanged = "Nothing was signed; an earlier import of this version is as it was."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: ImportState) -> bool:
        return state.finished

    def question(self, state: ImportState) -> Question:
        return Automatic("read")

    def act(self, state: ImportState, answer: Answer, progress: Progress) -> ImportState:
        found = state.found or Found()
        with self._bench.sources.open(Path(state.directory)) as source:
            if recognise(source.listing(), self._bench.profile) != found:
                self._bench.session.forget(SCANNED)
                raise PolicyRefused(
                    "IMP-3/changed",
                    "The folder is not what it was when it was scanned.",
                    "Check the medium, then import again.",
                )
            named = version_of_artifacts(found, self._bench.profile)
            if named and named != state.version:
                raise PolicyRefused(
                    "POL-1/version",
                    f"The files are of {named}, not of {state.version}.",
                    "Import with the version that the files have.",
                )
            leniencies: list[str] = []
            expected = expected_digests(source, found, leniencies, independent=False)
            self._add_second_source(source, state, expected, leniencies)
            artifacts = tuple(
                self._read_artifact(source, name, expected.get(name, []), progress)
                for name in found.artifacts
            )
            commit = self._take_bundle(source, state, progress) if found.bundle else None
        self._store(state, found, artifacts, commit, tuple(leniencies))
        return msgspec.structs.replace(state, finished=True)

    def _read_artifact(
        self, source: Source, name: str, expected: Sequence[ExpectedDigest], progress: Progress
    ) -> Artifact:
        named = self._bench.profile.release_of_name(name)
        assert named is not None, "only recognised names get here"  # noqa: S101
        wanted = named[1]
        # Hashed first: from then on the source refuses any other file under this name.
        hashed = source.read_once(name, progress)
        findings = (
            source.inspect_image(name, wanted.architecture) if wanted.image == "iso9660" else ()
        )
        return Artifact(
            file=hashed,
            architecture=wanted.architecture,
            expected=tuple(expected),
            findings=findings,
        )

    def _add_second_source(
        self,
        first: Source,
        state: ImportState,
        expected: dict[str, list[ExpectedDigest]],
        leniencies: list[str],
    ) -> None:
        for name, digest in state.typed_digests.items():
            if digest:
                typed = ExpectedDigest(source="second source (typed)", sha256=digest)
                typed = msgspec.structs.replace(typed, independent=True)
                expected.setdefault(name, []).append(typed)
        if not state.second_directory:
            return
        with self._bench.sources.open(Path(state.second_directory)) as second:
            if second.identity == first.identity:
                raise UsageError(
                    "IMP-4/same-source",
                    "The second source is the folder of the artifacts itself.",
                    "Give the folder or medium of somebody who built or downloaded it separately.",
                )
            names = [entry.name for entry in second.listing().files]
            manifest = self._bench.profile.artifacts.manifest
            found = Found(
                manifest=manifest if manifest in names else None,
                digest_files=digest_files_of(names, state.found.artifacts if state.found else ()),
            )
            more = expected_digests(second, found, leniencies, independent=True)
        if state.found and not set(more) & set(state.found.artifacts):
            raise PolicyRefused(
                "IMP-4/second-empty",
                "The second source states no digest of any of these artifacts.",
                f"It needs a {manifest} or .sha256 files with the names of the artifacts.",
            )
        for name, digests in more.items():
            expected.setdefault(name, []).extend(digests)

    def _take_bundle(self, source: Source, state: ImportState, progress: Progress) -> Commit:
        bench = self._bench
        name = state.found.bundle if state.found else None
        progress.say(Line(f"taking {name} into the repository"))
        with bench.scratch() as folder:
            source.copy_small_to(str(name), folder / "import.bundle", MAX_BUNDLE_BYTES)
            bench.tags.take_bundle(folder / "import.bundle")
        oid = bench.tags.find_commit(state.revision or None, bench.profile.project.branch)
        return describe_commit(bench, oid, state.version)

    def _store(
        self,
        state: ImportState,
        found: Found,
        artifacts: tuple[Artifact, ...],
        commit: Commit | None,
        leniencies: tuple[str, ...],
    ) -> None:
        """Keep the part that this visit did not bring (IMP-7)."""
        bench = self._bench
        before = (
            bench.candidate(state.version)
            if bench.releases.load_candidate(state.version) is not None
            else None
        )
        if before is not None:
            kept = msgspec.structs.replace(
                before,
                artifacts=() if artifacts else before.artifacts,
                commit=None if commit else before.commit,
            )
            check_as_imported(bench, kept)
        candidate = Candidate(
            version=state.version,
            imported_at=bench.clock.now().isoformat(),
            source=safe_text(state.directory),
            artifacts=artifacts or (before.artifacts if before else ()),
            commit=commit or (before.commit if before else None),
            leniencies=leniencies if artifacts else (before.leniencies if before else ()),
            ignored=found.ignored,
        )
        bench.releases.save_candidate(state.version, encode_record(candidate))
        facts = {"source": state.directory, "command": _command(state)}
        bench.journal.append(IMPORTED, {**imported_facts(candidate), **facts})


def _command(state: ImportState) -> str:
    """What the command line would be for the same import."""
    digests = (f"--digest {n}={d}" for n, d in state.typed_digests.items() if d)
    parts = (
        f"release import {state.directory} --version {state.version}",
        f"--commit {state.revision}" if state.revision else "",
        f"--second {state.second_directory}" if state.second_directory else "",
        *digests,
    )
    return " ".join(part for part in parts if part)


def _outcome(bench: Workbench, state: ImportState) -> Outcome:
    candidate = bench.candidate(state.version)
    results = evaluate_import(bench, candidate)
    message = bench.profile.tag_message_of(bench.profile.version_of(state.version))
    pages = (
        *artifact_pages(candidate, previous=None),
        *(commit_pages(state.version, candidate.commit, message) if candidate.commit else ()),
        Page(f"Imported {state.version}", check_lines(results)),
    )
    data = {
        "version": state.version,
        "artifacts": [
            {"name": a.file.name, "size": a.file.size_bytes, "sha256": a.file.sha256}
            for a in candidate.artifacts
        ],
        "commit": candidate.commit.oid if candidate.commit else None,
        "failed": [r.id for r in failures(results)],
    }
    error = refusal(results, candidate)
    if error is not None:
        error.unchanged = "Nothing was signed. What was read is kept for the review, or to discard."
    return Outcome(pages, data, error)
