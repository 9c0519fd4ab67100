"""Each trap's tests fail without its guard (see ``tests/traps``).

Every guard is taken out of a copy of the package in turn, and the trap's tests are run on
that copy. All of them take some minutes; one stands for them by default. ``PAI_FAULTS=all``
runs all.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.traps import TRAPS, Guard

ROOT: Final = Path(__file__).parents[2]
ALL: Final = os.environ.get("PAI_FAULTS") == "all"
GUARDS: Final = [(guard, trap.tests) for trap in TRAPS for guard in trap.guards]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Package and tests, in a place where they may be spoilt."""
    folder = tmp_path_factory.mktemp("spoilt")
    skip = shutil.ignore_patterns("__pycache__")
    for name in ("pai_signer", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=skip)
    shutil.copy2(ROOT / "pyproject.toml", folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def run(copy: Path, tests: tuple[str, ...]) -> "subprocess.CompletedProcess[str]":
    # Lookalikes of the trap's first test: the one that fails decides, so stop at it.
    names = [f"tests/{name}" for name in tests]
    flags = ("-n", "0", "-q", "-x", "-p", "no:cacheprovider", "--no-header")
    return subprocess.run(
        [sys.executable, "-m", "pytest", *flags, *names],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.mark.parametrize(
    ("guard", "tests"),
    GUARDS if ALL else GUARDS[4:5],
    ids=lambda value: (
        f"{value.file}: {value.shut.strip()[:50]}" if isinstance(value, Guard) else ""
    ),
)
def test_without_its_guard_a_traps_tests_fail(
    copy: Path, guard: Guard, tests: tuple[str, ...]
) -> None:
    path = copy / "pai_signer" / guard.file
    whole = path.read_text()
    path.write_text(whole.replace(guard.shut, guard.open))
    try:
        done = run(copy, tests)
    finally:
        path.write_text(whole)
    told = done.stdout[-3000:] + done.stderr
    assert done.returncode == 1, told  # 0: nobody noticed; 2 and up: nothing ran
    assert " failed" in done.stdout or " error" in done.stdout, told


@pytest.mark.skipif(not ALL, reason="all of these run by themselves in the suite")
def test_with_every_guard_in_its_place_they_pass(copy: Path) -> None:
    names = tuple(dict.fromkeys(name for trap in TRAPS for name in trap.tests))
    done = run(copy, tuple(name for name in names if not name.startswith("test_traps")))
    assert done.returncode == 0, done.stdout[-3000:]
