"""A canary passphrase appears nowhere but in the pipe that it came through (SEC-2)."""

import base64
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import NO_NETWORK, ROOT, WEAK, Ended, Program
from tests.cli.weak_program import CANARY
from tests.workflows.bench import RELEASE, downloads, new_vault

CANARIES = {
    "minisign": b"canary-one albatross minisign",
    "gpg": b"canary-two penguin openpgp",
}
SIGN = ("release", "sign", RELEASE, "--confirm", RELEASE, "--waive", "POL-7=not yet set up")


def forms(phrase: bytes) -> set[bytes]:
    """The phrase as it is and as something careless might write it."""
    middle = base64.b64encode(phrase)[4:-4]
    shifted = base64.b64encode(b"x" + phrase)[4:-4]
    again = base64.b64encode(b"xx" + phrase)[4:-4]
    return {
        phrase,
        phrase[::-1],
        phrase.hex().encode(),
        phrase.hex().upper().encode(),
        phrase.decode().encode("utf-16-le"),
        middle,
        shifted,
        again,
    }


FORMS = {form for phrase in CANARIES.values() for form in forms(phrase)}


def assert_absent(data: bytes, where: object) -> None:
    for form in FORMS:
        assert form not in data, f"{form!r} in {where}"


def files_below(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                yield path


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(new_vault(tmp_path / "vault"), phrases=CANARIES)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vault whose keys are under the canaries, with the release imported; to be copied."""
    vault = new_vault(tmp_path_factory.mktemp("prepared") / "vault")
    program = Program(vault, phrases=CANARIES)
    program("key", "generate", passphrases=True)
    program("release", "import", downloads())
    return vault


@pytest.fixture
def ready(prepared: Path, tmp_path: Path) -> Program:
    """A copy of ``prepared``."""
    return Program(Path(shutil.copytree(prepared, tmp_path / "ready")), phrases=CANARIES)


class Watcher:
    """Reads every process's arguments and environment while something runs."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.looked = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Watcher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        own = str(os.getpid())
        while not self._stop.wait(0.01):
            for process in Path("/proc").iterdir():
                if not process.name.isdecimal() or process.name == own:
                    continue
                for name in ("cmdline", "environ"):
                    try:
                        data = (process / name).read_bytes()
                    except OSError:
                        continue
                    self.looked += 1
                    self.found += [f"{process.name} {name}" for form in FORMS if form in data]


def test_a_whole_session_leaves_no_passphrase_anywhere(program: Program, tmp_path: Path) -> None:
    before = set(Path("/tmp").iterdir()) | set(Path("/dev/shm").iterdir())
    said: list[Ended] = []
    with Watcher() as watcher:
        said.append(program("key", "generate", passphrases=True, as_json=True))
        said.append(program("release", "import", downloads()))
        said.append(program(*SIGN, passphrases=True))
        (tmp_path / "out").mkdir()
        said.append(program("release", "export", RELEASE, tmp_path / "out"))
        said.append(program("journal", "show"))
    assert watcher.looked > 100
    assert watcher.found == []
    for ended in said:
        assert_absent(ended.text.encode(), "what was said")
    seen = list(files_below(program.vault, tmp_path / "out"))
    assert {"journal.jsonl", "receipt.json", "vault.json"} <= {path.name for path in seen}
    for path in seen:
        assert_absent(path.read_bytes(), path)
    after = set(Path("/tmp").iterdir()) | set(Path("/dev/shm").iterdir())
    ours = [path for path in after - before if path.name.startswith(("pai-", "gpg"))]
    for path in files_below(*[path for path in ours if path.is_dir()]):
        assert_absent(path.read_bytes(), path)


def test_a_saved_state_after_every_failure_holds_no_passphrase(ready: Program) -> None:
    wrong = {**CANARIES, "gpg": b"canary-two penguin openpgp, mistyped"}
    Program(ready.vault, phrases=wrong)(*SIGN, passphrases=True, code=3)
    states = list((ready.vault / "unfinished").iterdir())
    assert states
    for path in states:
        assert_absent(path.read_bytes(), path)


FAULTS = [
    "pai_signer.adapters.minisign:MinisignKeyDirectory.unlock",
    "pai_signer.adapters.gpg_keys:GpgKeys.prove",
    "pai_signer.adapters.gpg_keys:GpgKeys.sign_detached",
    "pai_signer.adapters.process:run",
    "pai_signer.workflows.release.make_signatures:Visit.verify",
]


@pytest.mark.parametrize("place", FAULTS)
@pytest.mark.parametrize("as_json", [False, True])
def test_a_bug_shows_kind_and_place_and_no_value(ready: Program, place: str, as_json: bool) -> None:
    broken = Program(ready.vault, (*WEAK, "--fault", place), phrases=CANARIES)
    ended = broken(*SIGN, passphrases=True, code=1, as_json=as_json)
    assert_absent(ended.text.encode(), "the crash")
    assert CANARY not in ended.text
    assert "Traceback" not in ended.text
    assert "ZeroDivisionError at weak_program.py:" in " ".join(ended.stderr.split())
    for part in ("What happened", "Unchanged", "What to do next", "SEC-2/crash"):
        assert part in ended.stderr
    if as_json:
        assert ended.json["exit_code"] == 1
    for path in files_below(ready.vault):
        assert_absent(path.read_bytes(), path)
    if place != "pai_signer.adapters.process:run":
        ready(*SIGN, passphrases=True)  # and the next start settles and signs


def test_no_agent_is_left_behind(ready: Program) -> None:
    ready(*SIGN, passphrases=True)
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    ours = [line for line in listed.stdout.splitlines() if str(ready.vault) in line]
    assert [line for line in ours if "gpg-agent" in line] == []


def test_the_process_may_not_be_read_by_others_while_it_holds_a_passphrase(
    program: Program,
) -> None:
    """Not dumpable: its /proc files belong to root, and a core dump is off (SEC-2)."""
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [
            *NO_NETWORK,
            *WEAK,
            "--vault",
            program.vault,
            "key",
            "generate",
            "--passphrase-fd",
            f"minisign={reader}",
        ],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[reader],
        start_new_session=True,
    )
    try:
        limits = Path(f"/proc/{process.pid}/limits")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            core = next(x for x in limits.read_text().splitlines() if x.startswith("Max core"))
            if core.split()[4:6] == ["0", "0"]:
                break
            time.sleep(0.05)
        assert core.split()[4:6] == ["0", "0"]
    finally:
        os.close(writer)
        os.close(reader)
        process.wait(timeout=30)


def test_a_passphrase_in_the_arguments_is_no_option(program: Program) -> None:
    for option in ("--passphrase", "--minisign-passphrase"):
        program("key", "generate", option, "x", code=2)
