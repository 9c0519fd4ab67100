"""The running app before a camera: each picture is known by its texts and taken when it stands."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pai_signer.adapters.binding import BIND_NOW
from pai_signer.faces.rows import CONSOLE_EXTRAS
from tests.shots.listed import SHOTS, Shot
from tests.shots.modes import Mode
from tests.tui.moves import WEAK_APP
from tests.tui.tmux import COLUMNS, ROWS, Tmux, program

#: A screen that has not changed for so long is drawn to its end.
_STANDS_S: Final = 0.3
_WITHIN_S: Final = 60.0
_BY_NAME: Final = {shot.name: shot for shot in SHOTS}
#: What the frame of a field is drawn with; console fonts have it.
_FIELD: Final = frozenset("┌┐└┘\n")


@dataclass
class Studio:
    """One mode, a folder for what it needs, and the captures so far by the names of the shots."""

    mode: Mode
    folder: Path
    taken: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def app(self, *arguments: str | Path) -> Iterator["Camera"]:
        """The app over a vault with weak keys, without a network where that can be had."""
        command = [*_without_network(), *WEAK_APP, *map(str, arguments)]
        environ = {**self.mode.environ, BIND_NOW: "1"}  # as the program starts itself
        folder = self.folder / f"t{len(list(self.folder.iterdir()))}"
        with program(folder, command, term=self.mode.term, environ=environ) as app:
            yield Camera(self, app)

    def missing(self) -> list[str]:
        """The shots that nobody took."""
        return [shot.name for shot in SHOTS if shot.name not in self.taken]


@dataclass(frozen=True)
class Camera:
    """The app, and how a picture of it is taken."""

    studio: Studio
    app: Tmux

    def take(self, name: str, *, moving: bool = False) -> None:
        """Wait for the screen of this shot and keep it; one that moves is not waited to stand."""
        shot = _BY_NAME[name]
        assert name not in self.studio.taken, f"{name} is taken twice"
        deadline = time.monotonic() + _WITHIN_S
        self.app.until(*shot.shows)
        while True:
            capture = self.app.coloured()
            time.sleep(0 if moving else _STANDS_S)
            if moving or self.app.coloured() == capture:
                break
            assert time.monotonic() < deadline, f"{name} does not stand still:\n{capture}"
        self._check(shot, self.app.screen())
        self.studio.taken[name] = capture

    def shows(self, name: str) -> bool:
        """Whether the screen of this shot is there now, and stands."""
        time.sleep(_STANDS_S)
        return all(text in self.app.screen() for text in _BY_NAME[name].shows)

    def go_on(self, name: str, *, moving: bool = False) -> None:
        """Take it, then Enter."""
        self.take(name, moving=moving)
        self.app.press("Enter")

    def _check(self, shot: Shot, shown: str) -> None:
        rows = shown.removesuffix("\n").split("\n")
        assert all(text in shown for text in shot.shows), f"{shot.name} went away:\n{shown}"
        assert len(rows) <= ROWS, shown
        assert max(map(len, rows)) <= COLUMNS, shown
        if self.studio.mode.lat15:
            for char in set(shown) - CONSOLE_EXTRAS - _FIELD:
                char.encode("iso8859-15")  # else the font has no such glyph


def _without_network() -> Sequence[str]:
    """The prefix that takes the network away, so that pictures show an air gap; none for others."""
    prefix = ("unshare", "-n")
    can = subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    return prefix if can else ()
