"""Compare a vault's journal with the one on a backup medium; nothing is changed (CUS-4, JRN-2).

A journal that was rolled back or written anew cannot show that by itself: each backup holds
it as it was then.
"""

from collections.abc import Sequence

import msgspec

from pai_signer.domain.journal import JournalEntry
from pai_signer.domain.noted_head import missing_from
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm
from pai_signer.errors import JournalTampered, UntrustedKey
from pai_signer.workflows.custody.restorable import Restorable, read_sets, restorable
from pai_signer.workflows.custody.restore_state import not_new
from pai_signer.workflows.engine import Answer, Automatic, Outcome, Question, Step, Workflow
from pai_signer.workflows.pick_directory import DirectoryState, PickMedium, TypeFolder
from pai_signer.workflows.workbench import Workbench

PURPOSE = "Which medium holds the backup?"


class CompareState(DirectoryState, frozen=True, kw_only=True):
    """Where it stands; ``number`` is the set that was compared, ``entry`` its last entry."""

    number: int = 0
    entry: int = 0
    behind: int = 0


def compare_backup(bench: Workbench, directory: str) -> Workflow[CompareState]:
    """Build the workflow; its outcome refuses to restore, and says how the journals compare."""
    return Workflow(
        name="compare-backup",
        key="",
        title="Compare with a backup",
        start=CompareState(directory=directory),
        steps=(
            PickMedium(bench.media, PURPOSE, read_only=True),
            TypeFolder(PURPOSE),
            _Compare(bench),
        ),
        outcome=_outcome,
    )


class _Compare(Step[CompareState]):
    """Read the newest set, then go through both journals entry by entry."""

    id = "compare"
    title = "Compare the journals"
    unchanged = "The vault was left as it is, and the medium was only read."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: CompareState) -> bool:
        return state.entry > 0

    def question(self, state: CompareState) -> Question:
        return Automatic("compare")

    def act(self, state: CompareState, answer: Answer, progress: Progress) -> CompareState:
        progress.say(Line("reading the medium, all three copies"))
        read = restorable(self._bench, read_sets(self._bench, state.directory, progress)[0])
        check_known_signer(self._bench, read)
        behind = check_not_rolled_back(self._bench.journal.entries(), read.entries)
        return msgspec.structs.replace(
            state, number=read.facts.number, entry=len(read.entries), behind=behind
        )


def check_known_signer(bench: Workbench, read: Restorable) -> None:
    """A key that this vault's registry knows has to have signed the set."""
    known = {key.id: key.public_key for key in bench.registry().keys}
    for algorithm in Algorithm:
        key = read.registry.signing_key(algorithm)
        if key is None or key.id not in known:
            continue
        if algorithm is Algorithm.OPENPGP or known[key.id] == key.public_key:
            return
    raise UntrustedKey(
        "CUS-4/unknown-signer",
        "No key that this vault knows signed the backup on this medium.",
        "It is another project's, or somebody made it up. Use a medium of yours.",
    )


def check_not_rolled_back(mine: Sequence[JournalEntry], theirs: Sequence[JournalEntry]) -> int:
    """How many entries the vault's journal has behind the medium's last one.

    ``JournalTampered`` where the two differ, or the medium's goes on further.
    """
    missing = missing_from(mine, theirs)
    if missing > 0:
        raise JournalTampered(
            "CUS-4/rolled-back",
            f"The backup knows {missing} entries that this vault's journal lacks: the journal "
            "was rolled back, or the vault is an old copy.",
            "Do not sign. Find out which vault is the newest one; restore from the newest backup "
            "into a new vault if none is.",
        )
    return -missing


def _outcome(state: CompareState) -> Outcome:
    refusal = not_new()
    lines = (
        Line(f"set {state.number:06}, journal up to entry {state.entry}", label="medium"),
        Line("the vault's journal holds each of its entries", label="compared", mark=Mark.OK),
        Line(f"{state.behind} entries since", label="vault"),
        Line(),
        Line(refusal.summary),
    )
    data = {"set": state.number, "entry": state.entry, "entries_since": state.behind}
    return Outcome((Page("Compared, not restored", lines),), data, refusal=refusal)
