"""Sign the release index and put it beside the published keys (VER-2)."""

from pathlib import Path

import msgspec

from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import MINISIG_SUFFIX, OPENPGP_SUFFIX
from pai_signer.domain.release_index import (
    INDEX_NAME,
    MAX_INDEX_BYTES,
    ReleaseIndex,
    check_extends,
    listed,
    parse_index,
)
from pai_signer.errors import CannotTell, UsageError
from pai_signer.ports import Source
from pai_signer.workflows.engine import Answer, Automatic, Outcome, Question, Step, Workflow
from pai_signer.workflows.pick_directory import (
    DirectoryState,
    PickMedium,
    TypeFolder,
    given_directory,
)
from pai_signer.workflows.release.index_files import (
    NOTHING_SIGNED,
    check_can_sign,
    index_now,
    is_current,
    passphrase_steps,
    publishable,
    sign_index_files,
)
from pai_signer.workflows.verify.verify_index import verify_index
from pai_signer.workflows.verify.verify_registry import verify_signed_by_all
from pai_signer.workflows.workbench import Workbench

INDEX_PUBLISHED = "index.published"
PURPOSE = "Where to write the release index?"


class IndexState(DirectoryState, frozen=True, kw_only=True):
    """Where it stands."""

    signed: bool = False
    written: tuple[str, ...] = ()


def sign_index(bench: Workbench, directory: str = "") -> Workflow[IndexState]:
    """Build the workflow; refuses where there is nothing to tell, or nobody to sign it."""
    check_can_sign(bench)
    if not index_now(bench).entries:
        raise UsageError(
            "VER-2/nothing-to-tell",
            "No release was signed yet, so there is nothing for the release index to tell.",
            "Sign a release first, or put an old one into the registry: "
            "pai-signer release unsigned",
        )

    def is_over(state: IndexState) -> bool:
        return state.signed or _is_current(bench, state)

    return Workflow(
        name="sign-index",
        key="",
        title="The release index",
        start=IndexState(directory=given_directory(directory)),
        steps=(
            PickMedium(bench.media, PURPOSE),
            TypeFolder(PURPOSE),
            *passphrase_steps(bench, is_over),
            _Sign(bench),
            _Publish(bench),
        ),
        outcome=lambda state: _outcome(bench, state),
    )


def _is_current(bench: Workbench, state: IndexState) -> bool:
    return is_current(bench, index_now(bench, _published(bench, state.directory)))


def _published(bench: Workbench, directory: str) -> ReleaseIndex | None:
    """The index that stands in the folder already; it has to be one of this project's keys.

    One that tells more than this workstation knows would be taken over: every key that signs
    today has to have signed it, as it does whenever the index is signed here (VER-2).
    """
    with bench.sources.open(Path(directory)) as folder:
        if INDEX_NAME not in {entry.name for entry in folder.listing().files}:
            return None
        files = _index_files(folder)
    found = verify_index(
        files, bench.registry(), bench.verifiers, accept_rehearsal=bench.info.rehearsal
    )
    if len(found.index.entries) > len(index_now(bench).entries):
        verify_signed_by_all(
            files,
            INDEX_NAME,
            bench.registry(),
            bench.verifiers,
            accept_rehearsal=bench.info.rehearsal,
        )
    return found.index


def _index_files(folder: Source) -> dict[str, bytes]:
    names = {INDEX_NAME, INDEX_NAME + MINISIG_SUFFIX, INDEX_NAME + OPENPGP_SUFFIX}
    here = [entry.name for entry in folder.listing().files if entry.name in names]
    return {name: folder.read_small(name, MAX_INDEX_BYTES) for name in here}


class _IndexStep(Step[IndexState]):
    unchanged = NOTHING_SIGNED

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench


class _Sign(_IndexStep):
    """Sign what there is to tell, unless that was done already."""

    id = "sign"
    title = "Release index"
    commit_point = True

    def done(self, state: IndexState) -> bool:
        return state.signed

    def question(self, state: IndexState) -> Question:
        return Automatic("sign")

    def act(self, state: IndexState, answer: Answer, progress: Progress) -> IndexState:
        bench = self._bench
        if not _is_current(bench, state):
            index = index_now(bench, _published(bench, state.directory))
            sign_index_files(bench, index, f"release index {state.directory}")
            progress.say(Line(f"{INDEX_NAME} is signed", mark=Mark.OK))
        return msgspec.structs.replace(state, signed=True)


class _Publish(_IndexStep):
    """Write it, unless the folder has a later one or another one."""

    id = "publish"
    title = "Release index"
    commit_point = True
    unchanged = "The release index in the vault is signed; the folder is as it was."

    def done(self, state: IndexState) -> bool:
        return bool(state.written)

    def question(self, state: IndexState) -> Question:
        return Automatic("publish")

    def act(self, state: IndexState, answer: Answer, progress: Progress) -> IndexState:
        bench, directory = self._bench, Path(state.directory)
        files = publishable(bench)
        if not files:
            raise CannotTell(
                "VER-2/not-signed",
                "There is no release index in the vault that could be published.",
                "Sign it again: pai-signer release index DIR",
            )
        check_published_before(bench, state.directory, files)
        written = bench.publisher.publish(directory, files)
        names = tuple(file.name for file in written)
        bench.journal.append(
            INDEX_PUBLISHED,
            {
                "directory": state.directory,
                "files": {file.name: file.sha256 for file in written},
                "command": f"release index {state.directory}",
            },
        )
        return msgspec.structs.replace(state, written=names)


def check_published_before(bench: Workbench, directory: str, files: dict[str, bytes]) -> None:
    """What is published in a folder already may only grow (VER-2); raises ``BadSignature``."""
    published = _published(bench, directory)
    if published is not None and INDEX_NAME in files:
        check_extends(
            published, parse_index(files[INDEX_NAME]), shown_earlier="the published index"
        )


def _outcome(bench: Workbench, state: IndexState) -> Outcome:
    index = index_now(bench)
    releases = listed(index)
    lines = (
        Line(state.directory, label="folder"),
        *(Line(name, label="written", mark=Mark.OK) for name in state.written),
        Line(),
        *(
            Line(
                f"DEPRECATED, see {release.deprecation.replacement}"
                if release.deprecation
                else "current"
                if release.was_signed
                else "no signature was ever expected",
                label=version,
                mark=Mark.WARN if release.deprecation else Mark.NONE,
            )
            for version, release in releases.items()
        ),
    )
    data = {
        "directory": state.directory,
        "files": list(state.written),
        "entries": len(index.entries),
        "head": index.head,
        "deprecated": [v for v, release in releases.items() if release.is_deprecated],
    }
    return Outcome((Page("The release index", lines),), data)
