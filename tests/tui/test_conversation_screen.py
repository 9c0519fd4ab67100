"""The one screen that renders every step (FACE-1, FACE-3, REV-1, REV-2)."""

import pytest
from textual.events import Paste

from pai_signer.workflows.engine import Session, unfinished_work
from tests.tui.driving import driven
from tests.tui.fake_desk import FakeDesk


async def test_the_whole_job_from_home_to_receipt_by_keyboard() -> None:
    async with driven() as it:
        await it.begin()
        await it.to_passphrase()
        await it.enter_passphrase("swordfish")
        await it.until("SHA256SUMS.minisig made", "verified", "Done.")
        await it.press("enter")
        assert "Receipt" in await it.until("Receipt")
        await it.press("enter")
        await it.until("Import and sign a release")
        assert it.desk.world.entered == [b"swordfish"]
        assert it.desk.store.saved == {}


async def test_a_question_is_armed_on_the_last_page_only() -> None:
    async with driven() as it:
        await it.begin()
        await it.press("1")
        await it.until("page 1 of 3", "There are more pages.")
        assert "These are the files." not in it.screen()
        await it.press("enter", "enter")
        await it.until("page 3 of 3", "more below")
        assert "These are the files." not in it.screen()
        await it.press("enter")
        await it.until("Rows 19 to 37 of 42")
        assert "These are the files." not in it.screen()
        await it.press("enter")
        await it.until("row 40", "This is the end of the page")
        assert "These are the files." not in it.screen()
        await it.press("enter")
        await it.until("These are the files.", "row 40")


async def test_the_question_goes_away_when_reading_starts_again() -> None:
    async with driven() as it:
        await it.begin()
        await it.to_files()
        await it.press("r")
        await it.until("page 1 of 3")
        assert "These are the files." not in it.screen()
        await it.press("enter", "b")
        await it.until("page 1 of 3")


async def test_b_walks_back_to_the_step_before_and_asks_it_again() -> None:
    async with driven() as it:
        await it.begin()
        await it.press("1")
        await it.until("page 1 of 3")
        await it.press("b")
        await it.until("Which medium")
        await it.press("b")
        await it.until("There is no earlier step to return to.")


async def test_walking_back_passes_over_a_step_that_would_only_run_again() -> None:
    async with driven() as it:
        await it.begin()
        await it.to_review()
        await it.press("escape")
        await it.until("was read aloud?")
        await it.press("b")  # the step before, Checksum, starts by itself
        await it.until("page 1 of 3")


async def test_esc_on_the_first_step_leaves_to_home_and_keeps_the_work() -> None:
    async with driven() as it:
        await it.begin()
        await it.press("1")
        await it.until("page 1 of 3")
        await it.press("f10", "n")
        await it.press("b")
        await it.until("Which medium")
        await it.press("escape")
        await it.until("Import and sign a release", "Resume")


async def test_unfinished_work_resumes_where_it_stood() -> None:
    desk = FakeDesk()
    async with driven(desk) as it:
        await it.begin()
        await it.press("1")
        await it.until("page 1 of 3")
    assert [work.step for work in unfinished_work(desk.store)] == ["names"]
    async with driven(desk) as it:
        await it.until("Resume")
        await it.press("4")
        await it.until("page 1 of 3", "Release v0.2.0 · Inspect")


async def test_discard_is_asked_and_forgets_the_work() -> None:
    async with driven() as it:
        await it.begin()
        await it.press("1")
        await it.until("page 1 of 3")
        await it.press("d")
        await it.until("Discard this work?")
        await it.press("enter")  # "keep it" is highlighted
        await it.until("page 1 of 3")
        assert it.desk.world.discarded == 0
        await it.press("d", "y")
        await it.until("Import and sign a release")
        assert it.desk.world.discarded == 1
        assert it.desk.store.saved == {}
        assert "Resume" not in it.screen()


async def test_a_menu_line_that_cannot_be_chosen_says_why() -> None:
    async with driven() as it:
        await it.begin()
        await it.press("2")
        await it.until("Which medium", "it is not mounted")
        assert it.row(-2).strip() == "it is not mounted"
        assert it.desk.store.saved == {}


async def test_f5_asks_the_question_again_for_a_medium_plugged_in_meanwhile() -> None:
    desk = FakeDesk()
    desk.world.media.clear()
    async with driven(desk) as it:
        await it.begin()
        await it.until("No medium  (not now: nothing is plugged in)")
        desk.world.media.append("LATE_STICK")
        await it.press("f5")
        await it.until("1  LATE_STICK")


async def test_a_folder_can_be_typed_edited_and_pasted() -> None:
    async with driven() as it:
        await it.begin()
        await it.press("3")
        await it.until("Type the folder's path")
        await it.press("enter")
        await it.until("It may not be empty.")
        await it.write("/medx")
        await it.press("backspace", "i", "a", "home", "delete", "slash", "end")
        await it.until("/media")
        it.app.post_message(Paste("/x\x1b[31m\n/second line"))
        await it.until("/media/x[31m")
        await it.press("enter")
        await it.until("page 1 of 3")
        conversation = it.desk.store.saved["import.v0.2.0"]
        assert b'"path":"/media/x[31m"' in conversation


