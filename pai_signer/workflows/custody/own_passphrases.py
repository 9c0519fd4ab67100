"""The passphrases of the workstation's own keys, which open them to be copied (CUS-1).

Other than for signing alone, the passphrase itself is held: the copy is encrypted anew from it.
"""

from collections.abc import Callable
from typing import ClassVar, Final, Generic, TypeVar, cast

import msgspec

from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey
from pai_signer.domain.secret import Secret
from pai_signer.workflows.engine import Answer, Question, SecretText, Step
from pai_signer.workflows.keys.sign_registry import GPG, MINISIGN
from pai_signer.workflows.workbench import Workbench

S = TypeVar("S", bound=msgspec.Struct)

#: Where the session holds the unlocked minisign key, which signs the manifest of the set.
UNLOCKED: Final = "minisign unlocked"


class _OwnPassphrase(Step[S], Generic[S]):
    """Tried at once; in memory until the set is written."""

    in_script = ("Whoever holds it types it. Nobody else looks at the keyboard.",)
    unchanged = "Nothing was written, and the keys are as they were."
    _name: ClassVar[str]
    _algorithm: ClassVar[Algorithm]

    def __init__(self, bench: Workbench, is_over: Callable[[S], bool]) -> None:
        self._bench = bench
        self._is_over = is_over

    def done(self, state: S) -> bool:
        return self._is_over(state) or self._key() is None or self._name in self._bench.session

    def question(self, state: S) -> Question:
        key = self._key()
        named = f"{self._algorithm.shown} key {key.id if key else ''}"
        prompt = f"This workstation's passphrase of the {named}"
        return SecretText(self._name, prompt)

    def _key(self) -> RegisteredKey | None:
        return self._bench.registry().signing_key(self._algorithm)


class OwnMinisignPassphrase(_OwnPassphrase[S]):
    """Unlocks the minisign key; passphrase and key are both held."""

    id = "passphrase-minisign"
    title = "Passphrase of the minisign key"
    _name = MINISIGN
    _algorithm = Algorithm.MINISIGN

    def act(self, state: S, answer: Answer, progress: Progress) -> S:
        key, passphrase = self._key(), cast("Secret", answer)
        if key is not None:
            self._bench.session.hold(
                UNLOCKED, self._bench.minisign.unlock(key.public_key, passphrase)
            )
        self._bench.session.hold(MINISIGN, passphrase)
        return state


class OwnOpenPgpPassphrase(_OwnPassphrase[S]):
    """Proves that the passphrase opens the OpenPGP key, and keeps it."""

    id = "passphrase-gpg"
    title = "Passphrase of the OpenPGP key"
    _name = GPG
    _algorithm = Algorithm.OPENPGP

    def act(self, state: S, answer: Answer, progress: Progress) -> S:
        key, passphrase = self._key(), cast("Secret", answer)
        if key is not None:
            self._bench.openpgp.prove(key.id, passphrase)
        self._bench.session.hold(GPG, passphrase)
        return state
