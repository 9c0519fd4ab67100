"""Rotate a signing key: a ceremony around one point of no return (KEY-3, KEY-4).

The new key is made, opened again, proved and compared before anything depends on it. Then
one step signs the transition statement with the old key, the new key and the key of the
other system, and stores the registry in which the new key signs and the old one is retired.
Up to there the new key can be discarded; the old key's secret stays in the vault for ever.
"""

import hashlib
from collections.abc import Callable, Collection, Sequence
from datetime import date
from typing import Any, Final

import msgspec

from pai_signer.domain.ceremony import Result
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey, Registry
from pai_signer.domain.revocation import check_certificate_wanted
from pai_signer.domain.transition import Transition, transition_of
from pai_signer.domain.transition_texts import (
    render_release_note,
    render_security_page,
    render_site_values,
    repository_files,
)
from pai_signer.errors import PolicyRefused, UsageError
from pai_signer.workflows.ceremony.closing import close_given_up, closing
from pai_signer.workflows.ceremony.comparing import CompareKey
from pai_signer.workflows.ceremony.frame import Plan, ScriptState, TranscriptRecorder, print_script
from pai_signer.workflows.ceremony.opening import opening
from pai_signer.workflows.engine import (
    Answer,
    Automatic,
    Outcome,
    Question,
    Step,
    TypedText,
    Workflow,
)
from pai_signer.workflows.keys.compromise_papers import papers_facts
from pai_signer.workflows.keys.ending_key import apply_revocation, ended_registry
from pai_signer.workflows.keys.key_dates import NOT_COMPARED, check_clock, has_expired
from pai_signer.workflows.keys.new_keys import results_of
from pai_signer.workflows.keys.rotation_backups import (
    backup_results,
    backup_script,
    backup_steps,
    held_lines,
)
from pai_signer.workflows.keys.rotation_compromise import (
    awaited_key,
    check_can_follow,
    compromise_steps,
    old_key,
    papers_to_store,
)
from pai_signer.workflows.keys.rotation_steps import (
    Explain,
    Generate,
    MinisignPassphrase,
    NewPassphrase,
    OpenPgpPassphrase,
    Prove,
    RotateStep,
    is_registered,
    strays_of,
)
from pai_signer.workflows.keys.rotation_system import (
    NEW,
    REASONS,
    Reason,
    RotatedSystem,
    RotateState,
)
from pai_signer.workflows.keys.sign_registry import sign_and_store
from pai_signer.workflows.keys.sign_with_all import HELD_UNDER
from pai_signer.workflows.keys.transition_statement import signed_transition
from pai_signer.workflows.pick_directory import given_directory
from pai_signer.workflows.workbench import Workbench

ROTATED: Final = "key.rotated"
DISCARDED: Final = "key.rotation-discarded"

RELEASE_NOTE: Final = "release-note.md"
SECURITY_PAGE: Final = "security-page.md"
SITE_VALUES: Final = "site-values.txt"
REPOSITORY_FILES: Final = "repository-files.txt"

#: A key is named by its ID; of a fingerprint, that many of its last digits.
CONFIRMED_DIGITS: Final = 16


def rotation(system: RotatedSystem, reason: Reason, certificate: str = "") -> Workflow[RotateState]:
    """Build the ceremony; ``PolicyRefused`` where there is no key to rotate, or one expired.

    ``certificate`` is the path of a revocation that was prepared, for a compromised OpenPGP
    key whose secret or passphrase is lost.
    """
    bench, plan = system.bench, system.plan(reason)
    recorder: TranscriptRecorder[RotateState] = TranscriptRecorder(
        bench.clock, keeps=("old", "was_revoked", "strays_before", "new")
    )
    workflow = Workflow(
        name=plan.name,
        key=reason,
        title=plan.title,
        start=RotateState(reason=reason, certificate=given_directory(certificate)),
        steps=rotation_steps(system, plan, reason, backup_steps(system, plan)),
        outcome=lambda state: _outcome(system, state),
        discard=lambda state: _discard(system, plan, state),
        recorder=recorder,
    )
    if bench.states.load(workflow.saved_as) is None:  # else it can be resumed and discarded
        _check_can_begin(system, reason, certificate)
    return workflow


def rotation_script(system: RotatedSystem, reason: Reason) -> Workflow[ScriptState]:
    """Build the workflow that only shows the ceremony on paper."""
    plan = system.plan(reason)
    steps = rotation_steps(system, plan, reason, backup_script(system, plan))
    return print_script(system.bench, plan, steps)


