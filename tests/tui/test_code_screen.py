"""A page with a QR code has the screen but for the title row, and keys of its own (EXP-4)."""

from collections.abc import Mapping, Sequence
from typing import Any

from pai_signer.adapters.qr import ScreenCodes
from pai_signer.domain.page import Code, Line, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.qr_parts import cut_for_codes
from pai_signer.faces.code_rows import CodeLook
from pai_signer.faces.tui.environment import CONSOLE, Look
from pai_signer.faces.tui.screens.notices import LockScreen
from pai_signer.workflows.engine import (
    Answer,
    Conversation,
    Outcome,
    Proceed,
    Question,
    Session,
    Step,
    Workflow,
)
from pai_signer.workflows.script import MemoryStates
from tests.tui.driving import Driven, driven
from tests.tui.fake_desk import FakeDesk, State

PARTS = cut_for_codes("SHA256SUMS.minisig", bytes(range(110)))
BESIDE = (Line("a file"), Line("part"), Line(), *[Line("0123abcd " * 3)] * 4)
PLAIN = Look("ansi-dark", lat15=False, codes=CodeLook(has_colours=False))
FULL_ROW = "█" * 45


class Scan(Step[State]):
    """Two codes between two pages."""

    id = "scan"
    title = "Scan"

    def done(self, state: State) -> bool:
        return state.read

    def pages(self, state: State) -> Sequence[Page]:
        draw = ScreenCodes().draw
        codes = (
            Page(f"code {part.number}", BESIDE, Code(draw(part.payload), part.rows))
            for part in PARTS
        )
        return (Page("Before", ()), *codes, Page("After", (Line("the end"),)))

    def question(self, state: State) -> Question:
        return Proceed("scan", "All scanned.")

    def act(self, state: State, answer: Answer, progress: Progress) -> State:
        return State(read=True)


class CodeDesk(FakeDesk):
    """Whatever is picked, codes come."""

    def begin(self, action_id: str, arguments: Mapping[str, str]) -> Conversation[Any]:
        workflow = Workflow(
            name="scan",
            key="",
            title="Codes",
            start=State(),
            steps=(Scan(),),
            outcome=lambda _state: Outcome((Page("Shown", ()),), {}),
        )
        return Conversation(workflow, MemoryStates(), Session())


async def to_first_code(it: Driven) -> str:
    await it.until("Import and sign")
    await it.press("1")
    await it.until("Before", "There are more pages.")
    await it.press("enter")
    return await it.until("code 1")


async def test_n_p_and_space_turn_the_pages_and_the_title_row_stays() -> None:
    async with driven(CodeDesk(is_rehearsal=True), look=PLAIN) as it:
        shown = await to_first_code(it)
        rows = shown.split("\n")
        assert len(rows) == 24
        assert "REHEARSAL" in rows[0]
        assert rows[1].startswith(FULL_ROW)
        assert rows[23].startswith(FULL_ROW)
        assert all(row.check in shown for row in PARTS[0].rows)
        assert "n, Space next   p back   F1 help" in shown
        assert "more pages" not in shown
        await it.press("n")
        await it.until("code 2")
        await it.press("p")
        assert await it.until("code 1") == shown
        await it.press("space")
        await it.until("code 2")
        await it.press("space")
        await it.until("After", "All scanned.", "b back")
        await it.press("n")  # of no meaning where there is no code
        await it.until("All scanned.")
        await it.press("b")
        await it.until("code 2")
        await it.press("n")
        await it.until("All scanned.")
        await it.press("enter")
        await it.until("Shown", "Done.")


async def test_i_turns_a_code_without_colours_the_other_way_round() -> None:
    async with driven(CodeDesk(), look=PLAIN) as it:
        shown = await to_first_code(it)
        await it.press("i")
        turned = await it.until("code 1")
        swap = str.maketrans("█▀▄ ", " ▄▀█")
        for one, other in zip(shown.split("\n")[1:], turned.split("\n")[1:], strict=True):
            assert one[:45].ljust(45) == other[:45].ljust(45).translate(swap)
            assert one[45:].strip() == other[45:].strip()


async def test_the_lock_hides_a_code() -> None:
    async with driven(CodeDesk()) as it:
        await to_first_code(it)
        await it.press("f8")
        await it.until("ocked")
        assert isinstance(it.app.screen, LockScreen)
        assert "▀" not in it.screen()


async def test_where_there_is_no_room_the_rows_to_type_and_the_keys_are_shown() -> None:
    async with driven(CodeDesk(), look=CONSOLE) as it:
        shown = await to_first_code(it)
        assert not set("▀▄█") & set(shown)
        await it.until("90 columns and 45 rows", "setfont", "Enter next")
        await it.pilot.resize_terminal(130, 48)
        drawn = await it.until("██████████████")
        assert drawn.split("\n")[1].strip().startswith("code 1")
        await it.pilot.resize_terminal(80, 24)
        await it.until("90 columns and 45 rows", "Enter next")
