"""Make a new vault: who the maintainer is, and where it goes."""

from collections.abc import Callable, Sequence

import msgspec

from pai_signer.domain.artifact import Record
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.tag import check_identity
from pai_signer.workflows.engine import (
    Answer,
    Automatic,
    Outcome,
    Question,
    Step,
    TypedText,
    Workflow,
)

#: Makes the vault for a maintainer's name and email address.
VaultMaker = Callable[[str, str], None]


class CreateVaultState(Record, frozen=True, kw_only=True):
    """Where it stands."""

    place: str
    name: str = ""
    email: str = ""
    created: bool = False


def create_vault(place: str, make: VaultMaker) -> Workflow[CreateVaultState]:
    """Build the workflow; ``place`` is only shown, ``make`` knows where."""
    return Workflow(
        name="create-vault",
        key="",
        title="A new vault",
        start=CreateVaultState(place=place),
        steps=(_AskName(), _AskEmail(), _Create(make)),
        outcome=_outcome,
    )


class _AskName(Step[CreateVaultState]):
    """The maintainer's name, as it will stand in tags."""

    id = "name"
    title = "New vault"
    unchanged = "No vault was made."

    def done(self, state: CreateVaultState) -> bool:
        return bool(state.name)

    def pages(self, state: CreateVaultState) -> Sequence[Page]:
        return (
            Page(
                "A vault holds one project's keys, journal and releases",
                (
                    Line(state.place, label="folder"),
                    Line("Keep it on an encrypted disk of a laptop without network."),
                ),
            ),
        )

    def question(self, state: CreateVaultState) -> Question:
        return TypedText("maintainer", "Your name, as it will stand in the release tags")

    def act(self, state: CreateVaultState, answer: Answer, progress: Progress) -> CreateVaultState:
        check_identity(str(answer), "somebody@example.org")
        return msgspec.structs.replace(state, name=str(answer))


class _AskEmail(Step[CreateVaultState]):
    """The address beside it."""

    id = "email"
    title = "New vault"
    unchanged = "No vault was made."

    def done(self, state: CreateVaultState) -> bool:
        return bool(state.email)

    def question(self, state: CreateVaultState) -> Question:
        return TypedText("email", "Your email address")

    def act(self, state: CreateVaultState, answer: Answer, progress: Progress) -> CreateVaultState:
        check_identity(state.name, str(answer))
        return msgspec.structs.replace(state, email=str(answer))


class _Create(Step[CreateVaultState]):
    """Make the folder."""

    id = "create"
    title = "New vault"
    unchanged = "No vault was made."
    commit_point = True

    def __init__(self, make: VaultMaker) -> None:
        self._make = make

    def done(self, state: CreateVaultState) -> bool:
        return state.created

    def question(self, state: CreateVaultState) -> Question:
        return Automatic("create")

    def act(self, state: CreateVaultState, answer: Answer, progress: Progress) -> CreateVaultState:
        self._make(state.name, state.email)
        return msgspec.structs.replace(state, created=True)


def _outcome(state: CreateVaultState) -> Outcome:
    lines = (
        Line(state.place, label="vault", mark=Mark.OK),
        Line(f"{state.name} <{state.email}>", label="maintainer"),
        Line(
            "Next: generate or import the keys (key generate, key import), or restore them "
            "from a backup (backup restore)."
        ),
    )
    data = {"vault": state.place, "maintainer": state.name, "email": state.email}
    return Outcome((Page("The vault is made", lines),), data)
