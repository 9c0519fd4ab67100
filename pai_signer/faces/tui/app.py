"""The hardened app: what Textual would print, copy or run is taken out of it (SEC-2)."""

import asyncio
import signal
import traceback
from typing import Any, ClassVar, Final

from textual.app import App
from textual.binding import Binding, BindingType
from textual.events import Event, Key, Paste, Resize
from textual.timer import Timer
from textual.worker import WorkerFailed

from pai_signer.domain.page import Line, Page
from pai_signer.errors import EXIT_BUG, EXIT_CANCELLED, EXIT_DONE, SignerError
from pai_signer.faces.desk import Desk, StatusBar
from pai_signer.faces.tui.driver import TerminalDriver
from pai_signer.faces.tui.environment import Look
from pai_signer.faces.tui.screens.conversation import ConversationScreen
from pai_signer.faces.tui.screens.frame import Frame
from pai_signer.faces.tui.screens.help import HelpScreen, PageScreen, TopicsScreen
from pai_signer.faces.tui.screens.home import HomeScreen
from pai_signer.faces.tui.screens.notices import AskScreen, LockScreen
from pai_signer.faces.tui.screens.records import JournalScreen
from pai_signer.faces.tui.shell import Shell
from pai_signer.faces.wording import MIN_COLUMNS, MIN_ROWS, crash_text

IDLE_LOCK_S: Final = 600.0
_STATUS_S: Final = 5.0
_HANG_UP_S: Final = 1.0
_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT)
_HELP: Final = (HelpScreen, TopicsScreen, PageScreen)
_LEAVE_KEYS: Final = frozenset({"ctrl+q", "f10"})


