"""The own steps of the ceremony in which keys are born or taken in (KEY-1, KEY-2).

Whatever is added, the new state of the registry is signed by every key that can sign then,
so the passphrases of keys that exist already are asked too.
"""

from collections.abc import Sequence
from typing import ClassVar, cast

import msgspec

from pai_signer.domain.minisig import parse_public_key
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey, with_key
from pai_signer.domain.secret import Secret
from pai_signer.ports import OpenPgpKeyInfo
from pai_signer.workflows.ceremony.comparing import CompareKey
from pai_signer.workflows.ceremony.opening import was_clock_compared
from pai_signer.workflows.engine import (
    YES,
    Answer,
    Automatic,
    Proceed,
    Question,
    SecretText,
    TypedText,
)
from pai_signer.workflows.keys.add_keys_state import (
    AddKeysState,
    AddKeysStep,
    all_strays,
    discard_strays,
    shown_id,
)
from pai_signer.workflows.keys.birth_revocations import keep_birth_revocations
from pai_signer.workflows.keys.key_dates import NOT_COMPARED, check_clock, proposed_day
from pai_signer.workflows.keys.new_keys import (
    registered_minisign,
    registered_openpgp,
    results_of,
    signing_user_id,
)
from pai_signer.workflows.keys.new_passphrase import IN_SCRIPT, OLD_IN_SCRIPT, new_passphrase
from pai_signer.workflows.keys.sign_registry import (
    ALGORITHMS,
    GPG,
    MINISIGN,
    SystemName,
    sign_and_store,
)
from pai_signer.workflows.pick_directory import checked_directory
from pai_signer.workflows.workbench import Workbench


class TypeKeyFile(AddKeysStep):
    """Where the secret key to import is."""

    id = "key-file"
    title = "Key file"
    in_script = ("Plug in the medium with the secret key, and type the path of its file.",)

    def done(self, state: AddKeysState) -> bool:
        return not state.imported or bool(state.key_file)

    def question(self, state: AddKeysState) -> Question:
        return TypedText("key-file", f"Path of the {state.systems[0]} secret key file")

    def act(self, state: AddKeysState, answer: Answer, progress: Progress) -> AddKeysState:
        return msgspec.structs.replace(state, key_file=checked_directory(str(answer)))


class Explain(AddKeysStep):
    """What will be made, before anything is."""

    id = "explain"
    title = "Read what will be done"
    in_script = ("Read the page aloud.",)

    def done(self, state: AddKeysState) -> bool:
        return state.explained

    def pages(self, state: AddKeysState) -> Sequence[Page]:
        info = self._bench.info
        lines = [Line(f"{info.maintainer_name} <{info.maintainer_email}>", label="maintainer")]
        if state.imported:
            lines.append(Line(state.key_file, label="key file"))
        elif MINISIGN in state.systems:
            lines.append(Line("Ed25519, passphrase hashed with 1 GiB of memory", label="minisign"))
        if GPG in state.systems and not state.imported:
            lines.append(Line("Ed25519 primary with a signing subkey", label="OpenPGP"))
            lines.append(Line(f"{proposed_day(self._bench)}", label="valid until"))
        if GPG in state.systems:
            lines.append(Line("superseded and compromised, made with it", label="revocations"))
        if not state.imported:
            lines += [
                Line(),
                Line("Each key gets a passphrase of its own: six or more random words."),
                Line("Write them down and keep them apart from the media."),
            ]
        lines += [Line(), Line("Until the registry is signed, everything can be discarded.")]
        title = "What will be taken in" if state.imported else "What will be made"
        return (Page(title, tuple(lines)),)

    def question(self, state: AddKeysState) -> Question:
        return Proceed("explain", "Go on?")

    def act(self, state: AddKeysState, answer: Answer, progress: Progress) -> AddKeysState:
        before = state.strays_before  # walked back to: what was made since is of this run
        if before is None:
            before = all_strays(self._bench)
        return msgspec.structs.replace(state, strays_before=before, explained=True)


# --- passphrases -----------------------------------------------------------------------------