async def test_letters_typed_into_a_field_are_no_commands() -> None:
    async with driven() as it:
        await it.begin()
        await it.press("3")
        await it.until("Type the folder's path")
        await it.write("dbrc?")
        await it.until("dbrc?")
        await it.press("tab", "r")
        await it.until("Type the folder's path")


async def test_the_version_has_to_be_typed_exactly() -> None:
    async with driven() as it:
        await it.begin()
        await it.to_review()
        await it.write("v0.2.1")
        await it.press("enter")
        await it.until("It has to be exactly 'v0.2.0'.")
        await it.press("backspace", "0", "enter")
        await it.until("Passphrase of the minisign key")


async def test_no_is_highlighted_and_yes_has_to_be_picked() -> None:
    async with driven() as it:
        await it.begin()
        await it.to_files()
        await it.press("enter")
        await it.until("The witness acts now.", "was read aloud?")
        await it.press("enter")
        await it.until("Type v0.2.0")
        assert b'"sure":"no"' in it.desk.store.saved["import.v0.2.0"]


async def test_an_error_says_what_happened_what_is_unchanged_and_what_to_do() -> None:
    desk = FakeDesk()
    desk.world.fail_hash = 2
    async with driven(desk) as it:
        await it.begin()
        await it.to_files()
        await it.press("enter")
        shown = await it.until("IMP-3/read")
        assert r"Reading esc\x1b]0;owned\x07\x1b[31m.iso failed." in shown
        assert "Nothing was signed; the medium was only read." in shown
        assert "Plug the medium in again." in shown
        await it.press("enter")
        await it.until("IMP-3/read")
        assert desk.world.fail_hash == 0
        await it.press("enter")
        await it.until("was read aloud?")


async def test_after_an_error_one_can_walk_back_or_discard() -> None:
    desk = FakeDesk()
    desk.world.fail_hash = 9
    async with driven(desk) as it:
        await it.begin()
        await it.to_files()
        await it.press("enter")
        await it.until("IMP-3/read")
        await it.press("b")
        await it.until("page 1 of 3")
        await it.press("d", "y")
        await it.until("Import and sign a release")
        assert desk.world.discarded == 1


async def test_a_workflow_that_cannot_begin_shows_the_error() -> None:
    async with driven() as it:
        await it.until("Something that fails")
        await it.press("3")
        await it.until("No a[/b].iso here.", "IMP-1/x")
        assert "d discard" not in it.row(-1)
        await it.press("escape")
        await it.until("Import and sign a release")


async def test_bytes_rate_and_time_left_are_shown_while_hashing() -> None:
    desk = FakeDesk()
    desk.world.slow_s = 3
    async with driven(desk) as it:
        await it.begin()
        await it.to_files()
        await it.press("enter")
        await it.until("of 1,000,000,000 bytes", "MB/s", "left", "░")
        await it.press("c")


async def test_c_cancels_running_work_and_the_step_can_be_tried_again() -> None:
    desk = FakeDesk()
    desk.world.slow_s = 5
    async with driven(desk) as it:
        await it.begin()
        await it.to_files()
        await it.press("enter")
        await it.until("Working")
        await it.press("c")
        await it.until("FACE-3/cancelled", "Stopped, as you asked", within_s=2)
        desk.world.slow_s = 0
        await it.press("enter")
        await it.until("was read aloud?")


async def test_a_wrong_passphrase_is_wiped_and_asked_again() -> None:
    async with driven() as it:
        await it.begin()
        await it.to_passphrase()
        await it.enter_passphrase("wrong")
        await it.until("The passphrase is wrong.", "KEY-1/passphrase")
        assert it.desk.world.entered == [b"wrong"]
        assert all(secret.is_empty for secret in it.desk.world.secrets)
        await it.press("enter")
        await it.until("Passphrase of the minisign key")


async def test_finishing_wipes_the_session() -> None:
    async with driven() as it:
        await it.begin()
        await it.to_passphrase()
        await it.enter_passphrase("swordfish")
        await it.until("Done.")
        await it.press("enter")
        await it.until("Receipt")
        assert all(secret.is_empty for secret in it.desk.world.secrets)


@pytest.mark.parametrize("key", ["escape", "b"])
async def test_nothing_leaves_a_step_that_is_running(key: str) -> None:
    desk = FakeDesk()
    desk.world.hold.clear()
    async with driven(desk) as it:
        await it.begin()
        await it.to_passphrase()
        await it.enter_passphrase("swordfish")
        await it.until("this step has to finish")
        await it.press(key, "d", "enter", "r")
        assert "SHA256SUMS.minisig made" in it.screen()
        desk.world.hold.set()
        await it.until("verified")


async def test_leaving_a_conversation_wipes_its_session() -> None:
    async with driven() as it:
        await it.begin()

        class Held:
            wiped = False

            def wipe(self) -> None:
                self.wiped = True

        held = Held()
        session: Session = it.desk.sessions[-1]
        session.hold("x", held)
        await it.press("escape")
        await it.until("Import and sign a release")
        assert held.wiped