def rotation_steps(
    system: RotatedSystem, plan: Plan, reason: Reason, backups: Sequence[Step[RotateState]]
) -> tuple[Step[RotateState], ...]:
    """All steps, for walking and for the printed script, which tells of ``backups`` in short."""
    before: tuple[Step[RotateState], ...] = opening(system.bench, plan)
    after: tuple[Step[RotateState], ...] = closing(system.bench, plan)
    compare: Step[RotateState] = CompareKey(
        system.bench, f"new {system.key_name}", lambda state: system.compared_hex(state.made)
    )
    ending, applying = (
        compromise_steps(system, _over(system)) if reason == "compromised" else ((), ())
    )
    rotate = _RotateAway(system, plan) if reason == "compromised" else _Rotate(system, plan)
    return (
        *before,
        Explain(system, plan),
        *ending,
        MinisignPassphrase(system),
        OpenPgpPassphrase(system),
        NewPassphrase(system),
        Generate(system),
        Prove(system),
        compare,
        *backups,
        rotate,
        *applying,
        *after,
    )


def _check_can_begin(system: RotatedSystem, reason: Reason, certificate: str) -> None:
    """There is a key to rotate, and no key that has to sign is past its expiry."""
    registry = system.bench.registry()
    old = old_key(registry, system.algorithm, reason)
    if old is None:
        raise _nothing_to_rotate(system, awaited_key(registry, system.algorithm))
    if reason == "compromised":
        check_can_follow(registry, old)
    if certificate:
        check_certificate_wanted(old, "compromised" if reason == "compromised" else "retired")
    openpgp = registry.signing_key(Algorithm.OPENPGP)
    ends = reason == "compromised" and openpgp == old
    if openpgp is not None and not ends and has_expired(openpgp, system.bench.clock.now()):
        raise PolicyRefused(
            "POL-6/expired",
            f"The OpenPGP key {openpgp.id} expired on {openpgp.expires_at:%Y-%m-%d}; it has to "
            "sign that a new key takes over.",
            "Extend it first: pai-signer key extend",
        )


def _nothing_to_rotate(system: RotatedSystem, awaited: RegisteredKey | None) -> PolicyRefused:
    if awaited is None:
        hint = "Generate the first key: pai-signer key generate"
    else:
        name = HELD_UNDER[system.algorithm]
        hint = f"{awaited.id} is compromised: pai-signer key rotate {name} --reason compromised"
    return PolicyRefused(
        "KEY-3/nothing-to-rotate",
        f"There is no active {system.key_name} whose place a new one could take.",
        hint,
    )


def _over(system: RotatedSystem) -> Callable[[RotateState], bool]:
    return lambda state: state.rotated or is_registered(system.bench.registry(), state)


class _Rotate(RotateStep):
    """Statement, registry: from here on the new key signs."""

    id = "rotate"
    title = "Rotate"
    commit_point = True
    in_script = (
        "Three keys sign the statement: the old one, the new one and the key of the other "
        "system. The new key is registered, the old one is retired.",
    )
    blanks = ("ID of the new key", "ID of the old key, typed")

    def __init__(self, system: RotatedSystem, plan: Plan) -> None:
        super().__init__(system)
        self._plan = plan

    def done(self, state: RotateState) -> bool:
        return state.rotated

    def question(self, state: RotateState) -> Question:
        if self._is_over(state):
            return Automatic("rotate")
        old = state.old[-CONFIRMED_DIGITS:]
        return TypedText(
            "confirm",
            f"From now on {state.made.id} signs. Type the ID of the key that ends, {old}",
            must_equal=old,
            refusal=UsageError(
                "KEY-3/not-confirmed",
                "The rotation was not confirmed.",
                f"Confirm it (--confirm {old}), or discard the ceremony: then the new key "
                "is removed.",
            ),
        )

    def act(self, state: RotateState, answer: Answer, progress: Progress) -> RotateState:
        if not self._is_over(state):
            self._carry_out(state)
        progress.say(Line("the registry is signed; the new key is in use", mark=Mark.OK))
        results = (
            *results_of(state.made),
            Result(what="retired", text=state.old),
            *backup_results(state),
        )
        return msgspec.structs.replace(state, rotated=True, results=results)

    def _carry_out(self, state: RotateState) -> None:
        try:
            self._sign(state)
        finally:  # whatever happened, secrets are asked again
            self._bench.session.wipe()

    def _sign(self, state: RotateState) -> None:
        bench, system, new = self._bench, self._system, state.made
        self._check_ground(state)
        now = bench.clock.now()
        registry = ended_registry(bench, state, now) if state.ends else bench.registry()
        following = system.following(registry, new, reason=REASONS[state.reason], now=now)
        statement = transition_of(following, new.id, now.date())
        held = {
            state.old: HELD_UNDER[system.algorithm],
            new.id: NEW,
            statement.other: HELD_UNDER[system.other],
        }
        files = signed_transition(bench, following, statement, held)
        papers = papers_to_store(bench, following, state, system.held_after)
        # Before the registry: what is registered has its statement, whatever crashes.
        texts = _texts(following, statement, papers)
        pasted = {name: text.encode() for name, text in texts.items()}
        bench.ceremonies.save(state.ceremony, {**files, **papers, **pasted})
        facts: dict[str, Any] = {
            "algorithm": statement.algorithm.value,
            "old": statement.old.id,
            "new": statement.new.id,
            "reason": statement.reason,
            "ceremony": state.ceremony,
            "statement": statement.name,
            "statement_sha256": hashlib.sha256(files[statement.name]).hexdigest(),
            "command": self._plan.command,
        }
        if papers:
            facts |= papers_facts(state.ceremony, papers)
        sign_and_store(bench, following, ROTATED, facts, held_under=system.held_after)

    def _check_ground(self, state: RotateState) -> None:
        """Clock and registry once more: days and other ceremonies may lie in between."""
        check_clock(
            self._bench,
            NOT_COMPARED,
            last_step=state.taken[-1].at,
            looked_at=state.clock_looked_at,
        )
        old = old_key(self._bench.registry(), self._system.algorithm, state.reason)
        if old is None or (old.id, not old.can_sign) != (state.old, state.was_revoked):
            raise PolicyRefused(
                "KEY-3/overtaken",
                f"The key {state.old} is not what it was when this ceremony began: another "
                "ceremony took place in between.",
                "Discard this ceremony: then the new key that it made is removed.",
            )


