"""The steps of a rotation up to its point of no return (KEY-3, KEY-4).

The new key is made, or taken in where a killed run had made it; it is opened again, signs,
and is verified before anything depends on it.
"""

from collections.abc import Sequence
from typing import ClassVar, cast

import msgspec

from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey, Registry
from pai_signer.domain.secret import Secret
from pai_signer.workflows.ceremony.frame import Plan
from pai_signer.workflows.ceremony.opening import was_clock_compared
from pai_signer.workflows.engine import (
    YES,
    Answer,
    Automatic,
    Proceed,
    Question,
    SecretText,
    Step,
)
from pai_signer.workflows.keys.key_dates import NOT_COMPARED, check_clock
from pai_signer.workflows.keys.new_passphrase import IN_SCRIPT, new_passphrase
from pai_signer.workflows.keys.rotation_compromise import (
    old_key,
)
from pai_signer.workflows.keys.rotation_system import (
    NEW,
    NEW_PHRASE,
    REASONS,
    RotatedSystem,
    RotateState,
)
from pai_signer.workflows.keys.sign_with_all import HELD_UNDER
from pai_signer.workflows.workbench import Workbench


class RotateStep(Step[RotateState]):
    """What the steps of the rotation share."""

    unchanged = "The old key is still the one that signs; the registry was not changed."

    def __init__(self, system: RotatedSystem) -> None:
        self._system = system
        self._bench = system.bench

    def _is_over(self, state: RotateState) -> bool:
        """The registry decides: a crash may have come right after it was stored."""
        return state.rotated or is_registered(self._bench.registry(), state)

    def _old(self, state: RotateState) -> RegisteredKey:
        old = old_key(self._bench.registry(), self._system.algorithm, state.reason)
        if old is None:
            raise RuntimeError("the key to rotate is gone")
        return old

    def _left_by_a_crash(self, state: RotateState) -> str | None:
        """A key that this run made and was killed before it could say so."""
        made = strays_of(self._system, state)
        return next((key_id for key_id in made if self._system.is_whole(key_id)), None)


def is_registered(registry: Registry, state: RotateState) -> bool:
    """Whether the new key stands in the registry: then there is no way back."""
    return state.new is not None and any(key.id == state.new.id for key in registry.keys)


def wants_backups(bench: Workbench, state: RotateState) -> bool:
    """Whether another custodian is to hold the new key before it is in use (KEY-3).

    As many as the profile asks for, once anybody holds a backup at all.
    """
    return (
        not state.backups_skipped
        and len(state.backups) < bench.profile.custody.custodians
        and bool(bench.ledger().custodians())
    )


def strays_of(system: RotatedSystem, state: RotateState) -> tuple[str, ...]:
    """Unregistered keys of this run's making, whole or not."""
    known = {key.id for key in system.bench.registry().of(system.algorithm)}
    return system.strays({*known, *state.strays_before})


class Explain(RotateStep):
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
            strays_before=strays_of(self._system, state),
            explained=True,
        )


class _Passphrase(RotateStep):
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
            self._bench.session.drop(NEW_PHRASE)
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


class MinisignPassphrase(_PassphraseInUse):
    """The minisign key signs the registry, and if it is the old one the statement."""

    id = "passphrase-minisign"
    title = "Passphrase of the minisign key"
    _algorithm = Algorithm.MINISIGN
    _name = HELD_UNDER[Algorithm.MINISIGN]


class OpenPgpPassphrase(_PassphraseInUse):
    """The same for the OpenPGP key."""

    id = "passphrase-gpg"
    title = "Passphrase of the OpenPGP key"
    _algorithm = Algorithm.OPENPGP
    _name = HELD_UNDER[Algorithm.OPENPGP]


class NewPassphrase(_Passphrase):
    """Of the key to make, or of the one that this run has made."""

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
        session, passphrase = self._bench.session, cast("Secret", answer)
        if wants_backups(self._bench, state):
            # What is held as NEW is the opened key as soon as it can be.
            session.hold(NEW_PHRASE, Secret(bytearray(passphrase.reveal())))
        if state.new is None:
            session.hold(NEW, passphrase)
        else:
            self._hold(state.new, passphrase)
        return state


class Generate(RotateStep):
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
                for cut_short in strays_of(system, state):
                    system.discard(cut_short)
                new = system.make(passphrase)
        progress.say(Line(new.id, label="new key", mark=Mark.OK))
        return msgspec.structs.replace(state, new=new)


class Prove(RotateStep):
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
