"""Opens what the app works on, and runs it: a vault, a rehearsal, or the making of a vault."""

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Final

from pai_signer.composition import (
    built_in_profile,
    clock,
    host,
    make_vault,
    open_rehearsal,
    open_workbench,
    prepare_rehearsal,
)
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.errors import EXIT_USAGE, SignerError, UsageError
from pai_signer.faces import wording
from pai_signer.faces.desk import Action, Desk, HomeView, JournalLine, StatusBar
from pai_signer.faces.rows import Layout
from pai_signer.faces.tui.run import run_app
from pai_signer.faces.workstation import WorkstationDesk, status_bar
from pai_signer.ports import Medium
from pai_signer.workflows.create_vault import create_vault
from pai_signer.workflows.engine import Conversation, Session
from pai_signer.workflows.overview import host_page
from pai_signer.workflows.script import MemoryStates
from pai_signer.workflows.workbench import Workbench

#: The code of the error that opening a vault raises where there is none.
NO_VAULT: Final = "SEC-2/no-vault"


def start_app(vault: Path, rehearsal: Path | None) -> int:
    """Run the app and return its exit code; what cannot be opened is said in plain lines."""
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        sys.stderr.write("The app needs a terminal. 'pai-signer --help' lists the commands.\n")
        return EXIT_USAGE
    try:
        desk = _open_rehearsal(rehearsal) if rehearsal is not None else _open_vault(vault)
    except SignerError as error:
        for row in Layout(width=80, lat15=False).page(wording.error_page(error)):
            sys.stderr.write(row.text + "\n")
        return error.exit_code
    return run_app(desk)


def _open_vault(vault: Path) -> Desk:
    try:
        return _open(open_workbench(vault))
    except UsageError as error:
        if error.code != NO_VAULT:
            raise
        # Nothing there, an empty folder, or what an interrupted attempt left: one can be made.
        # Whatever else is there, the making of it refuses in its own words.
        return FirstDesk(vault)


def _open_rehearsal(folder: Path) -> Desk:
    prepare_rehearsal(folder)
    return _open(open_rehearsal(folder))


def _open(opening: AbstractContextManager[tuple[Workbench, tuple[str, ...]]]) -> WorkstationDesk:
    with ExitStack() as stack:
        bench, notes = stack.enter_context(opening)
        return WorkstationDesk(bench, stack.pop_all(), notes)


class FirstDesk:
    """Where there is no vault yet: offers to make one, then is the desk of that vault."""

    def __init__(self, vault: Path) -> None:
        self._vault = vault
        self._host = host()
        self._made: WorkstationDesk | None = None

    @property
    def is_rehearsal(self) -> bool:
        """A new vault is never for practice."""
        return False

    def title(self) -> str:
        """The program, until there is a project."""
        return self._made.title() if self._made else "pai-signer"

    def home(self) -> HomeView:
        """That there is no vault."""
        if self._made:
            return self._made.home()
        line = Line(str(self._vault), label="no vault yet at", mark=Mark.WARN)
        return HomeView((Page("Welcome", (line,)),))

    def actions(self) -> tuple[Action, ...]:
        """Only one thing can be done without a vault."""
        return self._made.actions() if self._made else (Action("init", "Make a new vault"),)

    @property
    def groups(self) -> tuple[str, ...]:
        """None before there is a vault."""
        return self._made.groups if self._made else ()

    def group_pages(self, group: str) -> tuple[Page, ...]:
        """Nothing before there is a vault."""
        return self._made.group_pages(group) if self._made else ()

    def begin(self, action_id: str, arguments: Mapping[str, str]) -> Conversation[Any]:
        """Make the vault, or whatever is asked once it is there."""
        if self._made:
            return self._made.begin(action_id, arguments)
        workflow = create_vault(str(self._vault), self._make)
        return Conversation(workflow, MemoryStates(), Session())

    def _make(self, name: str, email: str) -> None:
        make_vault(self._vault, built_in_profile(), name, email)
        self._made = _open(open_workbench(self._vault))

    def journal_lines(self) -> tuple[JournalLine, ...]:
        """Nothing happened yet."""
        return self._made.journal_lines() if self._made else ()

    def checks(self) -> tuple[Page, ...]:
        """The host's checks need no vault."""
        return self._made.checks() if self._made else (host_page(self._host.facts()),)

    def status(self) -> StatusBar:
        """Air gap and clock."""
        return status_bar(self._host.facts(), clock().now())

    def media(self) -> tuple[Medium, ...]:
        """Not looked for before there is a vault."""
        return self._made.media() if self._made else ()

    def lock(self) -> None:
        """Forget every secret."""
        if self._made:
            self._made.lock()

    def close(self) -> None:
        """Release the vault, if there is one."""
        if self._made:
            self._made.close()
