"""Where the birth or import of keys stands, and what its steps share (KEY-1, KEY-2)."""

from pathlib import Path
from typing import Final

from pai_signer.domain.openpgp import grouped_fingerprint
from pai_signer.domain.registry import Algorithm, RegisteredKey
from pai_signer.errors import PolicyRefused
from pai_signer.workflows.ceremony.frame import CeremonyState
from pai_signer.workflows.engine import Step
from pai_signer.workflows.keys.sign_registry import ALGORITHMS, MINISIGN, SystemName
from pai_signer.workflows.workbench import Workbench

MAX_KEY_FILE_BYTES: Final = 1 << 20


class AddKeysState(CeremonyState, frozen=True, kw_only=True):
    """Where adding stands. A key in ``added`` exists in the vault and is not registered yet."""

    #: Systems that get a key, and for imports the file that it comes from.
    systems: tuple[SystemName, ...]
    imported: bool = False
    key_file: str = ""
    explained: bool = False
    #: Unregistered keys that lay in the vault before: not of this run's making.
    strays_before: tuple[str, ...] | None = None
    added: tuple[RegisteredKey, ...] = ()
    #: The new OpenPGP key has its two revocation certificates.
    revocable: bool = False
    registered: bool = False

    def key_of(self, algorithm: Algorithm) -> RegisteredKey | None:
        """The key of this run, once it is in the vault."""
        return next((key for key in self.added if key.algorithm is algorithm), None)


def already_active(existing: RegisteredKey) -> PolicyRefused:
    """The error for a new key beside one of its kind that signs."""
    return PolicyRefused(
        "KEY-2/already-active",
        f"There is an active {existing.algorithm.value} key already: {existing.id}.",
        "A new key takes the place of an old one by rotation only.",
        unchanged="No key was made and the registry was not changed.",
    )


def awaits_successor(compromised: RegisteredKey, system: SystemName) -> PolicyRefused:
    """The error for a key without a link to its compromised predecessor.

    It would sign neither the statement nor the list of what stays good (KEY-5).
    """
    return PolicyRefused(
        "KEY-5/awaits-successor",
        f"The key {compromised.id} is compromised, and a new one has to take its place.",
        f"Rotate it: pai-signer key rotate {system} --reason compromised",
        unchanged="No key was made and the registry was not changed.",
    )


def all_strays(bench: Workbench) -> tuple[str, ...]:
    """Keys of both systems in the vault that the registry does not know."""
    known = {key.id for key in bench.registry().keys}
    return (*bench.minisign.stray(known), *bench.openpgp.stray(known))


def strays_of(bench: Workbench, state: AddKeysState, algorithm: Algorithm) -> tuple[str, ...]:
    """Those of one system that are of this run's making, whole or not."""
    if state.strays_before is None:
        return ()  # nothing can have been made yet
    known = {*state.strays_before, *(key.id for key in bench.registry().of(algorithm))}
    port = bench.minisign if algorithm is Algorithm.MINISIGN else bench.openpgp
    return port.stray(known)


def discard_strays(bench: Workbench, state: AddKeysState, algorithm: Algorithm) -> None:
    """Remove what this run made and the registry does not know: it is in nobody's use."""
    for key_id in strays_of(bench, state, algorithm):
        if algorithm is Algorithm.MINISIGN:
            bench.minisign.discard_stray(key_id)
        else:
            bench.openpgp.discard(key_id)
            bench.revocations.delete(key_id)


def shown_id(key: RegisteredKey) -> str:
    """Its ID as people read it."""
    return grouped_fingerprint(key.id) if key.algorithm is Algorithm.OPENPGP else key.id


def are_registered(bench: Workbench, state: AddKeysState) -> bool:
    """Whether every key of this run stands in the registry: then there is no way back."""
    known = {key.id for key in bench.registry().keys}
    return state.registered or (
        len(state.added) == len(state.systems) and all(key.id in known for key in state.added)
    )


class AddKeysStep(Step[AddKeysState]):
    """What the steps of this ceremony share."""

    unchanged = "The registry was not changed, and no key is in use that was not before."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def is_over(self, state: AddKeysState) -> bool:
        """The registry decides: a crash may have come right after it was stored."""
        return are_registered(self._bench, state)

    def left_by_a_crash(self, state: AddKeysState, system: SystemName) -> str | None:
        """A whole key that this run made and was killed before it could say so."""
        if state.key_of(ALGORITHMS[system]) is not None:
            return None
        made = strays_of(self._bench, state, ALGORITHMS[system])
        if system == MINISIGN:  # the key file appears in one rename
            return next(iter(made), None)
        return next((key_id for key_id in made if self._bench.openpgp.is_whole(key_id)), None)

    def check_free(self, algorithm: Algorithm) -> None:
        """No key is made or taken in while another one of its kind signs."""
        existing = self._bench.registry().signing_key(algorithm)
        if existing is not None:
            raise already_active(existing)

    def read_key_file(self, state: AddKeysState) -> bytes:
        """The secret key to import; ``FormatError`` if it is far too large for one."""
        path = Path(state.key_file)
        with self._bench.sources.open(path.parent) as folder:
            return folder.read_small(path.name, MAX_KEY_FILE_BYTES)
