"""Restore a workstation from a backup medium alone (CUS-4).

Into a new vault only. Where there is one with a life of its own, the medium's journal is
compared with it, and nothing is changed.
"""

from collections.abc import Iterator
from typing import Any

from pai_signer.domain.history import read_history
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.workflows.custody.compare_journal import compare_backup
from pai_signer.workflows.custody.restorable import Restorable
from pai_signer.workflows.custody.restore_keys import Restore, RestoreMinisign, RestoreOpenPgp
from pai_signer.workflows.custody.restore_look import (
    AskHead,
    AskSecond,
    ChooseSet,
    ConfirmMinisign,
    ConfirmOpenPgp,
    Look,
)
from pai_signer.workflows.custody.restore_state import NAME, MediaRead, RestoreState
from pai_signer.workflows.engine import Outcome, Workflow
from pai_signer.workflows.pick_directory import PickMedium, TypeFolder, given_directory
from pai_signer.workflows.workbench import Workbench

PURPOSE = "Which medium holds the backup?"


def restore_backup(bench: Workbench, directory: str = "") -> Workflow[Any]:
    """Build the workflow that restores, or, for a vault with keys, the one that compares."""
    place = given_directory(directory)
    if bench.registry_store.load() and not bench.states.load(NAME):
        return compare_backup(bench, place)
    media = MediaRead(bench)
    return Workflow(
        name=NAME,
        key="",
        title="Restore from a backup",
        start=RestoreState(directory=place),
        steps=(
            PickMedium(bench.media, PURPOSE, read_only=True),
            TypeFolder(PURPOSE),
            Look(bench, media),
            ChooseSet(bench, media),
            ConfirmOpenPgp(bench, media),
            ConfirmMinisign(bench, media),
            AskSecond(bench, media),
            AskHead(bench, media),
            RestoreMinisign(bench, media),
            RestoreOpenPgp(bench, media),
            Restore(bench, media),
        ),
        outcome=lambda state: _outcome(media.newest(state), state),
        discard=lambda _state: _discard(bench),
    )


def _discard(bench: Workbench) -> None:
    """Keys that were taken in and never registered are in nobody's use: remove them."""
    if bench.registry_store.load() or len(bench.journal.entries()) > 1:
        return  # restored; or a crash came in between, and the same command goes on
    for key_id in bench.minisign.stray(()):
        bench.minisign.discard_stray(key_id)
    for fingerprint in bench.openpgp.stray(()):
        bench.openpgp.discard(fingerprint)
        bench.revocations.delete(fingerprint)


def _outcome(newest: Restorable, state: RestoreState) -> Outcome:
    releases = read_history(newest.entries).releases
    last = releases[-1].version if releases else "none"
    lines = [
        *(Line(key_id, label="key", mark=Mark.OK) for key_id in state.imported),
        *_not_restored(newest, state),
        *_rotated_since(state),
        Line(state.revocations or "none", label="revocations"),
        Line(f"{len(newest.entries)} entries, taken over", label="journal", mark=Mark.OK),
        Line(last, label="last release"),
        *_journal_lines(newest, state),
        Line(),
        Line("The passphrases of the vault are now the custodian's own, as on the medium."),
        Line(
            "Next: give the second custodian a new backup, with passphrases of their own "
            "(backup create), and prove it. The next bundle has to be a full one."
        ),
    ]
    data = {
        "keys": list(state.imported),
        "registry_serial": newest.registry.serial,
        "journal_entries": len(newest.entries),
        "journal_compared": bool(state.head),
        "missing_entries": state.missing,
        "rotated_since": list(state.rotated_since),
        "last_release": releases[-1].version if releases else None,
        "revocations": state.revocations,
    }
    return Outcome((Page("The workstation is restored", tuple(lines)),), data)


def _not_restored(newest: Restorable, state: RestoreState) -> Iterator[Line]:
    for key in newest.registry.keys:
        is_signing = newest.registry.signing_key(key.algorithm) == key
        if is_signing and key.id not in state.imported:
            yield Line(f"{key.id} is not on this medium", label="key", mark=Mark.FAIL)


def _rotated_since(state: RestoreState) -> Iterator[Line]:
    """A key that ended after this set was made signs no more, whatever this registry says."""
    for number in state.rotated_since:
        yield Line(f"A KEY WAS ROTATED SINCE (set {number:06})", label="key", mark=Mark.FAIL)
        yield Line(
            "What was restored is the OLD key: do not sign with it. Restore from a backup that "
            "was made after the rotation, or rotate the key again."
        )


def _journal_lines(newest: Restorable, state: RestoreState) -> Iterator[Line]:
    """What this journal may lack; signing asks for a reason until a release is signed anew."""
    end = newest.entries[-1]
    if state.missing:
        yield Line(f"{state.missing} ENTRIES ARE MISSING", label="journal", mark=Mark.FAIL)
    elif not state.head:
        yield Line("nobody knows whether it is the newest", label="journal", mark=Mark.WARN)
    else:
        return
    yield Line(
        f"Any release signed after {end.time:%Y-%m-%d %H:%M} UTC is not in it: look up what is "
        "published before you sign. POL-3 asks for that (--waive POL-3=REASON)."
    )