class SignerApp(App[int], inherit_bindings=False):
    """Home and everything that it leads to."""

    CSS_PATH = "app.tcss"
    TITLE = "pai-signer"
    ENABLE_COMMAND_PALETTE = False
    COMMANDS: ClassVar[Any] = set()
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1,question_mark", "help", show=False),
        Binding("f2", "journal", show=False),
        Binding("f5", "rescan", show=False),
        Binding("f8", "lock", show=False),
        Binding("f10,ctrl+q", "leave", show=False),
    ]

    def __init__(self, desk: Desk, look: Look, *, idle_lock_s: float = IDLE_LOCK_S) -> None:
        # Before Textual's own constructor, which picks its colour filters by the theme.
        self.set_reactive(App.theme, look.theme)
        super().__init__(driver_class=TerminalDriver)
        self.shell = Shell(desk, look)
        #: Kind and place of the exception that ended the app; never its message.
        self.crash: str | None = None
        #: Whether the terminal is below the least size, and everything is covered.
        self.is_too_small = False
        self._idle_lock_s = idle_lock_s
        self._idle: Timer | None = None
        self._asking_status = False

    # --- life -----------------------------------------------------------------------

    def get_default_screen(self) -> HomeScreen:
        """Home."""
        return HomeScreen(self.shell)

    def on_mount(self) -> None:
        """Take the signals, start the clock and the idle lock."""
        loop = asyncio.get_running_loop()
        # Asyncio would print the exception of a lost task, and that may hold a value.
        loop.set_exception_handler(lambda _loop, _context: None)
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._stop_on_signal)
        self._idle = self.set_interval(self._idle_lock_s, self.action_lock)
        self.set_interval(_STATUS_S, self._ask_status)
        self.set_interval(_HANG_UP_S, self._stop_if_hung_up)
        self._ask_status()

    def on_unmount(self) -> None:
        """Give the signals back."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)

    def leave(self, return_code: int = EXIT_DONE) -> None:
        """End the app; a step that is running is asked to stop, and is waited for."""
        for screen in self._frames():
            if isinstance(screen, ConversationScreen):
                screen.cancel_work()
        self.exit(return_code, return_code=return_code)

    def _stop_on_signal(self) -> None:
        self.leave(EXIT_CANCELLED)

    def _stop_if_hung_up(self) -> None:
        # Without a controlling terminal no SIGHUP comes.
        if isinstance(self._driver, TerminalDriver) and self._driver.is_hung_up:
            self.leave(EXIT_CANCELLED)

    def _frames(self) -> list[Frame]:
        return [screen for screen in self.screen_stack if isinstance(screen, Frame)]

    # --- the title row --------------------------------------------------------------

    def _ask_status(self) -> None:
        if not self._asking_status:
            self._asking_status = True
            self.run_worker(self._fetch_status(), name="status", description="status")

    async def _fetch_status(self) -> None:
        try:
            self.shell.status = await asyncio.to_thread(self.shell.desk.status)
        except SignerError:
            self.shell.status = StatusBar("UNKNOWN", "")
        finally:
            self._asking_status = False
        for screen in self._frames():
            screen.show_status()

    # --- keys -----------------------------------------------------------------------

    @property
    def is_locked(self) -> bool:
        """Whether the lock screen hides everything."""
        return any(isinstance(screen, LockScreen) for screen in self.screen_stack)

    async def on_event(self, event: Event) -> None:
        """Count every key as a sign of life; unseen screens get none."""
        if isinstance(event, Key | Paste) and not event.is_forwarded:
            if self._idle is not None:
                self._idle.reset()
            if self.is_too_small:
                if isinstance(event, Key) and event.key in _LEAVE_KEYS and not self._refusal():
                    self.leave()
                return
        await super().on_event(event)

    def on_resize(self, event: Resize) -> None:
        """Cover everything below the least size."""
        self.is_too_small = event.size.width < MIN_COLUMNS or event.size.height < MIN_ROWS
        self.set_class(self.is_too_small, "-too-small")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No way around the lock: none of the app's keys works under it."""
        return not self.is_locked and super().check_action(action, parameters)

    def action_help(self) -> None:
        """Help for this screen; none on top of help."""
        screen = self.screen
        if isinstance(screen, Frame) and not isinstance(screen, _HELP):
            self.push_screen(HelpScreen(self.shell, screen.HELP_PAGE, screen.help_topic))

    def action_journal(self) -> None:
        """The journal, from anywhere."""
        if not any(isinstance(screen, JournalScreen) for screen in self.screen_stack):
            self.push_screen(JournalScreen(self.shell))

    def action_rescan(self) -> None:
        """Look afresh."""
        if isinstance(self.screen, Frame):
            self.screen.rescan()

    def action_lock(self) -> None:
        """Hide everything and wipe secrets: at once, but for those a running step uses."""
        if self.is_locked:
            return
        is_working = any(screen.is_working for screen in self._frames())
        for screen in self._frames():
            screen.on_lock()
        if not is_working:
            self.shell.desk.lock()
        self.push_screen(LockScreen(self.shell))

    def action_leave(self) -> None:
        """Leave after asking; refused while a step runs that has to finish."""
        refusal = self._refusal()
        if refusal:
            if isinstance(self.screen, Frame):
                self.screen.say(refusal, alarm=True)
            return
        page = Page(
            "Leave pai-signer?",
            (
                Line("Finished steps are saved; Home offers them again."),
                Line("Passphrases are forgotten. Work that is running is cancelled."),
            ),
        )
        self.push_screen(AskScreen(self.shell, page, "Leave", "Stay", self._leave_unless_refused))

    def _leave_unless_refused(self) -> None:
        # Asked again: a step may have passed its point of no return meanwhile.
        refusal = self._refusal()
        if not refusal:
            self.leave()
        elif isinstance(self.screen, Frame):
            self.screen.say(refusal, alarm=True)

    def _refusal(self) -> str:
        return next((s.quit_refusal for s in self._frames() if s.quit_refusal), "")

    # --- what Textual must not do (PITFALLS: Secrets in Python and Textual) ------------

    def copy_to_clipboard(self, text: str) -> None:
        """Nothing leaves by an escape sequence."""

    def open_url(self, url: str, *, new_tab: bool = True) -> None:
        """There is no browser here."""

    def _set_pointer_shape(self, shape: str) -> None:
        """There is no pointer, and not every console swallows the sequence."""

    def panic(self, *renderables: Any) -> None:
        """End without printing what was to be printed; the key thread's way to crash."""
        if self.crash is None and not self._exit:
            self.crash = crash_text("an error", "the terminal's input")
        self._fatal_error()

    def _handle_exception(self, error: Exception) -> None:
        if self.crash is None:
            self.crash = describe_crash(error)
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._fatal_error()

    def _fatal_error(self) -> None:
        # Textual would render a traceback with local variables here.
        if not self._exit or self.crash is not None:
            self._return_code = EXIT_BUG
        self._close_messages_no_wait()

    def _print_error_renderables(self) -> None:
        self._exit_renderables.clear()


def describe_crash(error: BaseException) -> str:
    """The crash text for ``error``: its kind and the last place in our own code."""
    cause = error.error if isinstance(error, WorkerFailed) else error
    place = "an unknown place"
    for frame in traceback.extract_tb(cause.__traceback__):
        if "pai_signer" in frame.filename:
            place = f"{frame.filename.rpartition('pai_signer')[2].strip('/')}:{frame.lineno}"
    return crash_text(type(cause).__name__, place)
