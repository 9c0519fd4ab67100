"""SEC-2: the process is closed to debuggers and core dumps before a command or the app begins."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: PR_GET_DUMPABLE is 3, prctl(2).
SCRIPT = """
import ctypes, json, resource, sys
from pai_signer.faces.cli import main
main.run(sys.argv[1:])
dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)
print(json.dumps([dumpable, resource.getrlimit(resource.RLIMIT_CORE)]))
"""


@pytest.mark.parametrize(
    "command", [[], ["rehearse", "--dir", "new"], ["journal", "verify"], ["release", "list"]]
)
def test_no_command_and_no_app_begins_before_the_process_is_closed(
    command: list[str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "--vault", str(tmp_path / "vault"), *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [0, [0, 0]]
