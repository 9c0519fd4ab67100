"""Generate or import the signing keys and enter them into the signed registry (KEY-1, KEY-2).

The plain form: one maintainer, one sitting. Whatever is added, the new state of
the registry is signed by every key that can sign then, so the passphrases of
keys that exist already are asked too.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final, cast

import msgspec

from pai_signer.domain.artifact import Record
from pai_signer.domain.openpgp import grouped_fingerprint
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey, with_key
from pai_signer.domain.secret import Secret
from pai_signer.errors import PolicyRefused
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
from pai_signer.workflows.key_dates import proposed_day
from pai_signer.workflows.new_keys import (
    registered_minisign,
    registered_openpgp,
    signing_user_id,
)
from pai_signer.workflows.pick_directory import checked_directory
from pai_signer.workflows.sign_registry import (
    ALGORITHMS,
    GPG,
    MINISIGN,
    SystemName,
    sign_and_store,
)
from pai_signer.workflows.workbench import Workbench

MAX_KEY_FILE_BYTES: Final = 1 << 20


class AddKeysState(Record, frozen=True, kw_only=True):
    """Where adding stands. A key in ``added`` exists in the vault and is not registered yet."""

    #: Systems that get a key, and for imports the file that it comes from.
    systems: tuple[SystemName, ...]
    imported: bool = False
    key_file: str = ""
    looked: bool = False
    added: tuple[RegisteredKey, ...] = ()
    registered: bool = False


def generate_keys(bench: Workbench, only: SystemName | None = None) -> Workflow[AddKeysState]:
    """Build the workflow that makes new keys at stock strength (KEY-1)."""
    systems: tuple[SystemName, ...] = (only,) if only else (MINISIGN, GPG)
    return _add_keys(bench, AddKeysState(systems=systems), "Generate keys")


def import_key(bench: Workbench, system: SystemName, key_file: str = "") -> Workflow[AddKeysState]:
    """Build the workflow that takes in an existing secret key and proves it."""
    path = checked_directory(key_file) if key_file else ""
    state = AddKeysState(systems=(system,), imported=True, key_file=path)
    return _add_keys(bench, state, f"Import a {system} key")


def _add_keys(bench: Workbench, start: AddKeysState, title: str) -> Workflow[AddKeysState]:
    for system in start.systems:
        existing = bench.registry().signing_key(ALGORITHMS[system])
        if existing is not None and not _is_unfinished(bench, start, existing):
            raise _already_active(existing)
    return Workflow(
        name=_name(start),
        key=_key(start),
        title=title,
        start=start,
        steps=(
            _TypeKeyFile(),
            _Explain(bench),
            _MinisignPassphrase(bench),
            _GpgPassphrase(bench),
            _AddMinisign(bench),
            _AddOpenPgp(bench),
            _Register(bench),
        ),
        outcome=lambda state: _outcome(bench, state),
        discard=lambda state: _discard(bench, state),
    )


def _name(state: AddKeysState) -> str:
    return "import-key" if state.imported else "generate-keys"


def _key(state: AddKeysState) -> str:
    return "-".join(state.systems)


def _is_unfinished(bench: Workbench, start: AddKeysState, key: RegisteredKey) -> bool:
    """Whether a crash came between the registering of this key and the end of its run."""
    saved = bench.states.load(f"{_name(start)}.{_key(start)}") or b""
    return f'"{key.id}"'.encode() in saved


def _already_active(existing: RegisteredKey) -> PolicyRefused:
    return PolicyRefused(
        "KEY-2/already-active",
        f"There is an active {existing.algorithm.value} key already: {existing.id}.",
        "A new key takes the place of an old one by rotation only.",
        unchanged="No key was made and the registry was not changed.",
    )


class _TypeKeyFile(Step[AddKeysState]):
    """Where the secret key to import is."""

    id = "key-file"
    title = "Key file"

    def done(self, state: AddKeysState) -> bool:
        return not state.imported or bool(state.key_file)

    def question(self, state: AddKeysState) -> Question:
        return TypedText("key-file", f"Path of the {state.systems[0]} secret key file")

    def act(self, state: AddKeysState, answer: Answer, progress: Progress) -> AddKeysState:
        return msgspec.structs.replace(state, key_file=checked_directory(str(answer)))


class _KeyStep(Step[AddKeysState]):
    """What the steps of this workflow share."""

    unchanged = "The registry was not changed, and no key is in use that was not before."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def _check_free(self, algorithm: Algorithm) -> None:
        """No key is made or taken in while another one of its kind signs."""
        existing = self._bench.registry().signing_key(algorithm)
        if existing is not None:
            raise _already_active(existing)

    @staticmethod
    def _has(state: AddKeysState, algorithm: Algorithm) -> bool:
        return any(key.algorithm is algorithm for key in state.added)

    def _read_key_file(self, state: AddKeysState) -> bytes:
        path = Path(state.key_file)
        with self._bench.sources.open(path.parent) as folder:
            return folder.read_small(path.name, MAX_KEY_FILE_BYTES)


def _added(state: AddKeysState, key: RegisteredKey) -> AddKeysState:
    return msgspec.structs.replace(state, added=(*state.added, key))


class _Explain(_KeyStep):
    """What will be made, before anything is."""

    id = "explain"
    title = "Keys"

    def done(self, state: AddKeysState) -> bool:
        return state.looked

    def pages(self, state: AddKeysState) -> Sequence[Page]:
        info = self._bench.info
        lines = [Line(f"{info.maintainer_name} <{info.maintainer_email}>", label="maintainer")]
        if MINISIGN in state.systems:
            lines.append(Line("Ed25519, passphrase hashed with 1 GiB of memory", label="minisign"))
        if GPG in state.systems:
            lines.append(Line("Ed25519 primary with a signing subkey", label="OpenPGP"))
            lines.append(Line(f"{proposed_day(self._bench)}", label="valid until"))
        if state.imported:
            lines = [Line(state.key_file, label="key file")]
        lines += [
            Line(),
            Line("Each key gets a passphrase of its own: six or more random words."),
            Line("Write them down and keep them apart from the media."),
        ]
        return (Page("What will be made", tuple(lines)),)

    def question(self, state: AddKeysState) -> Question:
        return Proceed("explain", "Go on?")

    def act(self, state: AddKeysState, answer: Answer, progress: Progress) -> AddKeysState:
        return msgspec.structs.replace(state, looked=True)


class _Passphrase(_KeyStep):
    """A passphrase for one system: of the key to make, or of the active one that signs along."""

    title = "Passphrase"
    _system: ClassVar[SystemName]

    def done(self, state: AddKeysState) -> bool:
        needed = self._system in state.systems or self._active() is not None
        return state.registered or not needed or self._system in self._bench.session

    def question(self, state: AddKeysState) -> Question:
        if self._system not in state.systems:
            active = self._active()
            prompt = f"Passphrase of the {self._system} key {active.id if active else ''}"
            return SecretText(self._system, prompt)
        if self._has(state, ALGORITHMS[self._system]):
            return SecretText(self._system, f"Passphrase of the {self._system} key just added")
        if state.imported:
            return SecretText(self._system, f"Passphrase of the {self._system} key to import")
        return SecretText(self._system, f"Passphrase for the new {self._system} key", twice=True)

    def act(self, state: AddKeysState, answer: Answer, progress: Progress) -> AddKeysState:
        self._bench.session.hold(self._system, cast("Secret", answer))
        return state

    def _active(self) -> RegisteredKey | None:
        return self._bench.registry().signing_key(ALGORITHMS[self._system])


class _MinisignPassphrase(_Passphrase):
    id = "passphrase-minisign"
    _system = MINISIGN


class _GpgPassphrase(_Passphrase):
    id = "passphrase-gpg"
    _system = GPG


class _AddMinisign(_KeyStep):
    """Make or take in the minisign key."""

    id = "add-minisign"
    title = "Keys"

    def done(self, state: AddKeysState) -> bool:
        return MINISIGN not in state.systems or self._has(state, Algorithm.MINISIGN)

    def question(self, state: AddKeysState) -> Question:
        return Automatic("add-minisign")

    def act(self, state: AddKeysState, answer: Answer, progress: Progress) -> AddKeysState:
        self._check_free(Algorithm.MINISIGN)
        progress.say(Line("minisign key: this takes some seconds and 1 GiB of memory"))
        with self._bench.session.lending(MINISIGN) as held:
            passphrase = cast("Secret", held)
            if state.imported:
                line = self._bench.minisign.import_key(self._read_key_file(state), passphrase)
            else:
                line = self._bench.minisign.generate(passphrase)
        progress.say(Line("minisign key", mark=Mark.OK))
        return _added(state, registered_minisign(self._bench, line))


class _AddOpenPgp(_KeyStep):
    """Make or take in the OpenPGP key."""

    id = "add-openpgp"
    title = "Keys"

    def done(self, state: AddKeysState) -> bool:
        return GPG not in state.systems or self._has(state, Algorithm.OPENPGP)

    def question(self, state: AddKeysState) -> Question:
        return Automatic("add-openpgp")

    def act(self, state: AddKeysState, answer: Answer, progress: Progress) -> AddKeysState:
        bench = self._bench
        self._check_free(Algorithm.OPENPGP)
        progress.say(Line("OpenPGP key: this takes some seconds"))
        with bench.session.lending(GPG) as held:
            passphrase = cast("Secret", held)
            if state.imported:
                info = bench.openpgp.import_key(self._read_key_file(state), passphrase)
            else:
                info = bench.openpgp.generate(
                    signing_user_id(bench), proposed_day(bench), passphrase
                )
        progress.say(Line("OpenPGP key", mark=Mark.OK))
        return _added(state, registered_openpgp(bench, info))


class _Register(_KeyStep):
    """Sign the new state of the registry with every key that can sign, then store it."""

    id = "register"
    title = "Registry"
    commit_point = True

    def done(self, state: AddKeysState) -> bool:
        return state.registered

    def question(self, state: AddKeysState) -> Question:
        return Automatic("register")

    def act(self, state: AddKeysState, answer: Answer, progress: Progress) -> AddKeysState:
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
                "command": _command(state),
            },
        )
        progress.say(Line("the registry is signed", mark=Mark.OK))
        return msgspec.structs.replace(state, registered=True)


def _command(state: AddKeysState) -> str:
    if state.imported:
        return f"key import --{state.systems[0]} {state.key_file}"
    only = f" --only {state.systems[0]}" if len(state.systems) == 1 else ""
    return f"key generate{only}"


def _discard(bench: Workbench, state: AddKeysState) -> None:
    """Keys that were made and never registered are in nobody's use: remove them."""
    registered = {key.id for key in bench.registry().keys}
    # The registry decides, not the state: a crash may have come right after it was stored.
    for key in state.added:
        if key.id in registered:
            continue
        if key.algorithm is Algorithm.MINISIGN:
            bench.minisign.discard(key.public_key)
        else:
            bench.openpgp.discard(key.id)


def _outcome(bench: Workbench, state: AddKeysState) -> Outcome:
    lines: list[Line] = []
    for key in state.added:
        shown = grouped_fingerprint(key.id) if key.algorithm is Algorithm.OPENPGP else key.id
        lines += [Line(shown, label=key.algorithm.value, mark=Mark.OK)]
        if key.algorithm is Algorithm.MINISIGN:
            lines += [Line(key.public_key, label="public key")]
    lines += [
        Line(),
        Line("Next: publish the registry (key publish DIR), and make backups."),
    ]
    data = {
        "keys": [
            {"algorithm": k.algorithm.value, "id": k.id, "state": k.state.value}
            for k in state.added
        ],
        "registry_serial": bench.registry().serial,
    }
    return Outcome((Page("Keys", tuple(lines)),), data)
