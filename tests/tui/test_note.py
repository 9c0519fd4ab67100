"""Exceptions are noted at any step of a ceremony, by one key (KEY-1)."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from pai_signer.domain.page import Line, Page
from pai_signer.domain.progress import Progress
from pai_signer.faces.desk import Action
from pai_signer.workflows.ceremony.frame import CeremonyState, TranscriptRecorder
from pai_signer.workflows.engine import (
    Answer,
    Conversation,
    Outcome,
    Proceed,
    Question,
    Session,
    Step,
    TypedText,
    Workflow,
)
from tests.tui.driving import driven
from tests.tui.fake_desk import HOSTILE, FakeDesk


class Clock:
    def now(self) -> datetime:
        return datetime(2026, 11, 24, 12, tzinfo=UTC)


class _Step(Step[CeremonyState]):
    def done(self, state: CeremonyState) -> bool:
        return self.id in state.behind

    def pages(self, state: CeremonyState) -> Sequence[Page]:
        return (Page(self.title, (Line("Point at each thing."),)),)

    def act(self, state: CeremonyState, answer: Answer, progress: Progress) -> CeremonyState:
        return msgspec.structs.replace(state, behind=(*state.behind, self.id))


class Look(_Step):
    id = "materials"
    title = "On the table"

    def question(self, state: CeremonyState) -> Question:
        return Proceed("materials", "Is it there?")


class Name(_Step):
    id = "second"
    title = "The second maintainer"

    def question(self, state: CeremonyState) -> Question:
        return TypedText("second", "Who is it?")


class CeremonyDesk(FakeDesk):
    def actions(self) -> tuple[Action, ...]:
        return (Action("hold", "Hold a ceremony"), Action("release.import", "Import"))

    def begin(self, action_id: str, arguments: Mapping[str, str]) -> Conversation[Any]:
        if action_id != "hold":
            return super().begin(action_id, arguments)
        recorder: TranscriptRecorder[CeremonyState] = TranscriptRecorder(Clock())
        workflow = Workflow(
            name="hold",
            key="",
            title="Ceremony",
            start=CeremonyState(),
            steps=(Look(), Name()),
            outcome=lambda _: Outcome((Page("Over", ()),), {}),
            recorder=recorder,
        )
        return Conversation(workflow, self.store, Session())

    @property
    def noted(self) -> list[dict[str, str]]:
        noted: list[dict[str, str]] = json.loads(self.store.saved["hold"])["state"]["exceptions"]
        return noted


async def test_an_exception_is_noted_with_its_three_parts_and_the_step_stands() -> None:
    async with driven(CeremonyDesk()) as it:
        assert isinstance(it.desk, CeremonyDesk)
        await it.until("Hold a ceremony")
        await it.press("1")
        await it.until("On the table", "Is it there?", "F3 note")
        await it.press("x")
        for prompt, text in (
            ("What was expected", "two envelopes"),
            ("What happened instead", HOSTILE[0]),
            ("What was decided", "use tape"),
        ):
            await it.until(prompt)
            await it.write(text)
            await it.press("enter")
        await it.until("On the table", "Is it there?", "Noted: it stands in the transcript.")
        [noted] = it.desk.noted
        assert (noted["step"], noted["expected"], noted["happened"], noted["decided"]) == (
            "materials",
            "two envelopes",
            HOSTILE[0],
            "use tape",
        )
        await it.press("enter")
        await it.until("Who is it?")
        assert len(it.desk.noted) == 1


async def test_f3_works_while_a_text_is_typed_and_esc_notes_nothing() -> None:
    async with driven(CeremonyDesk()) as it:
        assert isinstance(it.desk, CeremonyDesk)
        await it.until("Hold a ceremony")
        await it.press("1")
        await it.until("Is it there?")
        await it.press("enter")
        await it.until("Who is it?")
        await it.write("Ben x")
        await it.press("f3")
        await it.until("What was expected")
        await it.press("enter")
        await it.until("It may not be empty.")
        await it.write("something")
        await it.press("enter")
        await it.until("What happened instead", "something")
        await it.press("escape")
        await it.until("Who is it?", "Ben x")
        assert it.desk.noted == []


async def test_work_that_is_no_ceremony_takes_no_note() -> None:
    async with driven(CeremonyDesk()) as it:
        await it.until("Hold a ceremony")
        await it.press("2")
        shown = await it.until("Which medium")
        assert "F3 note" not in shown
        await it.press("f3", "x")
        assert "Which medium" in it.screen()
