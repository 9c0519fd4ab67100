"""The lock (SEC-4), and leaving (FACE-3)."""

import os
import signal
import threading

import pytest

from pai_signer.errors import EXIT_BUG, EXIT_CANCELLED, EXIT_DONE
from pai_signer.faces.tui.app import SignerApp
from pai_signer.faces.tui.secret_field import SecretField
from tests.tui.driving import Driven, driven
from tests.tui.fake_desk import FakeDesk


async def to_a_running_signing(it: Driven) -> None:
    it.desk.world.hold.clear()
    await it.begin()
    await it.to_passphrase()
    await it.enter_passphrase("swordfish")
    await it.until("this step has to finish")


async def test_lock_hides_everything_and_wipes_what_was_typed() -> None:
    async with driven() as it:
        await it.begin()
        await it.to_passphrase()
        await it.write("half")
        field = it.app.screen.query_one(SecretField)
        assert bytes(field._buffer[:4]) == b"half"
        await it.press("f8")
        shown = await it.until("Locked")
        assert "Release" not in shown
        assert "Passphrase of" not in shown
        assert not any(field._buffer)
        assert it.desk.calls == ["lock"]


async def test_no_key_but_enter_opens_the_lock() -> None:
    async with driven() as it:
        await it.until("Import and sign")
        await it.press("f8")
        await it.until("Locked")
        await it.press("escape", "f1", "f2", "f5", "f10", "ctrl+q", "ctrl+c", "ctrl+p", "1", "tab")
        assert len(it.app.screen_stack) == 2
        assert "Locked" in it.screen()
        await it.press("enter")
        await it.until("Import and sign")


async def test_after_the_lock_secrets_are_asked_again() -> None:
    desk = FakeDesk()
    async with driven(desk) as it:
        await it.begin()
        await it.to_passphrase()
        await it.write("half")
        await it.press("f8", "enter")
        await it.until("Passphrase of the minisign key")
        await it.enter_passphrase("swordfish")
        await it.until("Done.")
        assert desk.world.entered == [b"swordfish"]


async def test_work_goes_on_under_the_lock_and_keeps_its_secret_until_it_is_done() -> None:
    desk = FakeDesk()
    async with driven(desk) as it:
        await to_a_running_signing(it)
        await it.press("f8")
        await it.until("Locked")
        assert desk.calls == []  # not while the step needs the key
        desk.world.hold.set()
        await it.pilot.pause(0.5)
        assert desk.world.held_while_working == [True]
        assert desk.calls == ["lock"]
        assert all(secret.is_empty for secret in desk.world.secrets)
        assert "minisig" not in it.screen()
        await it.press("enter")
        await it.until("SHA256SUMS.minisig made", "Done.")


async def test_a_lock_while_a_step_is_prepared_asks_for_the_secret_again() -> None:
    """The step was fetched with the secret at hand; it must not start without it."""
    desk = FakeDesk()
    async with driven(desk) as it:
        await it.begin()
        await it.to_passphrase()
        desk.world.question_hold.clear()
        await it.enter_passphrase("swordfish")
        await it.until("One moment")
        await it.press("f8")
        await it.until("Locked")
        desk.world.question_hold.set()
        await it.pilot.pause(0.3)
        assert all(secret.is_empty for secret in desk.world.secrets)
        await it.press("enter")
        await it.until("Passphrase of the minisign key")
        assert desk.world.held_while_working == []


async def test_a_crash_wipes_what_was_half_typed() -> None:
    seen: list[tuple[SignerApp, SecretField]] = []

    async def crash() -> None:
        async with driven() as it:
            await it.begin()
            await it.to_passphrase()
            await it.write("half")
            field = it.app.screen.query_one(SecretField)
            assert any(field._buffer)
            seen.append((it.app, field))
            it.app._handle_exception(RuntimeError("forced"))

    with pytest.raises(RuntimeError, match="forced"):  # the harness raises it again
        await crash()
    [(app, field)] = seen
    assert not any(field._buffer)
    assert app.return_code == EXIT_BUG
    assert app.crash is not None
    assert "forced" not in app.crash


async def test_the_end_of_work_never_opens_the_lock() -> None:
    """Leaving a screen pops the one on top, which must not be the lock."""
    desk = FakeDesk()
    async with driven(desk) as it:
        await it.begin()
        await it.press("1")
        await it.until("page 1 of 3")
        release = threading.Event()
        forget = desk.store.delete

        def slow_delete(name: str) -> None:
            release.wait(10)
            forget(name)

        desk.store.delete = slow_delete  # type: ignore[method-assign]
        await it.press("d", "y", "f8")
        await it.until("Locked")
        release.set()
        await it.pilot.pause(0.5)
        assert it.app.is_locked
        assert "Locked" in it.screen()
        await it.press("enter")
        await it.until("Import and sign a release")


