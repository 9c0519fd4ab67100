"""Take in what another workstation attested: its proofs count here too (CUS-3).

They keep their own dates, media and salts, so they count by the same rules and no longer than
where they were made. Taken in once, they are not taken in again.
"""

import hashlib

import msgspec

from pai_signer.domain.attestation import ATTESTATION_NAME, acceptable_proofs
from pai_signer.domain.custody import ATTESTATION_ACCEPTED, AcceptedFacts, AcceptedProof
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.workflows.custody.attestation_files import (
    found_attestation,
    verified_attestation,
)
from pai_signer.workflows.custody.custody_now import custody_data, custody_lines
from pai_signer.workflows.engine import Answer, Automatic, Outcome, Question, Step, Workflow
from pai_signer.workflows.keys.key_dates import NOT_COMPARED, check_clock
from pai_signer.workflows.pick_directory import (
    DirectoryState,
    PickMedium,
    TypeFolder,
    given_directory,
)
from pai_signer.workflows.workbench import Workbench

PURPOSE = "Where is the attestation?"


class AcceptState(DirectoryState, frozen=True, kw_only=True):
    """Where it stands; ``left_out`` counts proofs that were known, or of keys unknown here."""

    accepted: tuple[AcceptedProof, ...] = ()
    attestation: str = ""
    cross_check: str = ""
    left_out: int = 0


def accept_attestation(bench: Workbench, directory: str = "") -> Workflow[AcceptState]:
    """Build the workflow; no secret is needed."""
    return Workflow(
        name="accept-attestation",
        key="",
        title="Accept an attestation",
        start=AcceptState(directory=given_directory(directory)),
        steps=(
            PickMedium(bench.media, PURPOSE, read_only=True),
            TypeFolder(PURPOSE),
            _Accept(bench),
        ),
        outcome=lambda state: _outcome(bench, state),
    )


class _Accept(Step[AcceptState]):
    """Verify all of it, then journal what is new."""

    id = "accept"
    title = "Attestation"
    commit_point = True
    unchanged = "Nothing was taken into the ledger."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: AcceptState) -> bool:
        return bool(state.attestation)

    def question(self, state: AcceptState) -> Question:
        return Automatic("accept")

    def act(self, state: AcceptState, answer: Answer, progress: Progress) -> AcceptState:
        bench = self._bench
        check_clock(bench, NOT_COMPARED)
        files = found_attestation(bench, state.directory)
        attestation = verified_attestation(bench, files)
        progress.say(Line(f"{len(attestation.proofs)} proofs verified", mark=Mark.OK))
        new = acceptable_proofs(
            attestation,
            bench.registry(),
            bench.ledger(),
            bench.clock.now(),
            rehearsal=bench.info.rehearsal,
        )
        facts = AcceptedFacts(
            attestation=hashlib.sha256(files[ATTESTATION_NAME]).hexdigest(),
            proofs=new,
            command=f"backup accept {state.directory}",
        )
        bench.journal.append(ATTESTATION_ACCEPTED, msgspec.to_builtins(facts))
        return msgspec.structs.replace(
            state,
            accepted=new,
            attestation=facts.attestation,
            cross_check=attestation.cross_check.value,
            left_out=len(attestation.proofs) - len(new),
        )


def _outcome(bench: Workbench, state: AcceptState) -> Outcome:
    lines = [
        Line(
            f"{proof.custodian} on {proof.medium.shown}, {proof.key.algorithm.shown} key "
            f"{proof.key.id[-16:]}, {proof.at:%Y-%m-%d}",
            label="taken in",
            mark=Mark.OK,
        )
        for proof in state.accepted
    ]
    if state.left_out:
        lines.append(Line(f"{state.left_out}: known already, or of a key unknown here", "left out"))
    lines += [Line(state.cross_check, label="cross-check"), Line(), *custody_lines(bench)]
    data = {
        "attestation": state.attestation,
        "accepted": [
            {
                "custodian": proof.custodian,
                "key": proof.key.id,
                "medium": proof.medium.uuid,
                "at": proof.at.isoformat(),
            }
            for proof in state.accepted
        ],
        "left_out": state.left_out,
        "cross_check": state.cross_check,
        "custody": custody_data(bench),
    }
    return Outcome((Page("Attestation accepted", tuple(lines)),), data)
