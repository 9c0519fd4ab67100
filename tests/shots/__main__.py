"""``make shots``: every screen in every mode, and a page to look at them; ``make pictures``.

python -m tests.shots build/shots [--mode MODE ...]
python -m tests.shots pictures --pictures
"""

import argparse
import sys
import time
from pathlib import Path

from tests.keys import weaken_openpgp
from tests.shots.camera import Studio
from tests.shots.capture import read_capture
from tests.shots.gallery import gallery
from tests.shots.listed import PICTURES, SHOTS, Shot
from tests.shots.modes import MODES, PICTURES_MODE, Mode, Tube
from tests.shots.svg import svg
from tests.shots.tours import take_all
from tests.tui.moves import short_folder


def main() -> int:
    """Take them; the exit code."""
    options = _options()
    weaken_openpgp()
    to: Path = options.to
    if options.pictures:
        taken = _take(PICTURES_MODE)
        for shot in (shot for shot in SHOTS if shot.name in PICTURES):
            _write(to, shot, shot.title, taken[shot.name], PICTURES_MODE.tube)
        return 0
    for mode in (mode for mode in MODES if mode.name in options.mode):
        taken = _take(mode)
        for shot in SHOTS:
            title = f"{shot.title} ({mode.title})"
            _write(to / mode.name, shot, title, taken[shot.name], mode.tube)
    index = to / "index.html"
    index.write_text(gallery(to), encoding="utf-8")
    print(f"Look at {index}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.shots", description=__doc__)
    names = [mode.name for mode in MODES]
    parser.add_argument("to", type=Path, help="where to write")
    parser.add_argument("--mode", action="append", choices=names, help="these modes only")
    parser.add_argument("--pictures", action="store_true", help="only those of the README")
    options = parser.parse_args()
    options.mode = options.mode or names
    return options


def _take(mode: Mode) -> dict[str, str]:
    begun_s = time.monotonic()
    with short_folder() as folder:
        studio = Studio(mode, folder)
        take_all(studio)
    print(f"{mode.title}: {len(studio.taken)} screens in {time.monotonic() - begun_s:.0f} s")
    sys.stdout.flush()
    return studio.taken


def _write(folder: Path, shot: Shot, title: str, capture: str, tube: Tube) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    drawn = svg(read_capture(capture), tube, title)
    (folder / f"{shot.name}.svg").write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