async def test_the_app_locks_itself_when_nobody_types() -> None:
    async with driven(idle_lock_s=0.6) as it:
        await it.until("Locked", within_s=3)
        assert it.desk.calls == ["lock"]


async def test_typing_keeps_the_app_awake() -> None:
    async with driven(idle_lock_s=1.0) as it:
        for _ in range(5):
            await it.press("down")
            await it.pilot.pause(0.4)
        assert not it.app.is_locked


async def test_leaving_is_asked_and_no_is_highlighted() -> None:
    async with driven() as it:
        await it.until("Import and sign")
        await it.press("f10")
        await it.until("Leave pai-signer?")
        await it.press("enter")
        await it.until("Import and sign")
        await it.press("ctrl+q")
        await it.until("Leave pai-signer?")
        await it.press("y")
        assert it.app.return_code == EXIT_DONE


async def test_leaving_is_refused_while_a_step_has_to_finish() -> None:
    async with driven() as it:
        await to_a_running_signing(it)
        for key in ("f10", "ctrl+q"):
            await it.press(key)
            assert "Leave pai-signer?" not in it.screen()
        assert it.app.return_code is None
        await it.press("c")
        assert "SHA256SUMS.minisig made" in it.screen()
        it.desk.world.hold.set()
        await it.until("Done.")


async def test_leaving_is_refused_if_the_point_of_no_return_passed_while_it_was_asked() -> None:
    desk = FakeDesk()
    async with driven(desk) as it:
        await it.begin()
        await it.to_passphrase()
        desk.world.hold.clear()
        await it.press("f10")
        await it.until("Leave pai-signer?")
        screen = it.app.screen_stack[-2]
        await it.press("escape")
        await it.enter_passphrase("swordfish")
        await it.until("this step has to finish")
        it.app._leave_unless_refused()
        assert it.app.return_code is None
        assert it.app.screen is screen
        desk.world.hold.set()
        await it.until("Done.")


async def test_leaving_cancels_work_that_can_be_cancelled() -> None:
    desk = FakeDesk()
    desk.world.slow_s = 20
    async with driven(desk) as it:
        await it.begin()
        await it.to_files()
        await it.press("enter")
        await it.until("Working")
        await it.press("f10")
        await it.until("Leave pai-signer?")
        await it.press("y")
        assert it.app.return_code == EXIT_DONE
    assert b'"hashed":false' in desk.store.saved["import.v0.2.0"]


async def test_sigterm_ends_the_app_as_cancelled() -> None:
    async with driven() as it:
        await it.until("Import and sign")
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(100):
            if it.app.return_code is not None:
                break
            await it.pilot.pause(0.02)
        assert it.app.return_code == EXIT_CANCELLED


async def test_below_80x24_the_size_is_named_and_keys_do_nothing() -> None:
    async with driven() as it:
        await it.begin()
        await it.pilot.resize_terminal(79, 24)
        await it.until("79x24", "80x24")
        assert "Which medium" not in it.screen()
        await it.press("1", "f8", "f2", "escape")
        await it.pilot.resize_terminal(80, 24)
        await it.until("Which medium")
        assert it.desk.store.saved == {}
        assert it.desk.calls == []


async def test_a_small_terminal_can_still_be_left() -> None:
    async with driven(size=(60, 10)) as it:
        await it.until("60x10")
        await it.press("ctrl+q")
        assert it.app.return_code == EXIT_DONE


async def test_a_half_typed_secret_survives_a_resize_unseen() -> None:
    async with driven() as it:
        await it.begin()
        await it.to_passphrase()
        await it.write("sword")
        await it.pilot.resize_terminal(40, 12)
        await it.until("40x12")
        await it.write("NOT THIS")
        await it.pilot.resize_terminal(100, 40)
        await it.until("Passphrase of the minisign key")
        await it.write("fish")
        await it.press("enter")
        await it.write("swordfish")
        await it.press("enter")
        await it.until("Done.")
        assert it.desk.world.entered == [b"swordfish"]


async def test_any_size_is_survived() -> None:
    async with driven() as it:
        await it.begin()
        for size in ((1, 1), (2, 50), (200, 3), (80, 24), (20, 5), (300, 100), (80, 24)):
            await it.pilot.resize_terminal(*size)
            await it.pilot.pause()
        await it.until("Which medium")
