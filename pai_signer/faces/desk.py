"""What a face sees of the workstation: the one Protocol between them (FACE-1).

``composition.Workstation`` implements it. Every text in these records may come
from outside: a face sanitises it when it draws it (SEC-3). All methods but
``status`` may take a while and may raise ``SignerError``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pai_signer.domain.page import Page
from pai_signer.ports import Medium
from pai_signer.workflows.engine import Conversation


@dataclass(frozen=True)
class Action:
    """One line of a menu; one that cannot be chosen stays visible and says why.

    It stands on Home, or, where ``group`` names one, on that group's own screen.

    ``arguments`` go to ``begin`` as they are, so that "resume this import" and
    "sign v0.2.0" are ordinary lines.
    """

    id: str
    label: str
    unavailable_because: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    group: str = ""


@dataclass(frozen=True)
class HomeView:
    """The state of the workstation: keys, last release, unfinished work, what is due."""

    pages: tuple[Page, ...]


@dataclass(frozen=True)
class JournalLine:
    """One journal entry for reading, with the command that would do the same."""

    number: int
    time: str
    event: str
    text: str
    command: str = ""


@dataclass(frozen=True)
class StatusBar:
    """The right half of the title row.

    ``air_gap`` is one word: OFFLINE, CONNECTED or UNKNOWN. ``time`` is ready to show,
    as in ``23 Nov 2026 18:41 UTC``.
    """

    air_gap: str
    time: str


class Desk(Protocol):
    """The workstation as the app sees it."""

    @property
    def is_rehearsal(self) -> bool:
        """Whether all of this is practice; every screen says so (FACE-5)."""

    def title(self) -> str:
        """Project and vault, for the title row."""

    def home(self) -> HomeView:
        """What Home shows, read afresh."""

    def actions(self) -> tuple[Action, ...]:
        """Everything that can be done, in the order of the menus; the first gets digit 1."""

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of actions that have a screen of their own, by name."""

    def group_pages(self, group: str) -> tuple[Page, ...]:
        """The state that concerns a group, shown above its menu."""

    def begin(self, action_id: str, arguments: Mapping[str, str]) -> Conversation[Any]:
        """Start or resume the workflow behind an action."""

    def journal_lines(self) -> tuple[JournalLine, ...]:
        """Every entry, oldest first; ``JournalTampered`` where the chain breaks."""

    def checks(self) -> tuple[Page, ...]:
        """The host and policy checks, each failing line with its next action."""

    def status(self) -> StatusBar:
        """Air gap and clock; cheap, it is asked every few seconds."""

    def media(self) -> tuple[Medium, ...]:
        """Removable media that are plugged in now."""

    def lock(self) -> None:
        """Wipe the secrets of every session (SEC-4)."""

    def close(self) -> None:
        """Give the workstation back: wipe secrets, release the vault's lock."""
