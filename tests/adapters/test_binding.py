"""SEC-2: the loader binds all at the start, and leaves no piece of a passphrase on the stack."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final, NoReturn

import pytest

from pai_signer.adapters import binding
from pai_signer.adapters.binding import BIND_NOW, begin_bound
from pai_signer.adapters.hardening import open_doors
from tests.cli.program import STOCK, Program
from tests.watching import places_in_memory
from tests.workflows.bench import new_vault

ROOT: Final = Path(__file__).parents[2]
PASSPHRASE: Final = b"penguin-canary wq9 bassoon-reed"
#: Copies a passphrase, calls a function for the first time (kill), and stops there.
COPIES: Final = """
import os, signal, sys
if sys.argv[2] == "bound":
    from pai_signer.adapters.binding import begin_bound
    begin_bound()
passphrase = bytearray(int(number) ^ 0x55 for number in sys.argv[1].split(","))
kept = bytearray(40)
kill, process, stop = os.kill, os.getpid(), signal.SIGSTOP
kept[: len(passphrase)] = passphrase
kill(process, stop)
"""


def late_environment() -> dict[str, str]:
    """As people's is: nothing is asked of the loader."""
    return {name: value for name, value in os.environ.items() if name != BIND_NOW}


def on_the_stack(how: str) -> list[str]:
    """Where the end of the passphrase stands on the stack of a process that just copied it."""
    hidden = ",".join(str(byte ^ 0x55) for byte in PASSPHRASE)
    process = subprocess.Popen(
        [sys.executable, "-c", COPIES, hidden, how], cwd=ROOT, env=late_environment()
    )
    try:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), "it ended before it could be looked at"
        places = places_in_memory(process.pid, PASSPHRASE[-14:])
        assert len(places) >= 2, "the look itself does not work"
        return [place for place in places if "[stack]" in place]
    finally:
        process.kill()
        process.wait()


def test_what_was_copied_last_is_not_left_on_the_stack() -> None:
    """And where all is bound late it is, with Debian's Python: the danger is real."""
    assert on_the_stack("late") != []
    assert on_the_stack("bound") == []


def test_the_program_begins_bound_with_what_it_was_given(tmp_path: Path) -> None:
    """Arguments, a descriptor, and standard input are those of the first beginning."""
    script = (
        "import os, sys; from pai_signer.adapters.binding import *; begin_bound();"
        "print(sys.argv[1:], sys.flags.isolated, is_bound(), os.environ[BIND_NOW], sep='|');"
        "print(os.read(int(sys.argv[1]), 99), sys.stdin.read(), os.getpid())"
    )
    reader, writer = os.pipe()
    os.write(writer, b"words")
    os.close(writer)
    with subprocess.Popen(
        [sys.executable, "-I", "-c", script, str(reader), "-c", "ä b"],
        env=late_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[reader],
        text=True,
    ) as process:
        said, _ = process.communicate("typed")
    os.close(reader)
    assert said.splitlines() == [
        f"{[str(reader), '-c', 'ä b']}|1|True|1",
        f"b'words' typed {process.pid}",
    ]


def test_no_variable_says_which_program_begins(tmp_path: Path) -> None:
    """``sys.executable`` is what these say; another program would get the passphrases."""
    thief = tmp_path / "thief"
    thief.write_text("#!/bin/sh\necho stolen\n")
    thief.chmod(0o755)
    code = "from pai_signer.adapters.binding import *; begin_bound(); print(is_bound())"
    for name in ("PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**late_environment(), name: str(thief), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "stolen" not in done.stdout
        assert done.stdout == "True\n", done.stderr


def test_the_installed_command_begins_bound(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(BIND_NOW)
        program = Program(new_vault(tmp_path / "vault"), command=STOCK)
        checks = program("check", as_json=True, code=None).json["checks"]
    (process,) = (check for check in checks if check["name"] == "process")
    assert process["text"] == "PYTHONPATH was set: other code could be loaded"


def test_where_that_is_refused_the_program_goes_on_and_tells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def refuse(*arguments: object) -> NoReturn:
        asked.append(arguments)
        raise PermissionError

    monkeypatch.setattr(os, "execve", refuse)
    monkeypatch.setattr(binding, "_bound_at_start", False)
    begin_bound({})
    ((_, _, environ),) = asked
    assert environ == {BIND_NOW: "1"}
    doors = open_doors(0o077)
    assert "functions are bound late: the end of a passphrase could stay on the stack" in doors


def test_who_is_bound_does_not_begin_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("it began again"))
    monkeypatch.setattr(binding, "_bound_at_start", True)
    begin_bound({})
