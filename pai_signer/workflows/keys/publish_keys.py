"""Write the registry's published form into a folder, such as ``keys/public`` (KEY-2)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import (
    MAX_REGISTRY_BYTES,
    MINISIG_SUFFIX,
    OPENPGP_SUFFIX,
    REGISTRY_NAME,
    Registry,
    parse_registry,
    published_files,
)
from pai_signer.domain.registry_rules import check_successor
from pai_signer.domain.text import safe_text
from pai_signer.errors import PolicyRefused, UsageError
from pai_signer.workflows.engine import Answer, Automatic, Outcome, Question, Step, Workflow
from pai_signer.workflows.keys.compromise_papers import PUBLISHED, vault_papers
from pai_signer.workflows.keys.transition_statement import published_statements
from pai_signer.workflows.pick_directory import (
    DirectoryState,
    PickMedium,
    TypeFolder,
    given_directory,
)
from pai_signer.workflows.release.index_files import publishable
from pai_signer.workflows.release.sign_index import check_published_before
from pai_signer.workflows.verify.verify_registry import verify_registry
from pai_signer.workflows.workbench import Workbench

PURPOSE = "Where to write the public keys?"
#: What there is only while a minisign key is in use.
CURRENT_MINISIGN: Final = "minisign.pub"


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
        start=PublishState(directory=given_directory(directory)),
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
        index = publishable(bench)
        published = {
            **published_files(files),
            **published_statements(bench, registry),
            **vault_papers(bench, registry).files,
            **index,
        }
        outdated = self._outdated(Path(state.directory), registry, published)
        check_published_before(bench, state.directory, index)
        written = bench.publisher.publish(Path(state.directory), published)
        bench.publisher.withdraw(Path(state.directory), outdated)
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

    def _outdated(
        self, directory: Path, registry: Registry, published: Mapping[str, bytes]
    ) -> tuple[str, ...]:
        """What is published there already may only grow: no key is ever lost (KEY-2).

        Returns the files of the earlier state that must not outlive it: stock tools would go
        on to trust a key that is out of use. Refuses to write over what is not our own.
        """
        with self._bench.sources.open(directory) as folder:
            listing = folder.listing()
            folded = {name.casefold() for name in published}
            for entry in listing.refused:
                if entry.shown_name.casefold() in folded:
                    raise _in_the_way(entry.shown_name, entry.why)
            names = [entry.name for entry in listing.files]
            for name in names:
                if name.casefold() in folded and name not in published:
                    raise _in_the_way(name, "it differs from a name of ours in case only")
            if REGISTRY_NAME not in names:
                for name in sorted({*names} & {*published}):
                    if folder.read_small(name, MAX_REGISTRY_BYTES) != published[name]:
                        raise _in_the_way(name, f"it is another file, without a {REGISTRY_NAME}")
                return ()
            earlier = parse_registry(folder.read_small(REGISTRY_NAME, MAX_REGISTRY_BYTES))
        check_successor(earlier, registry)
        return tuple(n for n in names if n not in published and _is_of_keys_in_use(n, published))


def _is_of_keys_in_use(name: str, published: Mapping[str, bytes]) -> bool:
    """Whether a file is of the keys that can sign: the current key, a signature of what is."""
    signed = name.removesuffix(MINISIG_SUFFIX).removesuffix(OPENPGP_SUFFIX)
    return name == CURRENT_MINISIGN or (signed != name and signed in published)


def _in_the_way(name: str, why: str) -> PolicyRefused:
    return PolicyRefused(
        "KEY-2/in-the-way",
        f"'{safe_text(name, limit=200)}' in the folder is in the way: {why}.",
        "Look at it and move it away, or give the folder that the keys were published in before.",
        unchanged="Nothing was written.",
    )


def _outcome(state: PublishState) -> Outcome:
    lines = (
        Line(state.directory, label="folder"),
        *(Line(name, label="written", mark=Mark.OK) for name in state.written),
    )
    data = {"directory": state.directory, "files": list(state.written)}
    return Outcome((Page("Published keys", lines),), data)
