"""Drive the app in a test: start it, press keys, wait for a text, read the screen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from textual.events import Key
from textual.keys import _character_to_key
from textual.message import Message
from textual.pilot import Pilot

from pai_signer.faces.tui.app import SignerApp
from pai_signer.faces.tui.environment import CALM, Look
from tests.tui.fake_desk import FakeDesk


@dataclass
class Driven:
    """A running app with its workstation."""

    app: SignerApp
    desk: FakeDesk
    pilot: Pilot[Any]
    messages: list[Message]

    def screen(self) -> str:
        """The screen as plain text, 24 rows of 80 cells."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)

    def row(self, number: int) -> str:
        """One row; negative ones count from below."""
        return self.screen().split("\n")[number]

    async def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        await self.pilot.press(*keys)

    async def write(self, text: str) -> None:
        """Type a text, as fast as a paste without brackets."""
        for char in text:
            self.app.post_message(Key(_character_to_key(char), char))
        await self.pilot.pause()

    async def until(self, *texts: str, within_s: float = 10) -> str:
        """Wait until the screen shows all of ``texts``."""
        for _ in range(int(within_s / 0.02)):
            shown = self.screen()
            if all(text in shown for text in texts):
                # What is drawn may still have a widget to mount and focus.
                await self.pilot.pause()
                return self.screen()
            await asyncio.sleep(0.02)
        raise AssertionError(f"{texts} never came:\n{self.screen()}")

    async def begin(self) -> None:
        """From Home into the import."""
        await self.until("Import and sign")
        await self.press("1")
        await self.until("Which medium")

    async def to_files(self) -> None:
        """On to the last page of the files."""
        await self.press("1")
        await self.until("page 1 of 3")
        await self.press("enter", "enter")
        await self.until("A long page", "more below")
        await self.press("enter", "enter", "enter")
        await self.until("These are the files.")

    async def to_review(self) -> None:
        """On to the question for the version."""
        await self.to_files()
        await self.press("enter")
        await self.until("was read aloud?")
        await self.press("y")
        await self.until("Type v0.2.0")

    async def to_passphrase(self) -> None:
        """On to the question for the passphrase."""
        await self.to_review()
        await self.write("v0.2.0")
        await self.press("enter")
        await self.until("Passphrase of the minisign key")

    async def enter_passphrase(self, text: str) -> None:
        """Type it twice."""
        for _ in range(2):
            await self.write(text)
            await self.press("enter")
        await self.pilot.pause()


@asynccontextmanager
async def driven(
    desk: FakeDesk | None = None,
    *,
    size: tuple[int, int] = (80, 24),
    look: Look = CALM,
    idle_lock_s: float = 600,
) -> AsyncIterator[Driven]:
    """The app over a fake workstation."""
    desk = desk or FakeDesk()
    app = SignerApp(desk, look, idle_lock_s=idle_lock_s)
    messages: list[Message] = []
    async with app.run_test(
        size=size, notifications=True, tooltips=True, message_hook=messages.append
    ) as pilot:
        yield Driven(app, desk, pilot, messages)
