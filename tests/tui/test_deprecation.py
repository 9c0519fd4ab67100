"""A release is deprecated in the app, by keyboard, on a real vault (FACE-1, VER-2)."""

import re
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import cast

from pai_signer.domain.deprecation import WARNING_SIGN
from pai_signer.domain.release_index import listed
from pai_signer.faces.workstation import WorkstationDesk
from pai_signer.workflows.release.index_files import index_now
from tests.tui.driving import Driven, driven
from tests.tui.fake_desk import FakeDesk
from tests.workflows.bench import PHRASES, RELEASE, keyed_vault, opened
from tests.workflows.test_release_index import FIX, two_releases


async def choose(it: Driven, label: str) -> None:
    """Press the number of a menu entry, which may be further down."""
    for _ in range(40):
        found = re.search(rf"(\d+)  {re.escape(label)}", it.screen())
        if found:
            await it.press(*found[1])
            if len(found[1]) > 1 or label not in it.screen():
                return
            await it.press("enter")
            return
        await it.press("down")
    raise AssertionError(it.screen())


async def test_a_release_is_deprecated_by_keyboard(tmp_path: Path) -> None:
    vault = Path(shutil.copytree(two_releases(), tmp_path / "vault"))
    with opened(vault) as bench:
        desk = WorkstationDesk(bench, ExitStack())
        async with driven(cast("FakeDesk", desk)) as it:
            await it.until("Import a release")
            await choose(it, "Releases")
            await it.until("manifest")
            await choose(it, "Deprecate a release")
            await it.until("Which release shall users leave")
            await it.write(RELEASE)
            await it.press("enter")
            await it.until(f"Which release shall users of {RELEASE} take?")
            await it.write(FIX)
            await it.press("enter")
            await it.until(f"What is wrong with {RELEASE}?")
            await it.write("does not boot")
            await it.press("enter")
            shown = await it.until("What everybody will read", f"Type {RELEASE} to deprecate it")
            assert f"DEPRECATED, see {FIX}" in shown
            # The sign is in the file; the screen shows what a console's font has.
            assert WARNING_SIGN not in shown
            await it.write(RELEASE)
            await it.press("enter")
            for system in ("minisign", "gpg"):
                await it.until(
                    "Passphrase of the", "minisign" if system == "minisign" else "OpenPGP"
                )
                await it.write(PHRASES[system].decode())
                await it.press("enter")
            await it.until("index are signed", "Done.", within_s=60)
            await it.press("enter")
            await it.until("Where to write the notice")
            await choose(it, "nowhere now")
            await it.until("Deprecated", f"DEPRECATED, see {FIX}")
        assert listed(index_now(bench))[RELEASE].is_deprecated


def test_the_menu_says_why_there_is_nothing_to_deprecate(tmp_path: Path) -> None:
    with opened(keyed_vault(tmp_path / "vault")) as bench:
        actions = {a.id: a for a in WorkstationDesk(bench, ExitStack()).actions()}
    assert (
        actions["release.deprecate"].unavailable_because
        == "there is no other release to see instead"
    )
    assert actions["release.index"].unavailable_because == "nothing is signed yet"
