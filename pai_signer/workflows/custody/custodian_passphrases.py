"""The custodian's two passphrases: chosen for a new set, typed to prove an old one (CUS-1, CUS-2).

Each key of a set has one of its own: gpg's export is hashed more weakly than minisign's, so
what opens the one must not open the other.
"""

from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar, cast

from pai_signer.domain.page import Line, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm
from pai_signer.domain.secret import Secret
from pai_signer.errors import PolicyRefused
from pai_signer.workflows.custody.custodian import CustodianState
from pai_signer.workflows.engine import Answer, Question, SecretText, Session, Step
from pai_signer.workflows.keys.new_passphrase import new_passphrase
from pai_signer.workflows.keys.sign_registry import GPG, MINISIGN
from pai_signer.workflows.script import TYPED_ALIKE
from pai_signer.workflows.workbench import Workbench

#: What the session and the questions call them, by the system of the key that they open.
CUSTODIAN: Final = {Algorithm.MINISIGN: "custodian", Algorithm.OPENPGP: "custodian-gpg"}
#: The same of the second person in a session of two maintainers.
SECOND: Final = {Algorithm.MINISIGN: "custodian-2", Algorithm.OPENPGP: "custodian-2-gpg"}

T = TypeVar("T", bound=CustodianState)


def check_not_alike(session: Session, name: str, new: Secret, others: Sequence[str]) -> None:
    """A custodian's passphrase opens one file and nothing else (CUS-1).

    Compared in constant time with each of ``others`` that the session holds as a passphrase.
    ``PolicyRefused`` (``CUS-1/same-passphrase``).
    """
    for other in others:
        if other == name or other not in session:
            continue
        held = session.take(other)
        if isinstance(held, Secret) and held.same_as(new):
            raise PolicyRefused(
                TYPED_ALIKE,
                "This passphrase opens something else already.",
                "Choose another one: each custodian has one of their own for each key, and the "
                "workstation's are known to nobody's medium.",
            )


class NewCustodianPassphrase(Step[T], Generic[T]):
    """Chosen by the custodian alone: words are offered, and weak ones refused."""

    unchanged = "Nothing was written."

    def __init__(
        self,
        bench: Workbench,
        algorithm: Algorithm,
        is_wanted: Callable[[T], bool],
        *,
        name: str = "",
        apart_from: Sequence[str] = (MINISIGN, GPG, *CUSTODIAN.values()),
    ) -> None:
        """``name`` is the question's; ``apart_from`` what it must not be the same as."""
        self._bench = bench
        self._algorithm = algorithm
        self._is_wanted = is_wanted
        self._name = name or CUSTODIAN[algorithm]
        self._apart_from = apart_from
        self.id = f"new-{self._name}"
        self.title = f"New passphrase of the {algorithm.shown} copy"

    def done(self, state: T) -> bool:
        return not self._is_wanted(state) or self._name in self._bench.session

    def pages(self, state: T) -> Sequence[Page]:
        lines = (
            Line(f"{state.custodian} sits down at the keyboard; everybody else looks away."),
            Line("Write the words on paper that is not kept with the medium."),
        )
        return (Page(f"A passphrase that only {state.custodian} knows", lines),)

    def question(self, state: T) -> Question:
        prompt = f"{state.custodian}: new passphrase for the {self._algorithm.shown} copy"
        return new_passphrase(self._bench, self._name, prompt)

    def act(self, state: T, answer: Answer, progress: Progress) -> T:
        new = cast("Secret", answer)
        check_not_alike(self._bench.session, self._name, new, self._apart_from)
        self._bench.session.hold(self._name, new)
        return state


class CustodianPassphrase(Step[T], Generic[T]):
    """The passphrase that a set has; whether it is right is found out by the proof."""

    unchanged = "Nothing was proved, and nothing was changed."

    def __init__(
        self,
        bench: Workbench,
        algorithm: Algorithm,
        is_wanted: Callable[[T], bool],
        *,
        name: str = "",
    ) -> None:
        self._bench = bench
        self._algorithm = algorithm
        self._is_wanted = is_wanted
        self._name = name or CUSTODIAN[algorithm]
        self.id = f"passphrase-{self._name}"
        self.title = f"Passphrase of the {algorithm.shown} copy"

    def done(self, state: T) -> bool:
        return not self._is_wanted(state) or self._name in self._bench.session

    def question(self, state: T) -> Question:
        prompt = f"{state.custodian}: passphrase of the {self._algorithm.shown} copy"
        return SecretText(self._name, prompt)

    def act(self, state: T, answer: Answer, progress: Progress) -> T:
        self._bench.session.hold(self._name, cast("Secret", answer))
        return state
