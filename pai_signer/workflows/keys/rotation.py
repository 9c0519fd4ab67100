"""Rotate a signing key: a ceremony around one point of no return (KEY-3, KEY-4).

The new key is made, opened again, proved and compared before anything depends on it. Then
one step signs the transition statement with the old key, the new key and the key of the
other system, and stores the registry in which the new key signs and the old one is retired.
Up to there the new key can be discarded; the old key's secret stays in the vault for ever.
"""

import hashlib
from collections.abc import Callable, Collection, Sequence
from datetime import date
from typing import Any, ClassVar, Final, cast

import msgspec

from pai_signer.domain.ceremony import Result
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey, Registry
from pai_signer.domain.revocation import check_certificate_wanted
from pai_signer.domain.secret import Secret
from pai_signer.domain.transition import Transition, transition_of
from pai_signer.domain.transition_texts import (
    render_release_note,
    render_security_page,
    render_site_values,
    repository_files,
)
from pai_signer.errors import PolicyRefused, UsageError
from pai_signer.workflows.ceremony.frame import Plan, ScriptState, TranscriptRecorder, print_script
from pai_signer.workflows.ceremony.steps import CompareKey, closing, opening, was_clock_compared
from pai_signer.workflows.engine import (
    YES,
    Answer,
    Automatic,
    Outcome,
    Proceed,
    Question,
    SecretText,
    Step,
    TypedText,
    Workflow,
)
from pai_signer.workflows.keys.compromise_papers import papers_facts
from pai_signer.workflows.keys.ending_key import apply_revocation, ended_registry
from pai_signer.workflows.keys.key_dates import NOT_COMPARED, check_clock, has_expired
from pai_signer.workflows.keys.new_keys import results_of
from pai_signer.workflows.keys.new_passphrase import IN_SCRIPT, new_passphrase
from pai_signer.workflows.keys.rotation_compromise import (
    awaited_key,
    check_can_follow,
    compromise_steps,
    old_key,
    papers_to_store,
)
from pai_signer.workflows.keys.rotation_system import (
    NEW,
    REASONS,
    Reason,
    RotatedSystem,
    RotateState,
)
from pai_signer.workflows.keys.sign_registry import HELD_UNDER, sign_and_store
from pai_signer.workflows.keys.transition_statement import signed_transition
from pai_signer.workflows.pick_directory import checked_directory

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
        start=RotateState(
            reason=reason, certificate=checked_directory(certificate) if certificate else ""
        ),
        steps=rotation_steps(system, plan, reason),
        outcome=lambda state: _outcome(system, state),
        discard=lambda state: _discard(system, state),
        recorder=recorder,
    )
    if bench.states.load(workflow.saved_as) is None:  # else it can be resumed and discarded
        _check_can_begin(system, reason, certificate)
    return workflow


def rotation_script(system: RotatedSystem, reason: Reason) -> Workflow[ScriptState]:
    """Build the workflow that only shows the ceremony on paper."""
    plan = system.plan(reason)
    return print_script(system.bench, plan, rotation_steps(system, plan, reason))


def rotation_steps(
    system: RotatedSystem, plan: Plan, reason: Reason
) -> tuple[Step[RotateState], ...]:
    """All steps, for walking and for the printed script."""
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
        _Explain(system, plan),
        *ending,
        _MinisignPassphrase(system),
        _OpenPgpPassphrase(system),
        _NewPassphrase(system),
        _Generate(system),
        _Prove(system),
        compare,
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
    return lambda state: state.rotated or _is_registered(system.bench.registry(), state)


class _RotateStep(Step[RotateState]):
    """What the steps of the rotation share."""

    unchanged = "The old key is still the one that signs; the registry was not changed."

    def __init__(self, system: RotatedSystem) -> None:
        self._system = system
        self._bench = system.bench

    def _is_over(self, state: RotateState) -> bool:
        """The registry decides: a crash may have come right after it was stored."""
        return state.rotated or _is_registered(self._bench.registry(), state)

    def _old(self, state: RotateState) -> RegisteredKey:
        old = old_key(self._bench.registry(), self._system.algorithm, state.reason)
        if old is None:
            raise RuntimeError("the key to rotate is gone")
        return old

    def _left_by_a_crash(self, state: RotateState) -> str | None:
        """A key that this run made and was killed before it could say so."""
        made = _strays_of(self._system, state)
        return next((key_id for key_id in made if self._system.is_whole(key_id)), None)


def _is_registered(registry: Registry, state: RotateState) -> bool:
    return state.new is not None and any(key.id == state.new.id for key in registry.keys)


def _strays_of(system: RotatedSystem, state: RotateState) -> tuple[str, ...]:
    """Unregistered keys of this run's making, whole or not."""
    known = {key.id for key in system.bench.registry().of(system.algorithm)}
    return system.strays({*known, *state.strays_before})


class _Explain(_RotateStep):
    """What will happen, before anything does."""

    id = "explain"
    title = "Read what will be done"
    in_script = ("Read aloud the ID of the key in use, and compare it with the website.",)
    blanks = ("ID of the key in use",)

    def __init__(self, system: RotatedSystem, plan: Plan) -> None:
        super().__init__(system)
        self._plan = plan

    def done(self, state: RotateState) -> bool:
        return state.explained

    def pages(self, state: RotateState) -> Sequence[Page]:
        old = self._old(state)
        lines = (
            Line(old.id, label="key in use" if old.can_sign else "compromised key"),
            Line(f"{old.created_at:%Y-%m-%d}", label="made on"),
            Line(self._system.made_of, label="new key"),
            Line(REASONS[state.reason], label="reason"),
            Line(),
            Line("The new key gets a passphrase of its own: six or more random words."),
            Line("Until the point of no return the new key can be discarded."),
        )
        return (Page(self._plan.title, lines),)

    def question(self, state: RotateState) -> Question:
        return Proceed("explain", "Go on?")

    def act(self, state: RotateState, answer: Answer, progress: Progress) -> RotateState:
        if state.old:  # walked back to: what was made since is of this run
            return msgspec.structs.replace(state, explained=True)
        old = self._old(state)
        return msgspec.structs.replace(
            state,
            old=old.id,
            was_revoked=not old.can_sign,
            strays_before=_strays_of(self._system, state),
            explained=True,
        )


