"""``docs/verify-pai.md``: what users are told to run is run, by stock tools alone (VER-1)."""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pai_signer.faces.cli.verify_command import verify
from tests.cli.program import ROOT
from tests.workflows.bench import downloads, published

DOCUMENT = ROOT / "pai_signer" / "docs" / "verify-pai.md"
IMAGE = "pai-0.2.0-amd64.iso"
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


@pytest.fixture
def download(tmp_path: Path) -> Path:
    """One image of two with the small files, and a clone with the keys."""
    folder = published(tmp_path / "download")
    (folder / "pai-0.2.0-arm64.iso").unlink()
    [bundle] = downloads().glob("*.bundle")
    clone = folder / "pai"
    subprocess.run(["git", "clone", "-q", bundle, clone], check=True)
    tag = (folder / "v0.2.0.bundle", "refs/tags/*:refs/tags/*")
    subprocess.run(["git", "-C", clone, "fetch", "-q", *tag], check=True)
    (clone / "keys").mkdir(exist_ok=True)
    shutil.move(folder / "keys", clone / "keys" / "public")
    return folder


def sections() -> dict[str, str]:
    parts = re.split(r"^## ", DOCUMENT.read_text(), flags=re.MULTILINE)
    return {part.partition("\n")[0]: part for part in parts[1:]}


def commands(section: str, language: str = "sh") -> list[tuple[str, str]]:
    """Each block of commands, and what the block after it says that they have to say."""
    blocks = BLOCK.findall(sections()[section])
    following = [*blocks[1:], ("", "")]
    return [
        (text, after if after_kind == "text" else "")
        for (kind, text), (after_kind, after) in zip(blocks, following, strict=True)
        if kind == language
    ]


def shell(commands: str, folder: Path, home: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent
    # The socket of gpg's agent has to fit into 108 bytes.
    with tempfile.TemporaryDirectory(prefix="pai-", ignore_cleanup_errors=True) as short:
        return subprocess.run(
            ["bash", "-e", "-c", commands],
            cwd=folder,
            env={
                "PATH": f"{program}:/usr/bin:/bin",
                "HOME": str(home),
                "TMPDIR": short,
                "GNUPGHOME": str(home / "gnupg"),
                "PYTHONPATH": str(ROOT),
                "COLUMNS": "200",
            },
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home" / "gnupg").mkdir(parents=True, mode=0o700)
    return tmp_path / "home"


def test_the_linux_commands_say_what_the_page_says(download: Path, home: Path) -> None:
    """One shell, as a reader has it; but what installs packages."""
    steps = [*commands("Linux")[1:], *commands("With pai-signer")]
    assert len(steps) == 5
    assert "apt-get" in commands("Linux")[0][0]
    keep = ""
    for command, expected in steps:
        done = shell(keep + command, download, home)
        said = done.stdout + done.stderr
        assert done.returncode == 0, (command, said)
        for line in expected.splitlines():
            assert line in said, (command, line)
        if "GNUPGHOME" in command:  # the keyring lives on in the reader's shell
            keep = "".join(line + "\n" for line in command.splitlines()[:2])


def test_the_commands_for_a_mac_are_right_too(download: Path, home: Path) -> None:
    """``shasum`` is Perl's, on Debian as on a Mac."""
    if shutil.which("shasum") is None:
        pytest.skip("shasum is not installed")
    [(command, _)] = commands("macOS", "console")
    done = shell(command, download, home)
    assert done.returncode == 0, done.stderr
    assert f"{IMAGE}: OK" in done.stdout


@pytest.mark.parametrize("damage", ["image", "list"])
def test_damage_is_told_in_the_words_of_the_page(download: Path, home: Path, damage: str) -> None:
    file = download / (IMAGE if damage == "image" else "SHA256SUMS")
    data = bytearray(file.read_bytes())
    data[0] ^= 1
    file.write_bytes(data)
    said = ""
    for command, _ in commands("Linux")[1:4]:
        done = shell(command, download, home)
        said += done.stdout + done.stderr
    meanings = sections()["What it means when it says something else"]
    for words in (
        ("FAILED",) if damage == "image" else ("Signature verification failed", "BAD signature")
    ):
        assert words in said
        assert f"`{words}`" in meanings


def test_the_commands_for_windows_name_what_is_there(download: Path) -> None:
    """Nothing runs PowerShell here: names, digest and the parsing of the line are checked."""
    [(powershell, _)] = commands("Windows", "powershell")
    [(batch, _)] = commands("Windows", "bat")
    assert batch.split() == ["certutil", "-hashfile", IMAGE, "SHA256"]
    files = re.findall(r"[\w.\\*-]+\.(?:iso|asc|pub)|SHA256SUMS(?:\.\w+)?", powershell)
    assert len(files) >= 7
    for name in files:
        assert list(download.glob(name.replace("\\", "/"))), name
    assert "Get-FileHash -Algorithm SHA256" in powershell
    assert ".Hash.ToLower()" in powershell, "Get-FileHash writes capitals, SHA256SUMS does not"
    # What Select-String and Split(' ')[0] make of the list.
    [line] = [row for row in (download / "SHA256SUMS").read_text().splitlines() if IMAGE in row]
    digest = hashlib.sha256((download / IMAGE).read_bytes()).hexdigest()
    assert line.split(" ")[0] == digest


def test_every_option_that_the_page_names_exists() -> None:
    options = {name for parameter in verify.params for name in parameter.opts}
    named = set(re.findall(r"`(--[a-z-]+)", sections()["With pai-signer"]))
    assert named
    assert named <= options
