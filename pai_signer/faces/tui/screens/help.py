"""F1: the keys of the screen one is on, and the pages to read offline."""

from typing import ClassVar, Final

from textual.binding import Binding, BindingType

from pai_signer.domain.page import Line, Page
from pai_signer.faces import wording
from pai_signer.faces.topics import TOPICS, Topic, source_of
from pai_signer.faces.tui.screens.frame import Frame, hints
from pai_signer.faces.tui.shell import Shell
from pai_signer.faces.tui.widgets.menu import Menu, MenuLine

EVERYWHERE: Final = Page(
    "Everywhere",
    hints(
        ("F1 or ?", "this help, and from here the pages"),
        ("Esc", "back"),
        ("F2", "the journal"),
        ("F5", "look again (media, keys, checks)"),
        ("F8", "lock: hides everything, wipes secrets"),
        ("F10 or Ctrl+Q", "leave; asked first, refused while signing"),
        ("Tab", "between the question and the page above it"),
        ("PgUp, PgDn, Up, Down", "read"),
    ),
)


class HelpScreen(Frame):
    """The keys of the screen below; Enter opens the page that fits it, F1 the list of pages."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "read", show=False),
        Binding("f1,question_mark", "topics", show=False),
    ]

    def __init__(self, shell: Shell, page: Page, topic: Topic) -> None:
        super().__init__(shell)
        self._page = page
        self._topic = topic

    def on_mount(self) -> None:
        """Show it."""
        self.entitle("Help")
        pages = [self._page] if self._page.lines else []
        self.body.show(lambda layout: layout.pages([*pages, EVERYWHERE]))
        self.body.focus()
        self.say(f"To read: {self._topic.title}")
        self.offer_only(f"Enter the page '{self._topic.name}'", "F1 all pages", "Esc back")

    def action_read(self) -> None:
        """The page that fits."""
        self.app.push_screen(PageScreen(self.shell, self._topic))

    def action_topics(self) -> None:
        """All pages."""
        self.app.push_screen(TopicsScreen(self.shell, self._topic))


class TopicsScreen(Frame):
    """All pages by number; the one that fits is highlighted."""

    def __init__(self, shell: Shell, topic: Topic) -> None:
        super().__init__(shell)
        self._topic = topic

    def on_mount(self) -> None:
        """Offer them."""
        self.entitle("Help · All pages")
        page = Page("Pages to read", (Line("On the command line: pai-signer help TOPIC"),))
        self.body.can_focus = False
        self.body.show(lambda layout: layout.page(page))
        menu = Menu(
            [MenuLine(topic.title) for topic in TOPICS],
            lat15=self.shell.look.lat15,
            selected=TOPICS.index(self._topic),
        )
        self.ask.mount(menu)
        menu.focus()
        self.offer_only("digit or Enter picks", "Esc back")

    def on_menu_half_typed(self, event: Menu.HalfTyped) -> None:
        """What the menu waits for."""
        self.say(wording.half_typed(event.number), alarm=True)

    def on_menu_moved(self) -> None:
        """What was said of another line is past."""
        self.say("")

    def on_menu_picked(self, event: Menu.Picked) -> None:
        """Open it."""
        if self.app.screen is self:  # else it was covered since the key was pressed
            self.app.push_screen(PageScreen(self.shell, TOPICS[event.index]))


class PageScreen(Frame):
    """One page."""

    def __init__(self, shell: Shell, topic: Topic) -> None:
        super().__init__(shell)
        self._topic = topic

    def on_mount(self) -> None:
        """Show it from its start."""
        # Loaded with the first page: the reader of Markdown would delay the app's first paint.
        from pai_signer.faces.markdown_rows import markdown_rows  # noqa: PLC0415 - a parser that only a page needs

        self.entitle(f"Help · {self._topic.name}")
        source = source_of(self._topic)
        self.body.show(lambda layout: markdown_rows(source, layout))
        self.body.focus()
        self.offer_only("PgUp PgDn Up Down read", "Esc back")
