"""A traced rehearsal: no process of it, gpg's and git's included, opens an internet socket (SEC-1).

The same for the app is in ``tests/tui/test_whole_job.py``. With ``PAI_FAULTS=all`` the ceremonies
are held as well.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.cli.program import ROOT, WEAK, Program
from tests.tracing import assert_local, needs_strace, read_trace, tracing

ALL: Final = os.environ.get("PAI_FAULTS") == "all"

pytestmark = needs_strace


@pytest.mark.parametrize("options", [(), ("--ceremonies",)] if ALL else [()], ids=str)
def test_a_rehearsal_opens_no_internet_socket(options: tuple[str, ...], tmp_path: Path) -> None:
    """With the machine's network there to be used."""
    log = tmp_path / "trace"
    program = Program(tmp_path / "none", command=WEAK, prefix=tuple(tracing(log)))
    folder = str(tmp_path / "here")
    ended = program("rehearse", "--headless", "--dir", folder, *options, timeout_s=600)
    assert "GOOD" in ended.stdout
    trace = read_trace(log)
    assert_local(trace, "git", "gpg", "gpg-agent", "gpgconf", "lsblk")
    assert "dirmngr" not in trace.programs
    if options:
        assert trace.programs["gpg"] > 300


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.socket(socket.AF_INET)",
        "import socket; socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
        "import asyncio; asyncio.run(asyncio.start_server(print, '127.0.0.1', 0))",
        "import os\nif not os.fork():\n import socket; socket.socket(socket.AF_INET)\n"
        "else:\n os.wait()",
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', 'import socket; socket.socket(socket.AF_INET)'])",
        "import socket, threading\nt = threading.Thread(target=socket.socket); t.start(); t.join()",
    ],
)
def test_the_trace_sees_an_internet_socket_wherever_it_is_opened(code: str, tmp_path: Path) -> None:
    log = tmp_path / "trace"
    subprocess.run([*tracing(log), sys.executable, "-c", code], cwd=ROOT, check=True)
    assert set(read_trace(log).families) & {"AF_INET", "AF_INET6"}
