"""Whose backup it is: one of the known custodians, or a name that is typed (CUS-1, CUS-2)."""

from collections.abc import Sequence
from typing import Final, Generic, TypeVar

import msgspec

from pai_signer.domain.custody import custodian_id, custodian_name
from pai_signer.domain.page import Line, Page
from pai_signer.domain.progress import Progress
from pai_signer.workflows.engine import Answer, Choice, Option, Question, Step, TypedText
from pai_signer.workflows.unmount import UnmountState
from pai_signer.workflows.workbench import Workbench

#: The menu value that leads to typing a name; no name begins with a colon.
SOMEBODY_ELSE: Final = ":type"


class CustodianState(UnmountState, frozen=True, kw_only=True):
    """The part of a state that these steps fill in, beside the medium's."""

    custodian: str = ""
    wants_to_type_name: bool = False


T = TypeVar("T", bound=CustodianState)


def checked_custodian(bench: Workbench, text: str) -> str:
    """The name as the ledger spells it where it knows this person; ``UsageError`` for no name."""
    name = custodian_name(text)
    known = bench.ledger().custodians()
    return next((other for other in known if custodian_id(other) == custodian_id(name)), name)


class ChooseCustodian(Step[T], Generic[T]):
    """Pick one of those who hold a backup, or say that a name will be typed."""

    id = "whose"
    title = "Custodian"
    unchanged = "Nothing was read and nothing was written."

    def __init__(self, bench: Workbench, prompt: str) -> None:
        self._bench = bench
        self._prompt = prompt

    def done(self, state: T) -> bool:
        known = self._bench.ledger().custodians()
        return bool(state.custodian) or state.wants_to_type_name or not known

    def question(self, state: T) -> Question:
        known = (Option(name, name) for name in self._bench.ledger().custodians())
        options = (*known, Option(SOMEBODY_ELSE, "somebody else (type the name)"))
        return Choice("whose", self._prompt, options=options)

    def act(self, state: T, answer: Answer, progress: Progress) -> T:
        if answer == SOMEBODY_ELSE:
            return msgspec.structs.replace(state, wants_to_type_name=True)
        return msgspec.structs.replace(state, custodian=checked_custodian(self._bench, str(answer)))


class TypeCustodian(Step[T], Generic[T]):
    """Type the name of a custodian."""

    id = "whose-name"
    title = "Custodian"
    unchanged = ChooseCustodian.unchanged

    def __init__(self, bench: Workbench, prompt: str) -> None:
        self._bench = bench
        self._prompt = prompt

    def done(self, state: T) -> bool:
        return bool(state.custodian)

    def pages(self, state: T) -> Sequence[Page]:
        lines = (
            Line("A custodian is a person who keeps a copy of the keys on a medium of their own."),
            Line("Each has passphrases of their own; nobody else knows them."),
            Line("Their name stands in the journal and on the medium."),
        )
        return (Page("Whose backup?", lines),)

    def question(self, state: T) -> Question:
        return TypedText("whose-name", f"{self._prompt} Type the name")

    def act(self, state: T, answer: Answer, progress: Progress) -> T:
        return msgspec.structs.replace(state, custodian=checked_custodian(self._bench, str(answer)))