class _Passphrase(_RotateStep):
    """A passphrase, tried at once; in memory until the point of no return is behind."""

    _name: ClassVar[str]

    def done(self, state: RotateState) -> bool:
        return self._is_over(state) or self._name in self._bench.session

    def _hold(self, key: RegisteredKey, answer: Answer) -> None:
        passphrase = cast("Secret", answer)
        try:
            opened = self._system.opened(key, passphrase)
        except BaseException:
            passphrase.wipe()
            raise
        self._bench.session.hold(self._name, opened)


class _PassphraseInUse(_Passphrase):
    """The passphrase of a key that signs now; nothing to ask where a system has none."""

    in_script = ("Whoever holds it types it. Nobody else looks at the keyboard.",)
    _algorithm: ClassVar[Algorithm]

    def _key(self, state: RotateState) -> RegisteredKey | None:
        key = self._bench.registry().signing_key(self._algorithm)
        return None if key is None or key.id == state.ends else key

    def done(self, state: RotateState) -> bool:
        return super().done(state) or self._key(state) is None

    def question(self, state: RotateState) -> Question:
        key = self._key(state)
        prompt = f"{self.title} {key.id if key else ''}"
        return SecretText(self._name, prompt)

    def act(self, state: RotateState, answer: Answer, progress: Progress) -> RotateState:
        key = self._key(state)
        if key is not None:
            self._hold(key, answer)
        return state


class _MinisignPassphrase(_PassphraseInUse):
    id = "passphrase-minisign"
    title = "Passphrase of the minisign key"
    _algorithm = Algorithm.MINISIGN
    _name = HELD_UNDER[Algorithm.MINISIGN]


class _OpenPgpPassphrase(_PassphraseInUse):
    id = "passphrase-gpg"
    title = "Passphrase of the OpenPGP key"
    _algorithm = Algorithm.OPENPGP
    _name = HELD_UNDER[Algorithm.OPENPGP]


class _NewPassphrase(_Passphrase):
    id = "passphrase-new"
    title = "Passphrase of the new key"
    in_script = (IN_SCRIPT,)
    _name = NEW

    def question(self, state: RotateState) -> Question:
        name = self._system.key_name
        if state.new is not None or self._left_by_a_crash(state):
            return SecretText(NEW, f"Passphrase of the new {name} that was just made")
        return new_passphrase(self._bench, NEW, f"Passphrase for the new {name}")

    def act(self, state: RotateState, answer: Answer, progress: Progress) -> RotateState:
        if state.new is None:
            self._bench.session.hold(NEW, cast("Secret", answer))
        else:
            self._hold(state.new, answer)
        return state


class _Generate(_RotateStep):
    """Make the new key, or take in the one that a killed run had made: never a second one."""

    id = "generate"
    title = "Make the new key"
    in_script = ("The program makes it; this takes some seconds (minisign: and 1 GiB of memory).",)

    def done(self, state: RotateState) -> bool:
        return state.new is not None

    def question(self, state: RotateState) -> Question:
        return Automatic("generate")

    def act(self, state: RotateState, answer: Answer, progress: Progress) -> RotateState:
        system = self._system
        # What is dated by a wrong clock stays so: the key's birth, and OpenPGP's signatures.
        check_clock(self._bench, YES if was_clock_compared(state) else NOT_COMPARED)
        progress.say(Line(f"{system.key_name}: this takes some seconds"))
        left = self._left_by_a_crash(state)
        with self._bench.session.lending(NEW) as held:
            passphrase = cast("Secret", held)
            if left is not None:
                new = system.adopt(left, passphrase)
            else:
                for cut_short in _strays_of(system, state):
                    system.discard(cut_short)
                new = system.make(passphrase)
        progress.say(Line(new.id, label="new key", mark=Mark.OK))
        return msgspec.structs.replace(state, new=new)


class _Prove(_RotateStep):
    """Open the stored key once more, sign with it, and verify with code that cannot sign."""

    id = "prove"
    title = "Prove the new key"
    in_script = ("The program opens the stored key, signs with it and verifies.",)

    def done(self, state: RotateState) -> bool:
        return state.proved or self._is_over(state)

    def question(self, state: RotateState) -> Question:
        return Automatic("prove")

    def act(self, state: RotateState, answer: Answer, progress: Progress) -> RotateState:
        self._system.prove(state.made, progress)
        progress.say(Line("the new key signs, and its signature verifies", mark=Mark.OK))
        return msgspec.structs.replace(state, proved=True)


class _Rotate(_RotateStep):
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
        results = (*results_of(state.made), Result(what="retired", text=state.old))
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


def _discard(system: RotatedSystem, state: RotateState) -> None:
    """A key that was made and never registered is in nobody's use: remove it."""
    if not state.old:
        return  # nothing can have been made yet
    if _is_registered(system.bench.registry(), state):
        apply_revocation(system.bench, state)  # the registry decides: there is no way back
        return
    made = _strays_of(system, state)
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
        Line(),
        Line("Next: publish the keys (key publish DIR), and make backups of the new key."),
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
        "statement": statement,
        "texts": texts,
        "registry_serial": registry.serial,
    }
    return Outcome(tuple(pages), data)
