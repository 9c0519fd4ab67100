"""The return leg in the app: by Pilot over a real vault, and in a real terminal (EXP-5, FACE-1)."""

from contextlib import ExitStack
from pathlib import Path
from typing import cast

from pai_signer.domain.confirmation import LIVE_SUMS
from pai_signer.faces.rows import cells
from pai_signer.faces.workstation import WorkstationDesk
from tests.tui.driving import driven
from tests.tui.fake_desk import FakeDesk
from tests.tui.marks import needs_tmux
from tests.tui.moves import WEAK_APP, leave, type_folder
from tests.tui.tmux import COLUMNS, program
from tests.workflows.bench import brought_back, events, opened, published, signed_vault

LABEL = "Confirm what is published"


async def test_a_release_is_confirmed_in_the_app(tmp_path: Path) -> None:
    back = brought_back(published(tmp_path / "published"), tmp_path / "stick")
    with opened(signed_vault(tmp_path / "vault")) as bench:
        desk = WorkstationDesk(bench, ExitStack())
        actions = [action for action in desk.actions() if not action.group]
        number = next(n for n, action in enumerate(actions, 1) if action.label == LABEL)
        async with driven(cast("FakeDesk", desk)) as app:
            await app.until("exported, unconfirmed", LABEL)
            await app.press(*str(number))
            await app.until("Which release was published?", "v0.2.0")
            await app.press("1")
            await app.until("Where is what was brought back?", "a folder (type its path)")
            await app.press("1")
            await app.until("path of the folder")
            await app.write(str(back.parent))
            await app.press("enter")
            await app.until("Return leg: v0.2.0", "confirmed published", "as signed (listed)")
        assert events(bench)[-1] == "release.confirmed"


@needs_tmux
def test_a_difference_is_told_in_a_terminal_and_stays_on_home(room: Path) -> None:
    back = brought_back(published(room / "published"), room / "stick")
    sums = back / LIVE_SUMS
    other = sums.read_text().splitlines()
    other[0] = "0" * 64 + other[0][64:]
    sums.write_text("\n".join([*other, "1" * 64 + "  pai-0.2.0-setup.exe", ""]))
    vault = signed_vault(room / "vault")
    with program(room / "t", [*WEAK_APP, str(vault)]) as app:
        app.pick(LABEL)
        app.until("Which release was published?")
        app.press("1")
        type_folder(app, str(back.parent), "Where is what was brought back?")
        app.until("Return leg: v0.2.0", "NOT live as it was signed: 2 differ", "[FAIL]")
        app.until("pai-0.2.0-setup.exe: it is live and was never signed")
        app.read_pages("EXP-5/differs")
        app.press("Enter")
        app.until("LIVE DIFFERS", "NOT what was signed")
        leave(app)
        for shown in app.shown:
            assert all(cells(row) <= COLUMNS for row in shown.splitlines())