class _RotateAway(_Rotate):
    """As a rotation, but the old key is compromised: it signs nothing (KEY-5)."""

    in_script = (
        "The new key and the key of the other system sign the statement, the notice and the "
        "list of releases that stay good. The new key is registered, the old one is revoked.",
    )


def _texts(registry: Registry, statement: Transition, papers: Collection[str]) -> dict[str, str]:
    """What is ready to paste, by file name."""
    names = sorted({*repository_files(registry, statement), *papers})
    return {
        RELEASE_NOTE: render_release_note(statement),
        SECURITY_PAGE: render_security_page(statement),
        SITE_VALUES: render_site_values(registry),
        REPOSITORY_FILES: "".join(f"keys/public/{name}\n" for name in names),
    }


def _discard(system: RotatedSystem, plan: Plan, state: RotateState) -> None:
    """A key that was made and never registered is in nobody's use: remove it."""
    if not state.old:
        return  # nothing can have been made yet
    if is_registered(system.bench.registry(), state):
        apply_revocation(system.bench, state)  # the registry decides: there is no way back
        close_given_up(system.bench, plan, state)
        return
    made = strays_of(system, state)
    for key_id in made:
        system.discard(key_id)
    system.bench.ceremonies.delete(state.ceremony)
    if made:  # a crash may have come between the entry of the rotation and the registry
        facts = {"algorithm": system.algorithm.value, "old": state.old, "removed": list(made)}
        system.bench.journal.append(DISCARDED, {**facts, "ceremony": state.ceremony})


def _outcome(system: RotatedSystem, state: RotateState) -> Outcome:
    bench = system.bench
    registry = bench.registry()
    new = registry.find(state.made.id)
    files = bench.ceremonies.load(state.ceremony)
    statement = transition_of(registry, new.id, date.min).name
    lines = (
        *system.described(new),
        Line(state.old, label=registry.find(state.old).life.value),
        Line(state.ceremony, label="ceremony"),
        *held_lines(state),
        Line(),
        Line("Next: publish the keys (key publish DIR)."),
        *_wanted_backups(bench, new),
        Line("The following pages are ready to paste; they are kept with the ceremony."),
    )
    pages = [Page("Rotated", lines)]
    texts = {
        name: files[name].decode()
        for name in (RELEASE_NOTE, SECURITY_PAGE, SITE_VALUES, REPOSITORY_FILES)
    }
    for name, text in texts.items():
        pages.append(Page(name, tuple(Line(line) for line in text.splitlines())))
    data = {
        "old": state.old,
        "new": new.id,
        "public_key": new.public_key,
        "ceremony": state.ceremony,
        "backups": [
            {"custodian": b.custodian, "medium": b.medium.uuid, "set": b.set_number}
            for b in state.backups
        ],
        "statement": statement,
        "texts": texts,
        "registry_serial": registry.serial,
    }
    return Outcome(tuple(pages), data)


def _wanted_backups(bench: Workbench, new: RegisteredKey) -> tuple[Line, ...]:
    """What the custodians still have to do before the new key may sign (POL-7)."""
    status = bench.ledger().custody_of(new.id, bench.profile.custody, bench.clock.now())
    if status.is_enough:
        return ()
    text = "Each custodian backs the new key up: backup create --custodian NAME DEST."
    return (Line(text), Line(status.text, label="custody", mark=Mark.WARN))
