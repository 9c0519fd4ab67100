"""No message, log, clipboard or picture ever sees a passphrase (SEC-2)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.events import Key, Paste
from textual.message import Message

from pai_signer.faces.tui.secret_field import MAX_BYTES, SecretField
from tests.tui.driving import driven
from tests.tui.fake_desk import CANARY


class FieldApp(App[None]):
    def __init__(self, *, twice: bool) -> None:
        super().__init__()
        self.field = SecretField(twice=twice)
        self.remarks: list[str] = []
        self.entered = 0

    def compose(self) -> ComposeResult:
        yield self.field

    def on_mount(self) -> None:
        self.field.focus()

    def on_secret_field_remark(self, event: SecretField.Remark) -> None:
        self.remarks.append(event.text)

    def on_secret_field_entered(self, event: SecretField.Entered) -> None:
        self.entered += 1

    async def type(self, text: str) -> None:
        for char in text:
            self.post_message(Key(char, char))


@asynccontextmanager
async def field(*, twice: bool = False) -> AsyncIterator[tuple[FieldApp, Any]]:
    app = FieldApp(twice=twice)
    async with app.run_test() as pilot:
        yield app, pilot


def test_messages_of_the_field_have_no_place_for_a_value() -> None:
    assert not hasattr(SecretField.Entered(), "value")
    assert SecretField.Entered().__dict__ == {}
    assert SecretField.Remark("x").__dict__ == {"text": "x"}


async def test_what_is_typed_is_handed_over_and_the_field_keeps_nothing() -> None:
    async with field() as (app, pilot):
        await app.type("pässwörd ☃")
        await pilot.press("enter")
        assert app.entered == 1
        secret = app.field.take()
        assert secret.reveal() == "pässwörd ☃".encode()
        assert not any(app.field._buffer)
        with pytest.raises(RuntimeError):
            app.field.take()


async def test_backspace_drops_a_whole_character() -> None:
    async with field() as (app, pilot):
        await app.type("aä☃")
        await pilot.press("backspace", "backspace", "b", "enter")
        assert app.field.take().reveal() == b"ab"


async def test_ctrl_u_clears() -> None:
    async with field() as (app, pilot):
        await app.type("abc")
        await pilot.press("ctrl+u", "x", "enter")
        assert app.field.take().reveal() == b"x"


async def test_an_empty_secret_is_not_accepted() -> None:
    async with field() as (app, pilot):
        await pilot.press("enter")
        assert app.entered == 0
        assert app.remarks == ["A passphrase may not be empty."]


async def test_twice_compares_and_wipes_both_when_they_differ() -> None:
    async with field(twice=True) as (app, pilot):
        await app.type("one")
        await pilot.press("enter")
        first = app.field._first
        assert first is not None
        await app.type("two")
        await pilot.press("enter")
        assert app.entered == 0
        assert first.is_empty
        assert "not the same" in app.remarks[-1]
        for _ in range(2):
            await app.type("same")
            await pilot.press("enter")
        assert app.entered == 1
        assert app.field.take().reveal() == b"same"


async def test_a_paste_is_taken_unseen_to_its_first_line_end() -> None:
    async with field() as (app, pilot):
        event = Paste("swordfish\nrm -rf")
        app.post_message(event)
        await pilot.press("enter")
        assert app.field.take().reveal() == b"swordfish"


async def test_a_paste_that_does_not_fit_leaves_nothing_behind() -> None:
    async with field() as (app, pilot):
        app.post_message(Paste("x" * (MAX_BYTES + 1)))
        await pilot.pause()
        assert not any(app.field._buffer)
        await pilot.press("enter")
        assert app.entered == 0


async def test_a_paste_that_comes_in_parts_leaves_nothing_behind_either() -> None:
    """The driver gives one character at a time, and nothing at the end of the paste."""
    async with field() as (app, pilot):
        for _ in range(MAX_BYTES + 3):
            app.post_message(Paste("x"))
        await pilot.pause()
        assert not any(app.field._buffer)
        assert app.remarks == [f"A passphrase has at most {MAX_BYTES} bytes."]
        for text in ("", "y", "z", "\n", ""):
            app.post_message(Paste(text))
        await pilot.press("enter")
        assert app.field.take().reveal() == b"yz"


async def test_a_key_after_a_paste_that_did_not_fit_begins_anew() -> None:
    async with field() as (app, pilot):
        app.post_message(Paste("x" * (MAX_BYTES + 1)))
        await pilot.press("k", "enter")
        assert app.field.take().reveal() == b"k"


async def test_the_picture_does_not_tell_the_length() -> None:
    async with field() as (app, pilot):
        widths = set()
        for _ in range(20):
            await pilot.press("x")
            widths.add(sorted(app.field.render().plain)[0:1] and len(app.field.render().plain))
        assert widths == {8}


async def test_unmounting_wipes_every_buffer() -> None:
    async with field(twice=True) as (app, pilot):
        await app.type("one")
        await pilot.press("enter")
        await app.type("half")
        await pilot.pause()
        first = app.field._first
        assert first is not None
        await app.field.remove()
        assert first.is_empty
        assert not any(app.field._buffer)


async def test_a_passphrase_is_in_no_message_worker_or_screen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Typed whole in one paste: the key events of single characters hold no secret."""
    logged: list[str] = []
    async with driven() as it:
        monkeypatch.setattr(
            it.app, "_log", lambda *args, **kwargs: logged.append(repr((args, kwargs)))
        )
        await it.begin()
        await it.to_passphrase()
        it.messages.clear()
        workers: list[str] = []
        pictures: list[str] = []
        for _ in range(2):
            it.app.post_message(Paste(CANARY))
            await it.pilot.pause()
            pictures.append(it.screen())
            await it.press("enter")
            workers += [repr(worker) for worker in it.app.workers]
        pictures.append(await it.until("Done."))
        workers += [f"{worker.name} {worker.description}" for worker in it.app.workers]
        assert it.desk.world.entered == [CANARY.encode()]
        kinds = {type(message).__name__ for message in it.messages}
        assert {"Entered", "Answered", "Paste"} <= kinds
        seen = "\n".join([*(_all_of(m) for m in it.messages), *workers, *pictures, *logged])
        assert CANARY not in seen
        assert it.app.clipboard == ""


def _all_of(message: Message) -> str:
    slots = [name for kind in type(message).__mro__ for name in getattr(kind, "__slots__", ())]
    values = {name: getattr(message, name, None) for name in slots} | getattr(
        message, "__dict__", {}
    )
    return repr(message) + repr(values)


async def test_ctrl_c_copies_nothing() -> None:
    async with driven() as it:
        await it.begin()
        await it.to_passphrase()
        written: list[str] = []
        assert it.app._driver is not None
        it.app._driver.write = written.append  # type: ignore[method-assign,assignment]
        await it.write(CANARY)
        await it.press("ctrl+c", "ctrl+x", "ctrl+a", "ctrl+insert")
        it.app.copy_to_clipboard("anything")
        assert it.app.clipboard == ""
        assert not any("\x1b]52" in text or CANARY in text for text in written)
