"""Hostile names, volume labels and commits on the screens of the real app (SEC-3)."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from pai_signer.faces.rows import CONSOLE_EXTRAS
from tests.tui.marks import needs_tmux
from tests.tui.moves import WEAK_APP, leave, type_folder
from tests.tui.tmux import program
from tests.workstation import downloads, workstation

pytestmark = needs_tmux

#: File names as bytes, and how they have to be shown.
HOSTILE: Final = {
    b"esc\x1b]0;owned\x07\x1b[31m.txt": r"esc\x1b]0;owned\x07\x1b[31m.txt",
    b"new\nline.txt": r"new\x0aline.txt",
    b"rtl\xe2\x80\xaetxt.exe": r"rtl\u202etxt.exe",
    b"[@click=app.quit].txt": "[@click=app.quit].txt",
    b"a[]b].txt": "a[]b].txt",
    b"bad\xff\xfe.txt": r"bad\xff\xfe.txt",
}
LABEL: Final = "\x1b]0;PWN\x07[b]X\x1b[31m"
AUTHOR: Final = "Eve [red]\x1b[31m \u202e[@click=app.quit]x[/]"
SUBJECT: Final = "Add a[/b] \x1b]52;c;ZXZpbA==\x07 \u202eevil \u0430\u0301"


def hostile_medium(folder: Path) -> Path:
    """Downloads with odd files beside them, an image with a hostile label, hostile commits."""
    shutil.copytree(downloads(), folder)
    for name in HOSTILE:
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(b"x")
    image = folder / "pai-0.2.0-amd64.iso"
    relabel(image, LABEL)
    (folder / "SHA256SUMS").unlink()
    for iso in folder.glob("*.iso"):
        digest = subprocess.run(
            ["sha256sum", iso.name], cwd=folder, capture_output=True, check=True
        )
        (folder / f"{iso.name}.sha256").write_bytes(digest.stdout)
    hostile_bundle(folder / "pai.bundle")
    return folder


def relabel(image: Path, label: str) -> None:
    """Another volume ID in the primary volume descriptor (ECMA-119, 8.4.7: bytes 41 to 72)."""
    data = bytearray(image.read_bytes())
    start = 16 * 2048 + 40
    assert data[start - 39 : start - 34] == b"CD001"
    data[start : start + 32] = label.encode().ljust(32)
    image.write_bytes(data)


def hostile_bundle(bundle: Path) -> None:
    """One commit by git-fast-import(1), whose author and subject are hostile."""
    bundle.unlink()
    repository = bundle.parent.parent / "hostile.git"
    git = ["git", "-C", str(repository)]
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(repository)], check=True)
    subject = SUBJECT.encode()
    stream = (
        b"commit refs/heads/main\nmark :1\n"
        + f"author {AUTHOR} <eve@example.org> 1790000000 +0000\n".encode()
        + b"committer Eve <eve@example.org> 1790000000 +0000\n"
        + b"data %d\n%s\nM 644 inline README\ndata 1\nx\n" % (len(subject), subject)
    )
    subprocess.run([*git, "fast-import", "--quiet"], input=stream, check=True)
    create = ["bundle", "create", "--quiet", str(bundle), "HEAD", "main"]
    subprocess.run([*git, *create], check=True)


@pytest.mark.parametrize("term", ["linux", "tmux-256color"])
def test_hostile_names_labels_and_commits_are_shown_escaped(term: str, room: Path) -> None:
    medium = hostile_medium(room / "m[/b] [@click=app.quit]")
    vault = workstation("keyed", room).vault
    with program(room / "t", [*WEAK_APP, str(vault)], term=term) as app:
        app.pick("Import a release")
        type_folder(app, str(medium))
        app.until("Found in", "m[/b] [@click=app.quit]")
        seen = app.read_pages("Read these files?")
        flat = re.sub(r"\s+", "", seen)  # wrapped where a row ends
        for shown in HOSTILE.values():
            assert shown.replace(" ", "") in flat
        app.press("Enter")
        app.until("Commit or branch to tag")
        app.press("Enter")
        app.until("second, independent source")
        app.press("1")
        app.until("page 1 of 7")
        seen = app.read_pages("Imported v0.2.0")
        flat = re.sub(r"\s+", "", seen)
        assert r"\x1b]0;PWN\x07[b]X\x1b[31m" in flat
        assert r"Eve[red]\x1b[31m\u202e[@click=app.quit]x[/]" in flat
        assert r"Adda[/b]\x1b]52;c;ZXZpbA==\x07\u202eevil" in flat
        app.press("Escape")
        app.until("Review and sign: v0.2.0")
        app.press("F2")
        app.until("release.imported", "m[/b] [@click=app.quit]")
        leave(app)
        for shown in app.seen:
            for row in shown.split("\n"):
                assert row.isprintable() or not row
                assert "\u202e" not in row
            if term == "linux":
                for char in set(shown) - CONSOLE_EXTRAS - frozenset("┌┐└┘\n"):
                    assert char.encode("iso8859-15")
        raw = app.raw.read_bytes()
    assert b"\x1b]" not in raw
    assert b"\x07" not in raw
    assert b"\x1b[31m]" not in raw
    assert "\u202e".encode() not in raw
