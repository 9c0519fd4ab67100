"""Every screen at 80x24, hostile names and all (SEC-3, FACE-2, FACE-5)."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pai_signer.domain.page import Line, Page
from pai_signer.errors import JournalTampered, MediumError
from pai_signer.faces.desk import Action, JournalLine
from pai_signer.faces.rows import CONSOLE_EXTRAS
from pai_signer.faces.tui.environment import CALM, CONSOLE, Look
from pai_signer.faces.tui.screens.conversation import ConversationScreen
from tests.tui.driving import Driven, driven
from tests.tui.fake_desk import FakeDesk

CAPTURES = Path(__file__).with_name("captures")


async def home(it: Driven) -> None:
    await it.until("Import and sign", "read-only, not mounted")


async def medium(it: Driven) -> None:
    await it.begin()


async def inspect(it: Driven) -> None:
    await it.begin()
    await it.press("1")
    await it.until("page 1 of 3")


async def digests(it: Driven) -> None:
    await inspect(it)
    await it.press("enter")
    await it.until("page 2 of 3")


async def sure(it: Driven) -> None:
    await it.begin()
    await it.to_files()
    await it.press("enter")
    await it.until("was read aloud?")


async def review(it: Driven) -> None:
    await it.begin()
    await it.to_review()


async def passphrase(it: Driven) -> None:
    await it.begin()
    await it.to_passphrase()


async def signed(it: Driven) -> None:
    await passphrase(it)
    await it.enter_passphrase("swordfish")
    await it.until("Done.")


async def receipt(it: Driven) -> None:
    await signed(it)
    await it.press("enter")
    await it.until("Receipt")


async def error(it: Driven) -> None:
    it.desk.world.fail_hash = 9
    await it.begin()
    await it.to_files()
    await it.press("enter")
    await it.until("IMP-3/read")


async def journal(it: Driven) -> None:
    await home(it)
    await it.press("f2")
    await it.until("20 of 20 entries")


async def checks(it: Driven) -> None:
    await home(it)
    await it.press("5")
    await it.until("Air gap")


async def help_screen(it: Driven) -> None:
    await home(it)
    await it.press("f1")
    await it.until("Everywhere")


async def page(it: Driven) -> None:
    await help_screen(it)
    await it.press("enter")
    await it.until("Help · first-evening", "more below")


async def all_pages(it: Driven) -> None:
    await help_screen(it)
    await it.press("f1")
    await it.until("pai-signer help TOPIC", "The first evening")


async def locked(it: Driven) -> None:
    await home(it)
    await it.press("f8")
    await it.until("Enter unlock")


async def leaving(it: Driven) -> None:
    await home(it)
    await it.press("f10")
    await it.until("Leave pai-signer?")


async def discarding(it: Driven) -> None:
    await inspect(it)
    await it.press("d")
    await it.until("Discard this work?")


SCREENS: dict[str, Callable[[Driven], Awaitable[None]]] = {
    "home": home,
    "medium": medium,
    "inspect": inspect,
    "digests": digests,
    "sure": sure,
    "review": review,
    "passphrase": passphrase,
    "signed": signed,
    "receipt": receipt,
    "error": error,
    "journal": journal,
    "checks": checks,
    "help": help_screen,
    "page": page,
    "all-pages": all_pages,
    "locked": locked,
    "leaving": leaving,
    "discarding": discarding,
}


@pytest.mark.parametrize("look", [CALM, CONSOLE, Look("ansi-dark", lat15=False)])
@pytest.mark.parametrize("name", ["home", "inspect", "sure", "signed", "error", "journal"])
async def test_hostile_names_are_shown_escaped_and_do_nothing(name: str, look: Look) -> None:
    async with driven(FakeDesk(is_rehearsal=True), look=look) as it:
        await SCREENS[name](it)
        shown = it.screen()
        for row in shown.split("\n"):
            assert row.isprintable()
        assert "\u202e" not in shown
        assert "\u05d0" not in shown
        assert "REHEARSAL" in it.row(0)
        assert it.app.return_code is None


async def test_markup_in_names_stands_as_it_is() -> None:
    async with driven() as it:
        await inspect(it)
        shown = it.screen()
        assert "a[/b].iso" in shown
        assert "[@click=app.quit]x[/].iso" in shown
        assert r"esc\x1b]0;owned\x07\x1b[31m.iso" in shown
        assert r"new\x0aline.iso" in shown
        assert r"rtl\u202eosi.exe" in shown


@pytest.mark.parametrize("name", SCREENS)
async def test_on_a_console_only_lat15_glyphs_are_used(name: str) -> None:
    async with driven(look=CONSOLE) as it:
        await SCREENS[name](it)
        frame = frozenset("┌┐└┘")
        for char in set(it.screen()) - CONSOLE_EXTRAS - frame - {"\n"}:
            assert char.encode("iso8859-15")


@pytest.mark.parametrize("name", [name for name in SCREENS if name != "passphrase"])
async def test_every_screen_looks_as_it_was_approved(name: str) -> None:
    """Plain text, 24 rows of 80; after a wanted change, delete the file and run again."""
    async with driven(look=CONSOLE) as it:
        await SCREENS[name](it)
        shown = it.screen() + "\n"
    approved = CAPTURES / f"{name}.txt"
    if not approved.exists():
        approved.write_text(shown, "utf-8")
        pytest.fail(f"{approved.name} was missing; it was written anew: read it, then commit it")
    assert shown == approved.read_text("utf-8")


async def test_f1_leads_to_every_page_and_escape_back_to_where_one_was() -> None:
    """FACE-1: the pages that ``help TOPIC`` prints."""
    async with driven() as it:
        await it.begin()
        await it.press("f1")
        await it.until("Everywhere", "Enter the page 'first-evening'")
        await it.press("f1")
        await it.until("Each claim with its check")
        await it.press("3")
        await it.until("Help · custody", "Who holds what")
        await it.press("f1", "pagedown")
        await it.until("Help · custody", "Rows 19 to")
        await it.press("escape", "escape", "escape")
        await it.until("Which medium", "F1 help")


@pytest.mark.parametrize("is_rehearsal", [True, False])
async def test_rehearsal_is_marked_on_every_screen_and_only_there(
    is_rehearsal: bool,
) -> None:
    async with driven(FakeDesk(is_rehearsal=is_rehearsal)) as it:
        await signed(it)
        rows = [it.row(0)]
        for key in ("f2", "escape", "f1", "escape", "f10", "escape", "f8", "enter"):
            await it.press(key)
            rows.append(it.row(0))
        assert [("REHEARSAL" in row) for row in rows] == [is_rehearsal] * len(rows)


async def test_home_shows_state_first_and_lines_that_cannot_be_chosen_say_why() -> None:
    async with driven() as it:
        await home(it)
        assert "402 days left" in it.screen()
        assert "2  Sign v0.3.0  (not now: a[/b].iso is not imported)" in it.screen()
        await it.press("2")
        assert "Not now: a[/b].iso is not imported" in it.row(-2)
        assert len(it.app.screen_stack) == 1
        await it.press("down")
        assert "Not now" not in it.screen()


async def test_home_and_end_highlight_the_first_and_the_last_line_of_a_menu() -> None:
    async with driven() as it:
        await home(it)
        await it.press("end", "enter")
        await it.until("Checks", "Esc back")
        await it.press("escape")
        await it.press("home", "enter")
        await it.until("Which medium holds the release?")


async def test_home_that_cannot_be_read_says_so_and_looks_again() -> None:
    desk = FakeDesk()
    desk.home_error = JournalTampered("JRN-2/chain", "The journal breaks.", "Do not sign.")
    async with driven(desk) as it:
        await it.until("The journal breaks.", "JRN-2/chain")
        desk.home_error = None
        await it.press("enter")
        await home(it)


async def test_arrows_and_enter_pick_a_line_too() -> None:
    async with driven() as it:
        await home(it)
        await it.press("up", "enter")
        await it.until("Air gap")


async def test_the_journal_is_searched_and_filtered() -> None:
    async with driven() as it:
        await journal(it)
        await it.press("slash")
        await it.write("V0.12")
        await it.until("1 of 20 entries, with 'v0.12'", "$ pai-signer release show v0.12.0")
        await it.press("escape")
        await it.until("20 of 20 entries")
        await it.press("f")
        await it.until("10 of 20 entries, only key")
        await it.press("f")
        await it.until("10 of 20 entries, only release")
        await it.press("escape")
        await home(it)


async def test_the_journal_opens_over_running_work_and_goes_again() -> None:
    desk = FakeDesk()
    desk.world.slow_s = 4
    async with driven(desk) as it:
        await it.begin()
        await it.to_files()
        await it.press("enter")
        await it.until("Working")
        await it.press("f2")
        await it.until("20 of 20 entries")
        await it.press("f2", "escape")
        await it.until("Working")
        await it.press("c")
        await it.until("FACE-3/cancelled")


async def test_default_bindings_of_textual_do_nothing() -> None:
    async with driven() as it:
        await home(it)
        before = it.screen()
        await it.press("ctrl+p", "ctrl+c", "ctrl+backslash", "ctrl+z", "ctrl+s")
        assert it.screen() == before
        assert len(it.app.screen_stack) == 1
        assert not it.app._notifications


def many_actions() -> tuple[Action, ...]:
    return tuple(Action("release.import", f"Line number {n}") for n in range(1, 24))


async def test_a_menu_longer_than_the_screen_scrolls_and_says_that_there_is_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FakeDesk, "actions", lambda _self: many_actions())
    async with driven() as it:
        await it.until("402 days left", "Line number 1", "… more below")
        await it.press("up")
        await it.until("25  Checks of this machine", "… more above")
        assert "402 days left" in it.screen()
        assert "more below" not in it.screen()
        await it.press("2")
        await it.until("2: Enter picks this line, or type the next digit.")
        await it.press("f5")
        await it.until("2: Enter picks this line, or type the next digit.")
        await it.press("5")
        await it.until("Air gap")


async def test_a_rescan_keeps_what_is_highlighted() -> None:
    async with driven() as it:
        await home(it)
        await it.press("down", "f5")
        await it.until("F5 rescan")
        await it.press("enter")
        await it.until("Not now: a[/b].iso is not imported")


async def test_an_error_longer_than_the_screen_is_read_before_it_is_tried_again() -> None:
    desk = FakeDesk()
    desk.world.fail_hash = 1
    async with driven(desk) as it:
        await it.begin()
        await it.to_files()
        long = MediumError("IMP-3/read", "word " * 400, "Plug the medium in again.")
        assert isinstance(it.app.screen, ConversationScreen)
        it.app.screen._fail(long)
        await it.until("Rows 1 to 19", "more below", "Enter read on")
        await it.press("enter")
        await it.until("Rows 19 to 37")
        await it.press("enter")
        await it.until("IMP-3/read", "Enter try again")
        assert desk.world.fail_hash == 1


async def test_a_group_has_a_screen_of_its_own_and_leads_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    actions = (Action("release.import", "Import"), Action("broken", "In a group", group="Keys"))
    monkeypatch.setattr(FakeDesk, "actions", lambda _self: actions)
    monkeypatch.setattr(FakeDesk, "groups", ("Keys",))
    async with driven() as it:
        shown = await it.until("1  Import", "2  Keys", "3  The journal")
        assert "In a group" not in shown
        await it.press("2")
        shown = await it.until("about a[/b].iso", "1  In a group", "Esc back")
        assert "Import" not in shown
        await it.press("1")
        await it.until("IMP-1/x")
        await it.press("escape")
        await it.until("1  In a group")
        await it.press("escape")
        await it.until("2  Keys")


LONG = Page("Long", tuple(Line(f"fact {n}") for n in range(1, 31)))


async def test_a_state_longer_than_its_room_says_so_and_can_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FakeDesk, "actions", lambda _self: (Action("broken", "Do", group="Keys"),))
    monkeypatch.setattr(FakeDesk, "groups", ("Keys",))
    monkeypatch.setattr(FakeDesk, "group_pages", lambda _self, _group: (LONG,))
    note = "Rows 1 to 12 of 31: more below. PgDn shows it."
    async with driven() as it:
        await it.until("1  Keys")
        await it.press("1")
        await it.until("fact 11", note)
        await it.pilot.pause(0.3)  # it looks twice when it comes up
        assert note in it.row(-2)
        await it.press("f5")
        await it.pilot.pause(0.3)
        assert note in it.row(-2)
        await it.press("down")  # in the menu
        assert note in it.row(-2)
        await it.press("pagedown", "pagedown")
        shown = await it.until("fact 30")
        assert "more below" not in shown


async def test_a_short_state_says_nothing() -> None:
    async with driven() as it:
        await home(it)
        await it.pilot.pause(0.3)
        assert not it.row(-2).strip()


async def test_checks_longer_than_the_screen_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeDesk, "checks", lambda _self: (LONG,))
    async with driven() as it:
        await it.until("Import and sign")
        await it.press("end", "enter")
        await it.until("fact 17", "Rows 1 to 19 of 32: more below.")
        await it.press("pagedown")
        await it.until("fact 30")
        assert not it.row(-2).strip()
        await it.press("f5")
        await it.until("Rows 1 to 19 of 32: more below.")


async def test_an_entry_without_a_subject_takes_no_empty_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = JournalLine(1, "2026-11-23 18:41", "session.begun", "", "backup session")
    monkeypatch.setattr(FakeDesk, "journal_lines", lambda _self: (entry,))
    async with driven() as it:
        await it.until("Import and sign")
        await it.press("f2")
        rows = (await it.until("1 of 1 entries")).split("\n")
        at = next(n for n, row in enumerate(rows) if "session.begun" in row)
        assert "$ backup session" in rows[at + 1]
