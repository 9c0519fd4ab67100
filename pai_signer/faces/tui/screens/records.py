"""What can only be read: the journal and the checks."""

from collections.abc import Sequence
from typing import ClassVar, Final

from textual.binding import Binding, BindingType

from pai_signer.domain.page import Page
from pai_signer.errors import SignerError
from pai_signer.faces import wording
from pai_signer.faces.desk import JournalLine
from pai_signer.faces.rows import Layout, Row
from pai_signer.faces.tui.screens.frame import Frame, hints
from pai_signer.faces.tui.shell import Shell
from pai_signer.faces.tui.widgets.text_field import TextField

_ALL: Final = ""


class JournalScreen(Frame):
    """Every entry with its command; a search and a filter by kind of event."""

    HELP_PAGE: ClassVar[Page] = Page(
        "Journal",
        hints(
            ("/", "search as you type; Enter keeps it, Esc ends it"),
            ("f", "filter: all events, then one kind after the other"),
            ("Up, Down, PgUp, PgDn", "read; the newest entry is the last"),
        ),
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", show=False),
        Binding("f", "filter", show=False),
    ]

    def __init__(self, shell: Shell) -> None:
        super().__init__(shell)
        self._lines: tuple[JournalLine, ...] = ()
        self._search = ""
        self._kind = _ALL

    def on_mount(self) -> None:
        """Read it."""
        self.entitle("Journal")
        self.offer("/ search", "f filter", "F5 read again", "Esc back")
        self.rescan()

    def rescan(self) -> None:
        """Read the journal and check its chain."""
        self.say(wording.ONE_MOMENT)
        self.in_background(self.shell.desk.journal_lines, self._take, self._fail)

    def action_search(self) -> None:
        """Open the search field."""
        field = next(iter(self.query(TextField)), None)
        if field is None:
            field = TextField(lat15=self.shell.look.lat15)
            self.ask.mount(field)
        field.focus()

    def action_filter(self) -> None:
        """The next kind of event."""
        kinds = [_ALL, *sorted({_kind(line) for line in self._lines})]
        at = kinds.index(self._kind) if self._kind in kinds else 0
        self._kind = kinds[(at + 1) % len(kinds)]
        self._show()

    def action_back(self) -> None:
        """End the search, else leave."""
        fields = self.query(TextField)
        if not fields:
            super().action_back()
            return
        fields.remove()
        self._search = ""
        self.body.focus()
        self._show()

    def on_text_field_edited(self, event: TextField.Edited) -> None:
        """Search as the operator types."""
        self._search = event.value.casefold()
        self._show()

    def on_text_field_submitted(self, event: TextField.Submitted) -> None:
        """Keep the search and read."""
        self.body.focus()

    def _take(self, lines: tuple[JournalLine, ...]) -> None:
        self._lines = lines
        self.body.focus()
        self._show()

    def _fail(self, error: SignerError) -> None:
        self._lines = ()
        self.show_error(error)
        self.body.focus()
        self.say("The journal could not be read.", alarm=True)

    def _show(self) -> None:
        found = [line for line in self._lines if self._is_wanted(line)]
        self.body.show(lambda layout: _journal_rows(found, layout), at_end=True)
        kind = f", only {self._kind}" if self._kind else ""
        search = f", with {self._search!r}" if self._search else ""
        self.say(f"{len(found)} of {len(self._lines)} entries{kind}{search}")

    def _is_wanted(self, line: JournalLine) -> bool:
        text = f"{line.number} {line.time} {line.event} {line.text} {line.command}".casefold()
        return self._search in text and self._kind in (_ALL, _kind(line))


def _kind(line: JournalLine) -> str:
    """The word before the point: ``release`` for ``release.signed``."""
    return line.event.partition(".")[0]


def _journal_rows(lines: Sequence[JournalLine], layout: Layout) -> Sequence[Row]:
    if not lines:
        return layout.text("No entry to show.")
    rows: list[Row] = []
    for line in lines:
        rows.extend(layout.heading(f"{line.number}  {line.time}  {line.event}"))
        if line.text:
            rows.extend(layout.text(line.text, indent=4))
        if line.command:
            rows.extend(layout.text(f"$ {line.command}", indent=4))
    return rows


class ChecksScreen(Frame):
    """Air gap, clock, swap, memory, entropy, tools, terminal: each with its next action."""

    HELP_PAGE: ClassVar[Page] = Page("Checks", hints(("F5", "check again"), ("Up, Down", "read")))

    def on_mount(self) -> None:
        """Check."""
        self.entitle("Checks")
        self.offer("F5 check again", "PgUp PgDn read", "Esc back")
        self.rescan()

    def rescan(self) -> None:
        """Read the machine afresh."""
        self.say(wording.ONE_MOMENT)
        self.in_background(self.shell.desk.checks, self._show, self._fail)

    def _show(self, pages: tuple[Page, ...]) -> None:
        self.body.show(lambda layout: layout.pages(pages))
        self.body.focus()
        self.say_rows()

    def _fail(self, error: SignerError) -> None:
        self.show_error(error)
        self.say("The checks could not be made.", alarm=True)
