"""The one way to start a tool: clean, bounded, and no secret where it can be seen (SEC-2)."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pai_signer.adapters import process
from pai_signer.adapters.environment import TOOL_PATH
from pai_signer.adapters.process import SECRET_FD, STATUS_FD, Finished, find_tool, run
from pai_signer.domain.secret import Secret
from pai_signer.errors import ToolError


def sh(script: str, *arguments: str, **how: object) -> Finished:
    how.setdefault("timeout_s", 10)
    return run("sh", ["-c", script, "sh", *arguments], **how)  # type: ignore[arg-type]


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(ToolError) as caught:
        action()
    assert caught.value.hint
    return caught.value.code


def test_output_input_and_exit_code_are_returned() -> None:
    done = sh("cat; echo oops >&2; exit 3", stdin=b"hello", accepted_codes=None)
    assert (done.exit_code, done.stdout, done.stderr) == (3, b"hello", b"oops\n")


def test_another_exit_code_is_a_failure_that_says_why() -> None:
    with pytest.raises(ToolError) as caught:
        sh("echo first >&2; printf 'bad \\033[2J thing\\n' >&2; exit 2")
    assert caught.value.code == "SEC-2/tool-failed"
    assert caught.value.summary == "sh failed with exit code 2: bad \\x1b[2J thing"


def test_accepted_exit_codes_pass() -> None:
    assert sh("exit 1", accepted_codes=(0, 1)).exit_code == 1


def test_a_missing_tool_names_the_install_line() -> None:
    with pytest.raises(ToolError) as caught:
        run("no-such-tool", [], timeout_s=1)
    assert caught.value.code == "SEC-2/tool-missing"
    assert caught.value.hint == "Install it: sudo apt-get install no-such-tool"
    assert process.install_line("gpg") == "sudo apt-get install gpg gpg-agent"


def test_tools_come_from_the_pinned_path_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "sh"
    fake.write_text("#!/bin/sh\necho fake\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not str(find_tool("sh")).startswith(str(tmp_path))
    assert sh("echo real").stdout == b"real\n"


def test_arguments_are_never_seen_by_a_shell() -> None:
    assert sh('printf %s "$1"', "$(echo owned); `id` *").stdout == b"$(echo owned); `id` *"


def test_the_environment_is_built_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GNUPGHOME", "GIT_DIR", "LD_PRELOAD", "TEXTUAL_LOG", "CANARY"):
        monkeypatch.setenv(name, "leaked")
    lines = run("env", [], timeout_s=10, environment={"EXTRA": "1"}).stdout.decode().split()
    assert sorted(lines) == sorted(
        ["EXTRA=1", "HOME=/nonexistent", "LC_ALL=C.UTF-8", f"PATH={TOOL_PATH}", "TZ=UTC"]
    )


def test_the_working_directory_is_the_root_unless_asked(tmp_path: Path) -> None:
    assert sh("pwd").stdout == b"/\n"
    assert sh("pwd", directory=tmp_path).stdout.decode().strip() == str(tmp_path)


def test_a_secret_arrives_through_its_own_pipe_and_nowhere_else() -> None:
    secret = Secret(bytearray("pass phräse".encode()))
    done = run(
        "sh",
        [
            "-c",
            'cat "/proc/self/fd/$1"; cat /proc/$$/cmdline /proc/$$/environ >&2; cat >&2',
            "sh",
            SECRET_FD,
        ],
        timeout_s=10,
        secret=secret,
    )
    assert done.stdout.decode() == "pass phräse\n"
    assert b"phr" not in done.stderr
    assert b"sh" in done.stderr


def test_a_secret_without_a_place_to_go_is_a_bug() -> None:
    with pytest.raises(ValueError, match="without a secret"):
        run("cat", [SECRET_FD], timeout_s=10)


def test_the_status_pipe_is_apart_from_the_output() -> None:
    done = sh('echo out; echo "[GNUPG:] GOODSIG" >"/proc/self/fd/$1"', STATUS_FD)
    assert (done.stdout, done.status) == (b"out\n", b"[GNUPG:] GOODSIG\n")


@pytest.mark.parametrize("where", ["", ">&2"])
def test_a_flood_is_stopped(where: str) -> None:
    began = time.monotonic()
    assert code_of(lambda: sh(f"yes {where}", limit_bytes=100_000)) == "SEC-2/tool-flood"
    assert time.monotonic() - began < 5


def test_a_tool_that_hangs_is_stopped() -> None:
    began = time.monotonic()
    assert code_of(lambda: run("sleep", ["30"], timeout_s=0.2)) == "SEC-2/tool-timeout"
    assert time.monotonic() - began < 5


def test_what_a_stopped_tool_had_started_is_stopped_too(tmp_path: Path) -> None:
    """git does its work in children, which would go on filling the disk."""
    note = tmp_path / "note"
    assert code_of(lambda: sh(f"(sleep 1; touch {note}) & wait", timeout_s=0.2)) == (
        "SEC-2/tool-timeout"
    )
    time.sleep(1.2)
    assert not note.exists()


def test_memory_is_limited_in_a_tool_and_in_its_children() -> None:
    assert sh("ulimit -v; sh -c 'ulimit -v'", memory_bytes=64 << 20).stdout == b"65536\n" * 2
    assert sh("ulimit -v").stdout == b"unlimited\n"
    hungry = "dd if=/dev/zero of=/dev/null bs=256M count=1"
    assert sh(hungry, accepted_codes=None).exit_code == 0
    assert sh(hungry, accepted_codes=None, memory_bytes=64 << 20).exit_code != 0


def test_a_tool_that_reads_nothing_does_not_block_us() -> None:
    assert sh("exit 0", stdin=bytes(1 << 20)).exit_code == 0


def test_no_descriptor_of_ours_reaches_the_tool(tmp_path: Path) -> None:
    kept = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(kept, True)
    try:
        shown = sh("ls /proc/self/fd").stdout.split()
    finally:
        os.close(kept)
    assert str(kept).encode() not in shown


def test_no_descriptor_is_left_open_after_success_or_failure() -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    sh("true", STATUS_FD)
    code_of(lambda: sh("exit 1"))
    code_of(lambda: run("sleep", ["30"], timeout_s=0.1))
    run("cat", ["/dev/null"], timeout_s=5, secret=Secret(bytearray(b"unused")))
    assert count() == before


def test_a_tool_cannot_reach_the_terminal() -> None:
    # A new session has no controlling terminal: nothing can ask there behind our back.
    assert sh("cat </dev/tty", accepted_codes=None).exit_code != 0