class _Passphrase(AddKeysStep):
    """A passphrase for one system: of the key to make, or of the active one that signs along."""

    _system: ClassVar[SystemName]

    def __init__(self, bench: Workbench, start: AddKeysState) -> None:
        super().__init__(bench)
        is_new = self._system in start.systems and not start.imported
        self.in_script = (IN_SCRIPT if is_new else OLD_IN_SCRIPT,)

    def done(self, state: AddKeysState) -> bool:
        needed = self._system in state.systems or self._known(state) is not None
        return self.is_over(state) or not needed or self._system in self._bench.session

    def question(self, state: AddKeysState) -> Question:
        system, known = self._system, self._known(state)
        if known is not None and known not in state.added:
            return SecretText(system, f"Passphrase of the {system} key {known.id}")
        if known is not None or self.left_by_a_crash(state, system) is not None:
            return SecretText(system, f"Passphrase of the {system} key just added")
        if state.imported:
            return SecretText(system, f"Passphrase of the {system} key to import")
        return new_passphrase(self._bench, system, f"Passphrase for the new {system} key")

    def _known(self, state: AddKeysState) -> RegisteredKey | None:
        """The key that the passphrase has to open, if it is there already."""
        algorithm = ALGORITHMS[self._system]
        return state.key_of(algorithm) or self._bench.registry().signing_key(algorithm)


class MinisignPassphrase(_Passphrase):
    """It is tried at once where its key exists: the point of no return is no place for a slip."""

    id = "passphrase-minisign"
    title = "Passphrase of the minisign key"
    _system = MINISIGN

    def act(self, state: AddKeysState, answer: Answer, progress: Progress) -> AddKeysState:
        passphrase, known = cast("Secret", answer), self._known(state)
        if known is None:
            self._bench.session.hold(MINISIGN, passphrase)
            return state
        with passphrase:
            key = self._bench.minisign.unlock(known.public_key, passphrase)
        self._bench.session.hold(MINISIGN, key)
        return state


class GpgPassphrase(_Passphrase):
    """The same for the OpenPGP key."""

    id = "passphrase-gpg"
    title = "Passphrase of the OpenPGP key"
    _system = GPG

    def act(self, state: AddKeysState, answer: Answer, progress: Progress) -> AddKeysState:
        passphrase, known = cast("Secret", answer), self._known(state)
        if known is not None:
            self._bench.openpgp.prove(known.id, passphrase)
        self._bench.session.hold(GPG, passphrase)
        return state


# --- the keys ----------------------------------------------------------------------------------


class _AddStep(AddKeysStep):
    """What the steps that bring a key into the vault share."""

    def __init__(self, bench: Workbench, start: AddKeysState) -> None:
        super().__init__(bench)
        done = "takes it in and tries it" if start.imported else "makes it and tries it"
        self.in_script = (f"The program {done}; this takes some seconds.",)

    def _begin(self, state: AddKeysState, algorithm: Algorithm) -> None:
        """Nothing stands in the way, and what is dated will be dated right."""
        self.check_free(algorithm)
        # What is dated by a wrong clock stays so: the key's birth, and OpenPGP's signatures.
        check_clock(self._bench, YES if was_clock_compared(state) else NOT_COMPARED)


class AddMinisign(_AddStep):
    """Make or take in the minisign key, or the one that a killed run had made: never a second."""

    id = "add-minisign"
    title = "The minisign key"

    def done(self, state: AddKeysState) -> bool:
        return MINISIGN not in state.systems or state.key_of(Algorithm.MINISIGN) is not None

    def question(self, state: AddKeysState) -> Question:
        return Automatic("add-minisign")

    def act(self, state: AddKeysState, answer: Answer, progress: Progress) -> AddKeysState:
        bench = self._bench
        self._begin(state, Algorithm.MINISIGN)
        progress.say(Line("minisign key: this takes some seconds and 1 GiB of memory"))
        left = self.left_by_a_crash(state, MINISIGN)
        with bench.session.lending(MINISIGN) as held:
            passphrase = cast("Secret", held)
            if left is not None:
                line = bench.minisign.adopt(left, passphrase)
            elif state.imported:
                line = bench.minisign.import_key(self.read_key_file(state), passphrase)
            else:
                line = bench.minisign.generate(passphrase)
        progress.say(Line("minisign key", mark=Mark.OK))
        key = registered_minisign(bench, line)
        return msgspec.structs.replace(state, added=(*state.added, key))


class AddOpenPgp(_AddStep):
    """Make or take in the OpenPGP key, or the one that a killed run had made: never a second."""

    id = "add-openpgp"
    title = "The OpenPGP key"

    def done(self, state: AddKeysState) -> bool:
        return GPG not in state.systems or state.key_of(Algorithm.OPENPGP) is not None

    def question(self, state: AddKeysState) -> Question:
        return Automatic("add-openpgp")

    def act(self, state: AddKeysState, answer: Answer, progress: Progress) -> AddKeysState:
        bench = self._bench
        self._begin(state, Algorithm.OPENPGP)
        progress.say(Line("OpenPGP key: this takes some seconds"))
        left = self.left_by_a_crash(state, GPG)
        with bench.session.lending(GPG) as held:
            passphrase = cast("Secret", held)
            if left is not None:
                info = bench.openpgp.adopt(left, passphrase)
            else:
                discard_strays(bench, state, Algorithm.OPENPGP)  # whose making was cut short
                info = self._new(state, passphrase)
        progress.say(Line("OpenPGP key", mark=Mark.OK))
        key = registered_openpgp(bench, info)
        return msgspec.structs.replace(state, added=(*state.added, key))

    def _new(self, state: AddKeysState, passphrase: Secret) -> OpenPgpKeyInfo:
        bench = self._bench
        if state.imported:
            return bench.openpgp.import_key(self.read_key_file(state), passphrase)
        return bench.openpgp.generate(signing_user_id(bench), proposed_day(bench), passphrase)


