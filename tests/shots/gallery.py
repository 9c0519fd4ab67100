"""The page on which the pictures are looked at: a row for each screen, all modes side by side."""

from pathlib import Path
from typing import Final

from tests.shots.listed import SHOTS, Shot
from tests.shots.modes import MODES
from tests.shots.svg import written

_STYLE: Final = (
    "body { font-family: sans-serif; margin: 1em; }"
    " .modes { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1em; }"
    " figure { margin: 0; } img { width: 100%; height: auto; }"
)


def gallery(folder: Path) -> str:
    """A page for the pictures that are there, in the order of the tours."""
    parts = [
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">',
        f"<title>Every screen</title>\n<style>{_STYLE}</style>\n<h1>Every screen</h1>",
    ]
    for shot in SHOTS:
        figures = [
            _figure(shot, mode.name, mode.title)
            for mode in MODES
            if _is_there(folder, mode.name, shot)
        ]
        if figures:
            head = f'<h2 id="{shot.name}">{written(shot.title)}</h2>'
            parts += [head, '<div class="modes">', *figures, "</div>"]
    return "\n".join((*parts, "</html>", ""))


def _is_there(folder: Path, mode: str, shot: Shot) -> bool:
    return (folder / mode / f"{shot.name}.svg").is_file()


def _figure(shot: Shot, mode: str, title: str) -> str:
    source = f"{mode}/{shot.name}.svg"
    alt = written(f"{shot.title}, {title}")
    return (
        f'<figure><a href="{source}"><img src="{source}" alt="{alt}" loading="lazy"></a>'
        f"<figcaption>{written(title)}</figcaption></figure>"
    )
