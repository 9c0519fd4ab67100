"""Rotate the minisign key (KEY-3): a ceremony around one point of no return.

The new key is made, opened again, proved and compared before anything depends on it. Then
one step signs the transition statement with the old key, the new key and the OpenPGP key,
and stores the registry in which the new key signs and the old one is retired. Up to there
the new key can be discarded; the old key's encrypted file stays in the vault for ever.
"""

import hashlib
from collections.abc import Sequence
from datetime import date
from typing import ClassVar, Final, Literal, cast

import msgspec

from pai_signer.domain.minisig import parse_public_key, trusted_comment
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, KeyState, RegisteredKey
from pai_signer.domain.registry_rules import rotate
from pai_signer.domain.secret import Secret
from pai_signer.domain.transition import Transition, transition_of
from pai_signer.domain.transition_texts import (
    render_release_note,
    render_security_page,
    render_site_values,
    repository_files,
)
from pai_signer.errors import PolicyRefused, UsageError
from pai_signer.ports import UnlockedMinisignKey
from pai_signer.workflows.ceremony import CeremonyState, Plan, TranscriptRecorder
from pai_signer.workflows.ceremony_steps import CompareKey, closing, opening
from pai_signer.workflows.engine import (
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
from pai_signer.workflows.sign_registry import GPG, MINISIGN, sign_and_store
from pai_signer.workflows.transition_statement import signed_transition
from pai_signer.workflows.workbench import Workbench

Reason = Literal["scheduled"]

NEW: Final = "new"
ROTATED: Final = "key.rotated"
REASONS: Final[dict[Reason, str]] = {"scheduled": "scheduled rotation"}

RELEASE_NOTE: Final = "release-note.md"
SECURITY_PAGE: Final = "security-page.md"
SITE_VALUES: Final = "site-values.txt"
REPOSITORY_FILES: Final = "repository-files.txt"

PLAN: Final = Plan(
    name="rotate-minisign",
    title="Rotate the minisign key",
    purpose=(
        "A new minisign key takes the place of the one in use. The old key signs once more, "
        "to say so, and is retired: it stays published, and what it signed stays good."
    ),
    command="key rotate minisign --reason scheduled",
    materials=(
        "this script on paper, and a pen",
        "the passphrases of the minisign key and the OpenPGP key in use",
        "paper and an envelope for the new passphrase: six or more random words",
        "a clock or watch of each maintainer, set right today",
        "a medium to carry the published keys to the online machine",
    ),
)


class RotateState(CeremonyState, frozen=True, kw_only=True):
    """Where the rotation stands. ``new`` exists in the vault; it signs once ``rotated``."""

    reason: Reason = "scheduled"
    old: str = ""
    #: Unregistered keys that lay in the vault before: not of this run's making.
    strays_before: tuple[str, ...] = ()
    explained: bool = False
    new: RegisteredKey | None = None
    proved: bool = False
    rotated: bool = False


def rotate_minisign(bench: Workbench, reason: Reason = "scheduled") -> Workflow[RotateState]:
    """Build the ceremony; ``PolicyRefused`` where there is no key to rotate."""
    if bench.registry().signing_key(Algorithm.MINISIGN) is None:
        raise PolicyRefused(
            "KEY-3/nothing-to-rotate",
            "There is no active minisign key whose place a new one could take.",
            "Generate the first key: pai-signer key generate",
        )
    recorder: TranscriptRecorder[RotateState] = TranscriptRecorder(
        bench.clock, keeps=("old", "strays_before", "new")
    )
    return Workflow(
        name=PLAN.name,
        key="",
        title=PLAN.title,
        start=RotateState(reason=reason),
        steps=rotation_steps(bench),
        outcome=lambda state: _outcome(bench, state),
        discard=lambda state: _discard(bench, state),
        recorder=recorder,
    )


def rotation_steps(bench: Workbench) -> tuple[Step[RotateState], ...]:
    """All steps, for walking and for the printed script."""
    before: tuple[Step[RotateState], ...] = opening(bench, PLAN)
    after: tuple[Step[RotateState], ...] = closing(bench, PLAN)
    compare: Step[RotateState] = CompareKey(bench, "new minisign key", _key_hex)
    return (
        *before,
        _Explain(bench),
        _OldPassphrase(bench),
        _GpgPassphrase(bench),
        _NewPassphrase(bench),
        _Generate(bench),
        _Prove(bench),
        compare,
        _Rotate(bench),
        *after,
    )


def _key_hex(state: RotateState) -> str:
    return parse_public_key(_made(state).public_key).ed25519.hex()


def _made(state: RotateState) -> RegisteredKey:
    if state.new is None:
        raise RuntimeError("the new key is not made yet")
    return state.new


class _RotateStep(Step[RotateState]):
    """What the steps of the rotation share."""

    unchanged = "The old key is still the one that signs; the registry was not changed."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def _is_over(self, state: RotateState) -> bool:
        """The registry decides: a crash may have come right after it was stored."""
        if state.rotated:
            return True
        return state.new is not None and any(
            key.id == state.new.id for key in self._bench.registry().keys
        )

    def _strays(self) -> tuple[str, ...]:
        known = {key.id for key in self._bench.registry().of(Algorithm.MINISIGN)}
        return self._bench.minisign.stray(known)

    def _left_by_a_crash(self, state: RotateState) -> str | None:
        """A key that this run made and was killed before it could say so."""
        made = [key_id for key_id in self._strays() if key_id not in state.strays_before]
        return made[0] if made else None

    def _unlocked(self, name: str, line: str) -> UnlockedMinisignKey:
        """What the session holds under ``name`` as an unlocked key, and keep it so."""
        held = self._bench.session.take(name)
        if not isinstance(held, Secret):
            return cast("UnlockedMinisignKey", held)
        key = self._bench.minisign.unlock(line, held)
        self._bench.session.hold(name, key)
        return key


class _Explain(_RotateStep):
    """What will happen, before anything does."""

    id = "explain"
    title = "Read what will be done"
    in_script = ("Read aloud the ID of the key in use, and compare it with the website.",)
    blanks = ("ID of the key in use",)

    def done(self, state: RotateState) -> bool:
        return state.explained

    def pages(self, state: RotateState) -> Sequence[Page]:
        old = self._bench.registry().signing_key(Algorithm.MINISIGN)
        lines = (
            Line(old.id if old else "", label="key in use"),
            Line(f"{old.created_at:%Y-%m-%d}" if old else "", label="made on"),
            Line("Ed25519, passphrase hashed with 1 GiB of memory", label="new key"),
            Line(REASONS[state.reason], label="reason"),
            Line(),
            Line("The new key gets a passphrase of its own: six or more random words."),
            Line("Until the point of no return the new key can be discarded."),
        )
        return (Page(PLAN.title, lines),)

    def question(self, state: RotateState) -> Question:
        return Proceed("explain", "Go on?")

    def act(self, state: RotateState, answer: Answer, progress: Progress) -> RotateState:
        if state.old:  # walked back to: what was made since is of this run
            return msgspec.structs.replace(state, explained=True)
        old = self._bench.registry().signing_key(Algorithm.MINISIGN)
        if old is None:
            raise RuntimeError("the key to rotate is gone")
        return msgspec.structs.replace(
            state, old=old.id, strays_before=self._strays(), explained=True
        )


class _Passphrase(_RotateStep):
    """A passphrase, tried at once; in memory until the point of no return is behind."""

    _name: ClassVar[str]

    def done(self, state: RotateState) -> bool:
        return self._is_over(state) or self._name in self._bench.session


class _OldPassphrase(_Passphrase):
    id = "passphrase-minisign"
    title = "Passphrase of the key in use"
    in_script = ("Whoever holds it types it. Nobody else looks at the keyboard.",)
    _name = MINISIGN

    def question(self, state: RotateState) -> Question:
        return SecretText(MINISIGN, f"Passphrase of the minisign key {state.old}")

    def act(self, state: RotateState, answer: Answer, progress: Progress) -> RotateState:
        old = self._bench.registry().find(state.old)
        self._bench.session.hold(
            MINISIGN, self._bench.minisign.unlock(old.public_key, cast("Secret", answer))
        )
        return state


class _GpgPassphrase(_Passphrase):
    id = "passphrase-gpg"
    title = "Passphrase of the OpenPGP key"
    in_script = ("Whoever holds it types it. Nobody else looks at the keyboard.",)
    _name = GPG

    def done(self, state: RotateState) -> bool:
        return super().done(state) or self._key() is None

    def _key(self) -> RegisteredKey | None:
        return self._bench.registry().signing_key(Algorithm.OPENPGP)

    def question(self, state: RotateState) -> Question:
        key = self._key()
        return SecretText(GPG, f"Passphrase of the OpenPGP key {key.id if key else ''}")

    def act(self, state: RotateState, answer: Answer, progress: Progress) -> RotateState:
        key, passphrase = self._key(), cast("Secret", answer)
        if key is not None:
            self._bench.openpgp.prove(key.id, passphrase)
        self._bench.session.hold(GPG, passphrase)
        return state


class _NewPassphrase(_Passphrase):
    id = "passphrase-new"
    title = "Passphrase of the new key"
    in_script = (
        "Write six or more random words on paper, then type them twice. Put the paper into the "
        "envelope and seal it.",
    )
    _name = NEW

    def question(self, state: RotateState) -> Question:
        if state.new is not None or self._left_by_a_crash(state):
            return SecretText(NEW, "Passphrase of the new minisign key that was just made")
        return SecretText(NEW, "Passphrase for the new minisign key", twice=True)

    def act(self, state: RotateState, answer: Answer, progress: Progress) -> RotateState:
        passphrase = cast("Secret", answer)
        if state.new is None:
            self._bench.session.hold(NEW, passphrase)
        else:
            key = self._bench.minisign.unlock(state.new.public_key, passphrase)
            self._bench.session.hold(NEW, key)
        return state


class _Generate(_RotateStep):
    """Make the new key, or take in the one that a killed run had made: never a second one."""

    id = "generate"
    title = "Make the new key"
    in_script = ("The program makes it; this takes some seconds and 1 GiB of memory.",)

    def done(self, state: RotateState) -> bool:
        return state.new is not None

    def question(self, state: RotateState) -> Question:
        return Automatic("generate")

    def act(self, state: RotateState, answer: Answer, progress: Progress) -> RotateState:
        bench = self._bench
        progress.say(Line("minisign key: this takes some seconds and 1 GiB of memory"))
        left = self._left_by_a_crash(state)
        with bench.session.lending(NEW) as held:
            passphrase = cast("Secret", held)
            if left is not None:
                line = bench.minisign.adopt(left, passphrase)
            else:
                line = bench.minisign.generate(passphrase)
        new = RegisteredKey(
            algorithm=Algorithm.MINISIGN,
            id=parse_public_key(line).shown_id,
            public_key=line,
            state=KeyState.REHEARSAL if bench.info.rehearsal else KeyState.ACTIVE,
            created_at=bench.clock.now(),
        )
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
        bench, new = self._bench, _made(state)
        key = self._unlocked(NEW, new.public_key)
        digest = hashlib.blake2b(f"proof of {new.id}".encode()).digest()
        comment = trusted_comment(bench.comment_project, "proof", "proof")
        signature = key.sign_prehashed(digest, comment)
        bench.verifiers.minisign.verify(signature, digest, new.public_key)
        progress.say(Line("the new key signs, and its signature verifies", mark=Mark.OK))
        return msgspec.structs.replace(state, proved=True)


class _Rotate(_RotateStep):
    """Statement, registry: from here on the new key signs."""

    id = "rotate"
    title = "Rotate"
    commit_point = True
    in_script = (
        "Three keys sign the statement: the old, the new and the OpenPGP key. The new key is "
        "registered, the old one is retired.",
    )
    blanks = ("ID of the new key", "ID of the old key, typed")

    def done(self, state: RotateState) -> bool:
        return state.rotated

    def question(self, state: RotateState) -> Question:
        if self._is_over(state):
            return Automatic("rotate")
        return TypedText(
            "confirm",
            f"From now on {_made(state).id} signs. Type the ID of the key that ends, {state.old}",
            must_equal=state.old,
            refusal=UsageError(
                "KEY-3/not-confirmed",
                "The rotation was not confirmed.",
                f"Confirm it (--confirm {state.old}), or discard the ceremony: then the new key "
                "is removed.",
            ),
        )

    def act(self, state: RotateState, answer: Answer, progress: Progress) -> RotateState:
        if not self._is_over(state):
            self._carry_out(state)
        progress.say(Line("the registry is signed; the new key is in use", mark=Mark.OK))
        return msgspec.structs.replace(state, rotated=True)

    def _carry_out(self, state: RotateState) -> None:
        bench, new, now = self._bench, _made(state), self._bench.clock.now()
        following = rotate(bench.registry(), new, reason=REASONS[state.reason], now=now)
        statement = transition_of(following, new.id, now.date())
        old = following.find(state.old)
        try:
            self._unlocked(MINISIGN, old.public_key)
            self._unlocked(NEW, new.public_key)
            held = {state.old: MINISIGN, new.id: NEW, statement.other: GPG}
            files = signed_transition(bench, following, statement, held)
        except BaseException:  # whatever happened, secrets are asked again
            bench.session.wipe()
            raise
        # Before the registry: what is registered has its statement, whatever crashes.
        texts = {
            RELEASE_NOTE: render_release_note(statement),
            SECURITY_PAGE: render_security_page(statement),
            SITE_VALUES: render_site_values(following),
            REPOSITORY_FILES: "".join(
                f"keys/public/{name}\n" for name in repository_files(following, statement)
            ),
        }
        pasted = {name: text.encode() for name, text in texts.items()}
        bench.ceremonies.save(state.ceremony, {**files, **pasted})
        sign_and_store(
            bench,
            following,
            ROTATED,
            _facts(state, statement, hashlib.sha256(files[statement.name]).hexdigest()),
            held_under={Algorithm.MINISIGN: NEW, Algorithm.OPENPGP: GPG},
        )


def _facts(state: RotateState, statement: Transition, sha256: str) -> dict[str, str]:
    return {
        "algorithm": statement.algorithm.value,
        "old": statement.old.id,
        "new": statement.new.id,
        "reason": statement.reason,
        "ceremony": state.ceremony,
        "statement": statement.name,
        "statement_sha256": sha256,
        "command": f"key rotate minisign --reason {state.reason}",
    }


def _discard(bench: Workbench, state: RotateState) -> None:
    """A key that was made and never registered is in nobody's use: remove it."""
    if not state.old:
        return  # nothing can have been made yet
    known = {key.id for key in bench.registry().of(Algorithm.MINISIGN)}
    if state.new is not None and state.new.id in known:
        return  # the registry decides: there is no way back
    for key_id in bench.minisign.stray({*known, *state.strays_before}):
        bench.minisign.discard_stray(key_id)
    bench.ceremonies.delete(state.ceremony)


def _outcome(bench: Workbench, state: RotateState) -> Outcome:
    new = _made(state)
    files = bench.ceremonies.load(state.ceremony)
    statement = transition_of(bench.registry(), new.id, date.min).name
    lines = (
        Line(new.id, label="new key", mark=Mark.OK),
        Line(new.public_key, label="public key"),
        Line(state.old, label="retired"),
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
        "registry_serial": bench.registry().serial,
    }
    return Outcome(tuple(pages), data)