class MakeRevocations(AddKeysStep):
    """While the passphrase is at hand: on the day of need it may not be (KEY-1)."""

    id = "revocations"
    title = "Make the revocation certificates"
    in_script = (
        "The program makes two and tries both: superseded and compromised. They are carried "
        "out later, to a medium apart from the backups (key revocations DEST).",
    )

    def done(self, state: AddKeysState) -> bool:
        return GPG not in state.systems or state.revocable or self.is_over(state)

    def question(self, state: AddKeysState) -> Question:
        return Automatic("revocations")

    def act(self, state: AddKeysState, answer: Answer, progress: Progress) -> AddKeysState:
        key = _made(state, Algorithm.OPENPGP)
        with self._bench.session.lending(GPG) as held:
            keep_birth_revocations(self._bench, key.id, cast("Secret", held), progress)
        return msgspec.structs.replace(state, revocable=True)


class CompareMinisign(CompareKey[AddKeysState]):
    """The whole public key, for its ID is random and proves nothing."""

    id = "compare-minisign"
    title = "Compare the minisign public key"

    def __init__(self, bench: Workbench) -> None:
        super().__init__(
            bench,
            "minisign public key",
            lambda s: parse_public_key(_made(s, Algorithm.MINISIGN).public_key).ed25519.hex(),
        )

    def done(self, state: AddKeysState) -> bool:
        return MINISIGN not in state.systems or super().done(state)


class CompareOpenPgp(CompareKey[AddKeysState]):
    """The full fingerprint."""

    id = "compare-gpg"
    title = "Compare the OpenPGP fingerprint"

    def __init__(self, bench: Workbench) -> None:
        super().__init__(
            bench, "OpenPGP fingerprint", lambda s: _made(s, Algorithm.OPENPGP).id.lower()
        )

    def done(self, state: AddKeysState) -> bool:
        return GPG not in state.systems or super().done(state)


def _made(state: AddKeysState, algorithm: Algorithm) -> RegisteredKey:
    key = state.key_of(algorithm)
    if key is None:
        raise RuntimeError(f"the {algorithm.value} key is not there yet")
    return key


class Register(AddKeysStep):
    """Sign the new state of the registry with every key that can sign, then store it."""

    id = "register"
    title = "Register"
    commit_point = True
    in_script = ("Every key that can sign signs the registry in which the new ones stand.",)

    def __init__(self, bench: Workbench, start: AddKeysState) -> None:
        super().__init__(bench)
        written = {MINISIGN: "ID of the minisign key", GPG: "Last four groups of the fingerprint"}
        self.blanks = tuple(written[system] for system in start.systems)

    def done(self, state: AddKeysState) -> bool:
        return state.registered

    def question(self, state: AddKeysState) -> Question:
        return Automatic("register")

    def act(self, state: AddKeysState, answer: Answer, progress: Progress) -> AddKeysState:
        if not self.is_over(state):
            self._carry_out(state)
        for key in state.added:
            progress.say(Line(shown_id(key), label=key.algorithm.value))
        progress.say(Line("the registry is signed", mark=Mark.OK))
        results = tuple(result for key in state.added for result in results_of(key))
        return msgspec.structs.replace(state, registered=True, results=results)

    def _carry_out(self, state: AddKeysState) -> None:
        bench = self._bench
        registry = bench.registry()
        for key in state.added:
            if all(key.id != known.id for known in registry.keys):
                registry = with_key(registry, key, bench.clock.now())
        sign_and_store(
            bench,
            registry,
            "key.imported" if state.imported else "key.generated",
            {
                "keys": [{"algorithm": k.algorithm.value, "id": k.id} for k in state.added],
                "ceremony": state.ceremony,
                "command": command_of(state),
            },
        )


def command_of(state: AddKeysState) -> str:
    """The command that does the same."""
    if state.imported:
        return f"key import --{state.systems[0]} {state.key_file}"
    only = f" --only {state.systems[0]}" if len(state.systems) == 1 else ""
    return f"key generate{only}"
