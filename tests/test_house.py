"""The house around the code: bootstrap, Makefile, CI, packages and locks."""

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def run(
    *command: str | Path, env: Mapping[str, str] | None = None, directory: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=directory, env=env, capture_output=True, text=True, check=False
    )


def packages(*lists: str) -> list[str]:
    texts = [(ROOT / "packages" / f"{name}.txt").read_text() for name in lists]
    return [word for text in texts for word in re.sub("#.*", "", text).split()]


# --- bootstrap -----------------------------------------------------------------------------


class Machine:
    """A PATH that holds only stand-ins; each call of one that changes things is logged."""

    def __init__(self, directory: Path) -> None:
        self.bin = directory / "bin"
        self.bin.mkdir()
        self.log = directory / "log"
        self.log.touch()
        self.missing = directory / "missing"
        self.missing.touch()
        for tool in ("cat", "dirname", "env", "grep", "sed"):
            (self.bin / tool).symlink_to(shutil.which(tool, path="/usr/bin:/bin") or tool)
        self.shim("make", 'echo "make $*" >>"$LOG"')
        self.shim("apt-get", 'echo "apt-get $*" >>"$LOG"')
        self.shim(
            "dpkg-query",
            "for package; do :; done\n"
            'if grep -qxF "$package" "$MISSING"; then echo "no packages found" >&2; exit 1; fi\n'
            "printf installed",
        )
        self.user(0)

    def shim(self, name: str, body: str) -> None:
        (self.bin / name).write_text(f"#!/bin/sh\n{body}\n")
        (self.bin / name).chmod(0o755)

    def user(self, uid: int) -> None:
        self.shim("id", f"echo {uid}")

    def lacks(self, *names: str) -> None:
        self.missing.write_text("".join(f"{name}\n" for name in names))

    def bootstrap(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": str(self.bin), "LOG": str(self.log), "MISSING": str(self.missing)}
        # From elsewhere, as somebody with a path to it would.
        return run(ROOT / "bootstrap", *arguments, env=env, directory=self.bin)

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_bootstrap_is_short_valid_and_executable() -> None:
    assert run("/bin/sh", "-n", ROOT / "bootstrap").returncode == 0
    assert os.access(ROOT / "bootstrap", os.X_OK)
    assert len((ROOT / "bootstrap").read_text().splitlines()) < 60


def test_bootstrap_touches_nothing_where_nothing_is_missing(machine: Machine) -> None:
    done = machine.bootstrap("rehearse")
    assert done.returncode == 0, done.stderr
    assert machine.calls == ["make rehearse"]
    assert done.stdout == ""


def test_bootstrap_installs_just_what_is_missing_and_says_so(machine: Machine) -> None:
    machine.lacks("make", "python3-venv", "minisign")
    done = machine.bootstrap("rehearse")
    assert done.returncode == 0, done.stderr
    assert "missing Debian packages: make python3-venv\n" in done.stdout
    assert machine.calls == [
        "apt-get update --quiet",
        "apt-get install --yes --no-install-recommends make python3-venv --quiet",
        "make rehearse",
    ]


def test_bootstrap_test_brings_the_judges_too(machine: Machine) -> None:
    machine.lacks("minisign", "sqv", "git")
    assert machine.bootstrap("test").returncode == 0
    assert machine.calls[1].endswith(" git minisign sqv --quiet")
    assert machine.calls[2:] == ["make test"]


def test_bootstrap_goes_through_sudo_where_it_is_not_root(machine: Machine) -> None:
    machine.lacks("make")
    machine.user(1000)
    machine.shim("sudo", 'echo "sudo $*" >>"$LOG"; "$@"')
    assert machine.bootstrap("rehearse").returncode == 0
    assert machine.calls == [
        "sudo apt-get update --quiet",
        "apt-get update --quiet",
        "sudo env DEBIAN_FRONTEND=noninteractive apt-get install --yes "
        "--no-install-recommends make --quiet",
        "apt-get install --yes --no-install-recommends make --quiet",
        "make rehearse",
    ]


def test_bootstrap_prints_the_line_where_it_may_not_install(machine: Machine) -> None:
    machine.lacks("make", "gpg")
    machine.user(1000)
    done = machine.bootstrap("rehearse")
    assert done.returncode == 1
    line = "apt-get update && apt-get install --yes --no-install-recommends gpg make\n"
    assert done.stderr.endswith(line)
    assert machine.calls == []


@pytest.mark.parametrize("failing", ["update", "install"])
def test_bootstrap_stops_where_apt_fails(machine: Machine, failing: str) -> None:
    machine.lacks("make")
    machine.shim("apt-get", f'echo "apt-get $1" >>"$LOG"; [ "$1" != {failing} ]')
    done = machine.bootstrap("rehearse")
    assert done.returncode == 1
    assert "As root, run: apt-get update && apt-get install" in done.stderr
    assert machine.calls[-1] == f"apt-get {failing}"


@pytest.mark.parametrize("arguments", [(), ("install",), ("-h",)])
def test_bootstrap_refuses_what_is_no_target(machine: Machine, arguments: tuple[str, ...]) -> None:
    machine.lacks("make")
    done = machine.bootstrap(*arguments)
    assert done.returncode == 2
    assert "usage: ./bootstrap" in done.stderr
    assert machine.calls == []


def test_bootstrap_says_so_where_this_is_not_debian(machine: Machine) -> None:
    (machine.bin / "dpkg-query").unlink()
    done = machine.bootstrap("test")
    assert done.returncode == 1
    assert "not Debian" in done.stderr
    assert machine.calls == []


def test_every_package_that_the_tests_need_is_installed() -> None:
    wanted = packages("run", "test")
    assert len(wanted) == len(set(wanted)) > 20
    shown = run("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted).stdout
    assert sorted(shown.splitlines()) == sorted(f"{name} installed" for name in wanted), (
        "run ./bootstrap test"
    )


# --- Makefile, .ci/run, README ---------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    ["rehearse", "test", "lint", "offline-kit", "man", "bench", "fuzz", "vm-test", "lock", "clean"],
)
def test_make_knows_the_target(target: str) -> None:
    done = run("make", "--dry-run", target, env={"PATH": os.environ["PATH"]})
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_make_test_runs_every_check() -> None:
    plan = run("make", "--dry-run", "test", env={"PATH": os.environ["PATH"]}).stdout
    checks = [line for line in plan.splitlines() if line.startswith(".venv/bin/")]
    assert [line.removeprefix(".venv/bin/").strip() for line in checks if "pip" not in line] == [
        "ruff check",
        "ruff format --check",
        "mypy",
        "lint-imports",
        "pytest -n 3",
    ]


def fenced_lines(text: str) -> list[str]:
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_the_readme_gives_the_two_commands() -> None:
    lines = fenced_lines((ROOT / "README.md").read_text())
    assert "./bootstrap rehearse" in lines
    assert "./bootstrap test" in lines


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
    (tmp_path / "README.md").write_text(
        "# x\n\n```sh\n./bootstrap rehearse\n./bootstrap test\n```\n"
    )
    (tmp_path / "bootstrap").write_text('#!/bin/sh\necho "ran $*"; cat; exit "${RESULT:-0}"\n')
    (tmp_path / "bootstrap").chmod(0o755)
    return tmp_path


def test_ci_runs_the_readmes_test_command_without_input(clone: Path) -> None:
    done = run("bash", clone / ".ci/run", directory=clone.parent)
    assert (done.returncode, done.stdout) == (0, "ran test\n")


def test_ci_fails_when_the_tests_fail(clone: Path) -> None:
    done = run("bash", ".ci/run", directory=clone, env={**os.environ, "RESULT": "2"})
    assert done.returncode == 2


@pytest.mark.parametrize(
    "readme",
    [
        "",
        "./bootstrap test\n",
        "```\n./bootstrap tests\n```\n",
        "```\nmake\n```\n./bootstrap test\n",
    ],
)
def test_ci_fails_loudly_when_the_readme_says_something_else(clone: Path, readme: str) -> None:
    (clone / "README.md").write_text(readme)
    done = run("bash", ".ci/run", directory=clone)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "README.md has no fenced block with the line: ./bootstrap test" in done.stderr


# --- locks -----------------------------------------------------------------------------------

LOCKS = ("requirements.lock", "requirements-dev.lock")
REQUIREMENT = re.compile(r"([a-z0-9-]+)==([0-9][0-9a-z.]*) \\")
HASH = re.compile(r"    --hash=sha256:([0-9a-f]{64})( \\)?")


def parse_lock(text: str) -> dict[str, tuple[str, list[str]]]:
    """Version and hashes by name; anything else than pins, hashes and comments is an error."""
    locked: dict[str, tuple[str, list[str]]] = {}
    hashes: list[str] = []
    for line in text.splitlines():
        if pin := REQUIREMENT.fullmatch(line):
            hashes = []
            assert pin[1] not in locked
            locked[pin[1]] = (pin[2], hashes)
        elif digest := HASH.fullmatch(line):
            hashes.append(digest[1])
        else:
            assert re.fullmatch(r" *#.*", line), f"neither pin nor hash nor comment: {line!r}"
    return locked


def load_lock(name: str) -> dict[str, tuple[str, list[str]]]:
    return parse_lock((ROOT / name).read_text())


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.org/simple",
        "--find-links /opt/wheels",
        "x @ file:///tmp/x.whl",
        "x>=1 \\",
        "-e .",
        "x==1 ; sys_platform == 'linux' \\",
    ],
)
def test_the_lock_reader_refuses_what_is_no_pin(line: str) -> None:
    with pytest.raises(AssertionError):
        parse_lock(line)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_pins_with_hashes_and_no_address(lock: str) -> None:
    locked = load_lock(lock)
    assert locked
    assert [name for name, (_, hashes) in locked.items() if not hashes] == []
    assert not re.search(r"://|file:|@|index-url|find-links", (ROOT / lock).read_text())


def test_the_test_lock_holds_the_run_lock_unchanged() -> None:
    runs, tests = load_lock(LOCKS[0]), load_lock(LOCKS[1])
    assert {name: tests.get(name) for name in runs} == runs


def test_the_locks_satisfy_pyproject() -> None:
    groups = PYPROJECT["dependency-groups"]
    dev = [entry for entry in groups["dev"] if isinstance(entry, str)]
    for lock, wanted in (
        (LOCKS[0], [*PYPROJECT["project"]["dependencies"], *groups["build"]]),
        (LOCKS[1], dev),
    ):
        locked = load_lock(lock)
        for text in wanted:
            requirement = Requirement(text)
            pinned, _ = locked[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(pinned), (lock, text, pinned)


def test_the_build_backend_is_the_locked_one() -> None:
    pinned, _ = load_lock(LOCKS[0])["setuptools"]
    assert PYPROJECT["build-system"]["requires"] == [f"setuptools=={pinned}"]
    assert PYPROJECT["dependency-groups"]["build"] == [f"setuptools=={pinned}"]


def test_what_is_installed_is_what_is_locked() -> None:
    locked = load_lock("requirements-dev.lock")
    assert {name: version(name) for name in locked} == {n: v for n, (v, _) in locked.items()}
