"""The passphrases of the keys that will sign the next registry, each tried at once (KEY-2)."""

from collections.abc import Callable
from typing import ClassVar, Generic, TypeVar, cast

import msgspec

from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey
from pai_signer.domain.secret import Secret
from pai_signer.workflows.engine import Answer, Question, SecretText, Step
from pai_signer.workflows.keys.sign_registry import GPG, MINISIGN
from pai_signer.workflows.workbench import Workbench

S = TypeVar("S", bound=msgspec.Struct)


class _SignerPassphrase(Step[S], Generic[S]):
    """Held in memory until the registry is signed; asked again after a crash."""

    in_script = ("Whoever holds it types it. Nobody else looks at the keyboard.",)
    unchanged = "Nothing was signed, and the registry is as it was."
    _name: ClassVar[str]
    _algorithm: ClassVar[Algorithm]

    def __init__(
        self,
        bench: Workbench,
        ends: Callable[[S], str],
        is_over: Callable[[S], bool],
    ) -> None:
        """``ends`` is the ID of a key that does not sign any more, or empty."""
        self._bench = bench
        self._ends = ends
        self._is_over = is_over

    def done(self, state: S) -> bool:
        return self._is_over(state) or self._key(state) is None or self._name in self._bench.session

    def question(self, state: S) -> Question:
        key = self._key(state)
        named = f"{self._algorithm.shown} key {key.id if key else ''}"
        return SecretText(self._name, f"Passphrase of the {named}")

    def _key(self, state: S) -> RegisteredKey | None:
        key = self._bench.registry().signing_key(self._algorithm)
        return None if key is None or key.id == self._ends(state) else key


class MinisignPassphrase(_SignerPassphrase[S]):
    """Unlocks the minisign key."""

    id = "passphrase-minisign"
    title = "Passphrase of the minisign key"
    _name = MINISIGN
    _algorithm = Algorithm.MINISIGN

    def act(self, state: S, answer: Answer, progress: Progress) -> S:
        key = self._key(state)
        if key is not None:
            unlocked = self._bench.minisign.unlock(key.public_key, cast("Secret", answer))
            self._bench.session.hold(MINISIGN, unlocked)
        return state


class OpenPgpPassphrase(_SignerPassphrase[S]):
    """Proves that the passphrase opens the OpenPGP key, and keeps it."""

    id = "passphrase-gpg"
    title = "Passphrase of the OpenPGP key"
    _name = GPG
    _algorithm = Algorithm.OPENPGP

    def act(self, state: S, answer: Answer, progress: Progress) -> S:
        key, passphrase = self._key(state), cast("Secret", answer)
        if key is not None:
            self._bench.openpgp.prove(key.id, passphrase)
        self._bench.session.hold(GPG, passphrase)
        return state
