"""SEC-2: the program's own files are compared with what was installed; no damage passes unseen."""

import base64
import hashlib
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import pai_signer
from pai_signer.adapters.installation import OwnInstallation
from pai_signer.domain.host import Installation

#: As docs/formats.md gives it.
STOCK = (
    "find pai_signer -type f ! -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z | "
    "xargs -0 sha256sum | sha256sum"
)
FILES = {"demo/__init__.py": b"one\n", "demo/inner/two.py": b"two\n", "demo/app.tcss": b"three\n"}


def recorded(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path of Python with two installed distributions, one needing the other."""
    for name, data in {**FILES, "library.py": b"library\n"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    needs = "Requires-Dist: the_library>=1\nRequires-Dist: colorama; sys_platform == 'win32'\n"
    needs += "Requires-Dist: pytest; extra == 'test'\n"
    for name, files, more in (
        ("demo_tool", FILES, needs),
        ("the_library", {"library.py": b"library\n"}, ""),
    ):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{more}")
        lines = "".join(recorded(path, data) for path, data in files.items())
        lines += "demo/__pycache__/__init__.cpython-311.pyc,,\n"
        (info / "RECORD").write_text(f"{lines}{info.name}/RECORD,,\n")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def look(site: Path) -> Installation:
    return OwnInstallation(site / "demo", "demo-tool").installation()


def test_an_installation_that_is_whole(site: Path) -> None:
    (site / "demo" / "__pycache__").mkdir()
    (site / "demo" / "__pycache__" / "x.pyc").write_bytes(b"made by Python")
    found = look(site)
    assert found.problems == ()
    assert found.is_recorded
    assert (found.files, found.recorded_files) == (3, 4)
    assert found.version == pai_signer.__version__


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("demo/inner/two.py", b"too\n", "demo/inner/two.py is not the file that was installed"),
        ("demo/__init__.py", b"", "demo/__init__.py is not the file that was installed"),
        ("demo/app.tcss", None, "demo/app.tcss is gone"),
        ("demo/slipped_in.py", b"", "demo/slipped_in.py was never installed"),
        ("demo/inner/so.so", b"\x7fELF", "demo/inner/so.so was never installed"),
        ("library.py", b"other\n", "library.py is not the file that was installed"),
        ("the_library-1.0.dist-info/RECORD", None, "the_library has no record of its files"),
    ],
)
def test_whatever_was_changed_is_named(
    site: Path, name: str, data: bytes | None, problem: str
) -> None:
    before = look(site)
    if data is None:
        (site / name).unlink()
    else:
        (site / name).write_bytes(data)
    after = look(site)
    assert problem in after.problems
    assert (after.sha256 != before.sha256) is name.startswith("demo/")


def test_a_library_that_is_not_there_is_told(site: Path) -> None:
    for path in (site / "the_library-1.0.dist-info").iterdir():
        path.unlink()
    (site / "the_library-1.0.dist-info").rmdir()
    assert look(site).problems == ("the-library is not installed",)


def test_a_checkout_is_told_by_its_digest_which_stock_tools_give_as_well() -> None:
    found = OwnInstallation().installation()
    folder = Path(pai_signer.__file__).parents[1]
    stock = subprocess.run(
        STOCK, shell=True, cwd=folder, capture_output=True, text=True, check=True
    )
    assert stock.stdout.split()[0] == found.sha256
    assert STOCK in (folder / "pai_signer" / "docs" / "formats.md").read_text()
    assert found.problems == ()
    assert found.recorded_files > 1000
    assert sys.executable in found.python
    own = metadata.distribution("pai-signer").files or []
    assert found.is_recorded is any(str(file).startswith("pai_signer/") for file in own)
