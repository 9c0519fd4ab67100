"""Write the registry's published form into a folder, such as ``keys/public`` (KEY-2)."""

from pathlib import Path

import msgspec

from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import (
    MAX_REGISTRY_BYTES,
    REGISTRY_NAME,
    Registry,
    parse_registry,
    published_files,
)
from pai_signer.domain.registry_rules import check_successor
from pai_signer.errors import UsageError
from pai_signer.workflows.engine import Answer, Automatic, Outcome, Question, Step, Workflow
from pai_signer.workflows.keys.compromise_papers import PUBLISHED, vault_papers
from pai_signer.workflows.keys.transition_statement import published_statements
from pai_signer.workflows.pick_directory import (
    DirectoryState,
    PickMedium,
    TypeFolder,
    checked_directory,
)
from pai_signer.workflows.release.index_files import publishable
from pai_signer.workflows.release.sign_index import check_published_before
from pai_signer.workflows.verify.verify_registry import verify_registry
from pai_signer.workflows.workbench import Workbench

PURPOSE = "Where to write the public keys?"


class PublishState(DirectoryState, frozen=True, kw_only=True):
    """Where publishing stands."""

    written: tuple[str, ...] = ()


def publish_keys(bench: Workbench, directory: str = "") -> Workflow[PublishState]:
    """Build the workflow; refuses while there is no registered key."""
    if not bench.registry_store.load():
        raise UsageError(
            "KEY-2/no-keys",
            "There is no registered key to publish.",
            "Generate or import the keys first: pai-signer key generate",
        )
    return Workflow(
        name="publish-keys",
        key="",
        title="Publish the keys",
        start=PublishState(directory=checked_directory(directory) if directory else ""),
        steps=(PickMedium(bench.media, PURPOSE), TypeFolder(PURPOSE), _Publish(bench)),
        outcome=_outcome,
    )


class _Publish(Step[PublishState]):
    """Verify the registry once more, then write all of its files durably."""

    id = "publish"
    title = "Publish keys"
    commit_point = True
    unchanged = "The registry in the vault is as it was."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: PublishState) -> bool:
        return bool(state.written)

    def question(self, state: PublishState) -> Question:
        return Automatic("publish")

    def act(self, state: PublishState, answer: Answer, progress: Progress) -> PublishState:
        bench = self._bench
        files = bench.registry_store.load()
        registry = verify_registry(files, bench.verifiers, accept_rehearsal=bench.info.rehearsal)
        self._check_successor(Path(state.directory), registry)
        index = publishable(bench)
        check_published_before(bench, state.directory, index)
        published = {
            **published_files(files),
            **published_statements(bench, registry),
            **vault_papers(bench, registry).files,
            **index,
        }
        written = bench.publisher.publish(Path(state.directory), published)
        names = tuple(file.name for file in written)
        bench.journal.append(
            PUBLISHED,
            {
                "directory": state.directory,
                "files": {file.name: file.sha256 for file in written},
                "command": f"key publish {state.directory}",
            },
        )
        return msgspec.structs.replace(state, written=names)

    def _check_successor(self, directory: Path, registry: Registry) -> None:
        """What is published there already may only grow: no key is ever lost (KEY-2)."""
        with self._bench.sources.open(directory) as folder:
            names = [entry.name for entry in folder.listing().files]
            if REGISTRY_NAME not in names:
                return
            published = parse_registry(folder.read_small(REGISTRY_NAME, MAX_REGISTRY_BYTES))
        check_successor(published, registry)


def _outcome(state: PublishState) -> Outcome:
    lines = (
        Line(state.directory, label="folder"),
        *(Line(name, label="written", mark=Mark.OK) for name in state.written),
    )
    data = {"directory": state.directory, "files": list(state.written)}
    return Outcome((Page("Published keys", lines),), data)
