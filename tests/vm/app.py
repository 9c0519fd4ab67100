"""Runs inside the guest: the app in a terminal exports to a stick that is pulled out (FACE-4).

    python -m tests.vm.app MOMENT VAULT MOUNT-COMMAND

Says what it does on the console, so that the test pulls and plugs; ends with the app's own
exit code.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.tui.moves import WEAK_APP, leave
from tests.tui.tmux import Tmux, program
from tests.vm.guest import say
from tests.vm.kernel import MOUNT_POINT
from tests.workstation import VERSION

#: Without KVM, on a busy machine.
_PATIENCE_S: Final = 600.0


def export_twice(app: Tmux, mount: str) -> None:
    """Export; read the error; put another stick in; the same question again, and a success."""
    app.until("Export to a medium", within_s=_PATIENCE_S)
    app.pick(f"Export to a medium: {VERSION}", _PATIENCE_S)
    app.until("Where to write the signatures?", within_s=_PATIENCE_S)
    app.pick("a folder (type its path)", _PATIENCE_S)
    app.until("path of the folder", within_s=_PATIENCE_S)
    app.answer(str(MOUNT_POINT))
    say(app.until("What happened", "EXP-2/gone", within_s=_PATIENCE_S))
    say("APP SAYS IT IS GONE")
    subprocess.run(["umount", "--lazy", str(MOUNT_POINT)], check=True)
    while not (sticks := list(Path("/dev").glob("sd?"))):
        time.sleep(0.1)
    subprocess.run(["sh", "-c", f"STICK={sticks[0]}; {mount}"], check=True)
    app.press("Enter")
    app.until("compare", "read back", "[OK]", "Enter go on", within_s=_PATIENCE_S)
    app.press("Enter")
    app.until(f"Exported {VERSION}", within_s=_PATIENCE_S)
    app.read_pages("safe to remove", _PATIENCE_S)
    app.press("Enter")
    app.until("nothing to sign yet", within_s=_PATIENCE_S)
    leave(app)


def main(moment: str, vault: str, mount: str) -> None:
    """Let the stick be pulled at ``moment``; ``mount`` is the shell's command for the next."""
    watched = [sys.executable, "-m", "tests.vm.guest", WEAK_APP[-1], moment, vault]
    with (
        tempfile.TemporaryDirectory() as folder,
        program(Path(folder), watched) as app,
    ):
        export_twice(app, mount)


if __name__ == "__main__":
    main(*sys.argv[1:])
