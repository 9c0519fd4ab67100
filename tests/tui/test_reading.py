"""No row of a page is pushed out of sight before it stood still to be read (REV-1)."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pytest

from pai_signer.domain.page import Line, Page
from pai_signer.domain.progress import Progress
from pai_signer.faces.desk import Action
from pai_signer.workflows.engine import (
    Answer,
    Choice,
    Confirm,
    Conversation,
    Option,
    Outcome,
    Proceed,
    Question,
    SecretText,
    Session,
    Step,
    TypedText,
    Workflow,
)
from tests.tui.driving import Driven, driven
from tests.tui.fake_desk import FakeDesk

#: From a page that fits with its question to one of three screens.
LENGTHS = (*range(8, 24), 30, *range(34, 41), 44)
ASKED = "What do you say?"


class Count(msgspec.Struct, frozen=True):
    behind: int = 0


class Long(Step[Count]):
    """A page of so many rows, and a question."""

    title = "Read"

    def __init__(self, number: int, question: Question) -> None:
        self.id = f"page-{number}"  # one class for many steps
        self._number = number
        self._question = question

    def done(self, state: Count) -> bool:
        return state.behind > self._number

    def pages(self, state: Count) -> Sequence[Page]:
        rows = tuple(Line(f"row {n:02}.") for n in range(1, LENGTHS[self._number] + 1))
        return (Page(f"Page {self._number}", rows),)

    def question(self, state: Count) -> Question:
        return self._question

    def act(self, state: Count, answer: Answer, progress: Progress) -> Count:
        return Count(self._number + 1)


class ReadingDesk(FakeDesk):
    """One workflow with a page of every length."""

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question

    def actions(self) -> tuple[Action, ...]:
        return (Action("read", "Read everything"),)

    def begin(self, action_id: str, arguments: Mapping[str, str]) -> Conversation[Any]:
        workflow = Workflow(
            name="read",
            key="",
            title="Reading",
            start=Count(),
            steps=tuple(Long(n, self._question) for n in range(len(LENGTHS))),
            outcome=lambda _: Outcome((Page("All read", ()),), {}),
        )
        return Conversation(workflow, self.store, Session())


async def _enter(it: Driven) -> None:
    await it.press("enter")


async def _type(it: Driven) -> None:
    await it.press("x", "enter")


async def _type_twice(it: Driven) -> None:
    await it.press("x", "enter", "x", "enter")


TEN = tuple(Option(str(n), f"Answer {n}") for n in range(10))
KINDS: dict[str, tuple[Question, Callable[[Driven], Any]]] = {
    "proceed": (Proceed("go", ASKED), _enter),
    "confirm": (Confirm("sure", ASKED), _enter),
    "choice": (Choice("which", ASKED, options=TEN), _enter),
    "text": (TypedText("text", f"{ASKED} {'A long prompt. ' * 9}"), _type),
    "secret": (SecretText("minisign", ASKED, twice=True), _type_twice),
}


@pytest.mark.parametrize("kind", ["proceed", "text", "choice"])
async def test_every_row_stands_still_before_the_question_takes_its_place(kind: str) -> None:
    question, answer = KINDS[kind]
    async with driven(ReadingDesk(question)) as it:
        await it.until("Read everything")
        await it.press("1")
        for number, length in enumerate(LENGTHS):
            shown = await it.until(f"Page {number}", "row 01.")
            seen: set[int] = set()
            for _ in range(20):
                # At rest: the app waits for a key.
                shown = it.screen()
                seen.update(int(n) for n in re.findall(r"row (\d\d)\.", shown))
                if ASKED in shown:
                    break
                await it.press("enter")
                await it.pilot.pause()
            assert ASKED in shown
            assert seen == set(range(1, length + 1)), f"a page of {length} rows"
            assert f"row {length:02}." in shown, "the end of the page stays in view"
            await answer(it)
        await it.until("All read")


@pytest.mark.parametrize("kind", KINDS)
async def test_the_room_that_a_question_asks_for_is_what_it_takes(kind: str) -> None:
    question, _ = KINDS[kind]
    async with driven(ReadingDesk(question)) as it:
        await it.until("Read everything")
        await it.press("1")
        await it.until("row 01.")
        while ASKED not in it.screen():
            await it.press("enter")
        pane = it.app.screen.query_one("QuestionPane")
        assert pane.rows_for(pane.content_size.width) == pane.outer_size.height  # type: ignore[attr-defined]


async def test_a_page_that_fits_with_its_question_shows_both_at_once() -> None:
    question, _ = KINDS["proceed"]
    async with driven(ReadingDesk(question)) as it:
        await it.until("Read everything")
        await it.press("1")
        await it.until("row 08.", ASKED)


async def test_a_page_that_fits_alone_asks_for_one_more_enter() -> None:
    question, _ = KINDS["choice"]
    async with driven(ReadingDesk(question)) as it:
        await it.until("Read everything")
        await it.press("1")
        shown = await it.until("This is the end of the page: Enter shows what is asked.")
        assert ASKED not in shown
        assert "Enter what is asked" in it.row(-1)
