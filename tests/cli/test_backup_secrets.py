"""No passphrase of a backup is left in memory, files, journal, tmpfs or agent (SEC-2, CUS-2)."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from pai_signer.errors import EXIT_DONE, EXIT_REFUSED
from tests.cli.held_program import CONTROL
from tests.cli.program import NO_NETWORK, ROOT, Program
from tests.cli.test_secrets import files_below, forms
from tests.watching import copies_in_memory, places_in_memory, watched
from tests.workflows.bench import new_vault

HELD: Final = (sys.executable, "-m", "tests.cli.held_program")
#: No beginning and no end of one stands in any text of the program.
OWN: Final = {
    "minisign": b"albatross-canary xk3 dulcimer",
    "gpg": b"penguin-canary wq9 bassoon-reed",
}
ADAS: Final = {
    "custodian": b"puffin-canary zj7 harpsichord",
    "custodian-gpg": b"gannet-canary vy5 tambourine",
}
PHRASES: Final = {**OWN, **ADAS}
FORMS: Final = {form for phrase in PHRASES.values() for form in forms(phrase)}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vault whose keys are under the canaries; to be copied."""
    vault = new_vault(tmp_path_factory.mktemp("prepared") / "vault")
    Program(vault, phrases=OWN)("key", "generate", passphrases=True)
    return vault


@pytest.fixture
def vault(prepared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared, tmp_path / "vault"))


@contextmanager
def stopped_at_its_end(
    vault: Path, *command: str | Path, phrases: Mapping[str, bytes], code: int
) -> Iterator[int]:
    """Run a command; yields its process when all is done but the process itself."""
    with ExitStack() as stack:
        options: list[str] = []
        descriptors: list[int] = []
        for name, phrase in phrases.items():
            reader, writer = os.pipe()
            stack.callback(os.close, reader)
            os.write(writer, phrase + b"\n")
            os.close(writer)
            descriptors.append(reader)
            options += ["--passphrase-fd", f"{name}={reader}"]
        process = subprocess.Popen(
            [*NO_NETWORK, *HELD, "--vault", vault, *command, *options],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=descriptors,
            start_new_session=True,
        )
        try:
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status), "it ended before it could be looked at"
            yield process.pid
        finally:
            os.kill(process.pid, signal.SIGCONT)
            ended = process.wait(timeout=30)
    assert ended == code


def leaks_in_memory(process: int) -> list[str]:
    """Where a passphrase stands in its memory; ends and beginnings count."""
    assert copies_in_memory(process, CONTROL) > 0, "the look itself does not work"
    pieces = [piece for phrase in PHRASES.values() for piece in (phrase[:14], phrase[-14:])]
    return [place for piece in pieces for place in places_in_memory(process, piece)]


def holds(data: bytes, wanted: Collection[bytes]) -> bool:
    return any(form in data for form in wanted)


def left_by(process: int, vault: Path) -> list[str]:
    """What it left behind; an agent that was told to end may take a moment for it."""
    for _ in range(50):
        if not _left_now(process, vault):
            break
        time.sleep(0.1)
    return _left_now(process, vault)


def _left_now(process: int, vault: Path) -> list[str]:
    """Homes in memory that stand, and agents that still run for it."""
    name = f"pai-{process}-"
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    lines = (line for line in listed.stdout.splitlines() if "gpg-agent" in line)
    agents = [line for line in lines if str(vault) in line or name in line]
    return [*agents, *(str(path) for path in Path("/dev/shm").glob(f"{name}*"))]


def test_making_and_proving_a_backup_leaves_no_passphrase_anywhere(
    vault: Path, tmp_path: Path
) -> None:
    """Nor does a passphrase that was wrong, or the one that belongs to another key."""
    medium = tmp_path / "medium"
    medium.mkdir()
    wrong = {**ADAS, "custodian": OWN["gpg"]}, {**ADAS, "custodian-gpg": ADAS["custodian"]}
    runs = (
        ("create", PHRASES, EXIT_DONE),
        ("verify", ADAS, EXIT_DONE),
        *(("verify", phrases, EXIT_REFUSED) for phrases in wrong),
    )
    with watched(OWN["gpg"]) as own, watched(ADAS["custodian-gpg"]) as adas:
        for verb, phrases, code in runs:
            command = ("backup", verb, "--custodian", "Ada Adams", medium)
            with stopped_at_its_end(vault, *command, phrases=phrases, code=code) as process:
                assert leaks_in_memory(process) == []
                assert left_by(process, vault) == []
    assert own == adas == {"gpg", "gpg-agent"}

    files = list(files_below(vault, medium))
    assert len(files) > 3 * 14
    assert [path for path in files if holds(path.read_bytes(), FORMS)] == []
    journal = (vault / "journal.jsonl").read_text()
    assert journal.count('"backup.proved"') >= 4
    assert journal.count('"wrong-passphrase"') == len(wrong)
