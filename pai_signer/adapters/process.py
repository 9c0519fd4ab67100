"""The only place that starts another program.

Arguments are a list (no shell), the environment is built from nothing, the
tool's location comes from a pinned path, output is bounded and so is time. A
secret reaches a child only through a pipe of its own, never through its
arguments, environment or standard input.
"""

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from pai_signer.domain.secret import Secret
from pai_signer.domain.text import safe_text
from pai_signer.errors import ToolError, ToolMissing

#: Where tools may come from; the caller's PATH is not asked.
TOOL_PATH: Final = "/usr/bin:/bin:/usr/sbin:/sbin"

#: Stand-ins in an argument list for the number of a pipe that ``run`` makes.
SECRET_FD: Final = "{secret-fd}"  # noqa: S105 - a placeholder, not a password
STATUS_FD: Final = "{status-fd}"

_CLEAN_ENVIRONMENT: Final = {
    "PATH": TOOL_PATH,
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}

_DEBIAN_PACKAGES: Final = {
    "gpg": "gpg gpg-agent",
    "gpgconf": "gpgconf",
    "git": "git",
    "lsblk": "util-linux",
    "findmnt": "util-linux",
    "prlimit": "util-linux",
    "umount": "mount",
    "udisksctl": "udisks2",
}


@dataclass(frozen=True)
class Finished:
    """What a program left behind; ``status`` is what it wrote to ``STATUS_FD``."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    status: bytes

    def shown_stderr(self) -> str:
        """The last line of its complaint, fit for a terminal."""
        lines = self.stderr.decode("utf-8", "surrogateescape").strip().splitlines()
        return safe_text(lines[-1], limit=300) if lines else "it said nothing"


def install_line(tool: str) -> str:
    """The command that installs ``tool`` on Debian."""
    return f"sudo apt-get install {_DEBIAN_PACKAGES.get(tool, tool)}"


def find_tool(tool: str) -> Path:
    """Where ``tool`` is, on the pinned path; ``ToolMissing`` names the install line."""
    found = shutil.which(tool, path=TOOL_PATH)
    if found is None:
        raise ToolMissing(
            "SEC-2/tool-missing",
            f"The program {tool!r} is not installed.",
            f"Install it: {install_line(tool)}",
        )
    return Path(found)


def run(
    tool: str,
    arguments: Sequence[str | Path],
    *,
    timeout_s: float,
    stdin: bytes = b"",
    secret: Secret | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    accepted_codes: Sequence[int] | None = (0,),
    limit_bytes: int = 16 << 20,
    memory_bytes: int | None = None,
) -> Finished:
    """Run ``tool`` to its end and return what it left.

    ``SECRET_FD`` and ``STATUS_FD`` in ``arguments`` become the numbers of pipes:
    the first delivers ``secret``, the second collects ``Finished.status``.
    ``accepted_codes`` None accepts any exit code. Raises ``ToolError`` if the tool
    is missing, ends with another code, runs longer than ``timeout_s`` seconds or
    writes more than ``limit_bytes`` to one of its outputs; it is killed then, with what
    it started. No process of it gets more than ``memory_bytes`` of address space: a tool
    that is given a bomb says that it is out of memory, and the machine is not.
    """
    with ExitStack() as stack:
        pipes = _Pipes(stack)
        argv = [str(find_tool(tool)), *(pipes.number(str(a), secret) for a in arguments)]
        if memory_bytes is not None:
            # prlimit(1) sets the limit before the tool begins, so that its children have it too.
            argv = [str(find_tool("prlimit")), f"--as={memory_bytes}", "--", *argv]
        try:
            child = stack.enter_context(
                subprocess.Popen(
                    argv,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env={**_CLEAN_ENVIRONMENT, **(environment or {})},
                    cwd=directory or "/",
                    pass_fds=pipes.for_child,
                    start_new_session=True,
                )
            )
        except OSError as error:
            raise ToolError(
                "SEC-2/tool-failed",
                f"{tool} could not be started: {error.strerror}.",
                f"Check the installation: {install_line(tool)}",
            ) from error
        pipes.close_childs_ends()
        outputs = [
            _Collector(stream, limit_bytes, child)
            for stream in (child.stdout, child.stderr, pipes.status)
        ]
        feeder = threading.Thread(target=_feed, args=(child.stdin, stdin), daemon=True)
        feeder.start()
        try:
            exit_code = child.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            _stop(child)
            raise ToolError(
                "SEC-2/tool-timeout",
                f"{tool} did not finish within {timeout_s:g} seconds and was stopped.",
                "Try again; if it happens again, check the machine's load and its media.",
            ) from error
        except BaseException:
            _stop(child)
            raise
        feeder.join()
        stdout, stderr, status = (output.result(tool) for output in outputs)
    finished = Finished(exit_code, stdout, stderr, status)
    if accepted_codes is not None and exit_code not in accepted_codes:
        raise ToolError(
            "SEC-2/tool-failed",
            f"{tool} failed with exit code {exit_code}: {finished.shown_stderr()}",
            "See the message above; nothing of its output was used.",
        )
    return finished


@dataclass
class _Pipes:
    """The extra pipes of one child."""

    stack: ExitStack
    for_child: tuple[int, ...] = ()
    status: IO[bytes] | None = None
    _childs_ends: list[int] = field(default_factory=list)

    def number(self, argument: str, secret: Secret | None) -> str:
        if argument == SECRET_FD:
            if secret is None:
                raise ValueError("SECRET_FD without a secret")
            reader, writer = os.pipe()
            # A passphrase is far smaller than a pipe's buffer: this write cannot block.
            os.write(writer, secret.reveal())
            os.write(writer, b"\n")
            os.close(writer)
            return self._give(reader)
        if argument == STATUS_FD:
            reader, writer = os.pipe()
            self.status = self.stack.enter_context(os.fdopen(reader, "rb"))
            return self._give(writer)
        return argument

    def _give(self, descriptor: int) -> str:
        self.for_child = (*self.for_child, descriptor)
        self._childs_ends.append(descriptor)
        self.stack.callback(self.close_childs_ends)
        return str(descriptor)

    def close_childs_ends(self) -> None:
        while self._childs_ends:
            os.close(self._childs_ends.pop())


class _Collector:
    """Reads one output in its own thread, up to a limit."""

    def __init__(
        self, stream: IO[bytes] | None, limit_bytes: int, child: subprocess.Popen[bytes]
    ) -> None:
        self._data = bytearray()
        self._limit_bytes = limit_bytes
        self._child = child
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: IO[bytes] | None) -> None:
        while stream is not None and (chunk := os.read(stream.fileno(), 1 << 16)):
            self._data += chunk
            if len(self._data) > self._limit_bytes:
                _stop(self._child)
                return

    def result(self, tool: str) -> bytes:
        # A grandchild (gpg-agent) may keep the pipe open after the tool has ended.
        self._thread.join(timeout=5)
        if len(self._data) > self._limit_bytes:
            raise ToolError(
                "SEC-2/tool-flood",
                f"{tool} wrote more than {self._limit_bytes} bytes and was stopped.",
                "What it was given is not what it should be; do not use it.",
            )
        return bytes(self._data)


def _stop(child: subprocess.Popen[bytes]) -> None:
    """Kill it and its children: it leads a session, and so a process group, of its own."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _feed(stream: IO[bytes] | None, data: bytes) -> None:
    if stream is None:
        return
    try:
        stream.write(data)
        stream.close()
    except BrokenPipeError:
        # The tool ended before it read everything; its exit code tells why.
        return
