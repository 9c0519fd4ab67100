"""GNUPGHOMEs: the vault's own, and throwaway ones in memory (SEC-2).

One home per purpose, mode 0700, with configuration files of ours. The agent
caches nothing, asks nobody (loopback pinentry only) and is ended when the home
is closed.

gpg-agent listens on a Unix socket, usually inside the home, whose path may have
at most 108 bytes (unix(7)). So every home is reached through a private symbolic
link with a short path; gpg neither resolves nor minds it.
"""

import fcntl
import logging
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import gnupg

from pai_signer.adapters import durable
from pai_signer.adapters.environment import TOOL_PATH
from pai_signer.adapters.process import (
    SECRET_FD,
    STATUS_FD,
    Finished,
    find_tool,
    install_line,
    run,
)
from pai_signer.domain import openpgp_secret
from pai_signer.domain.secret import Secret
from pai_signer.domain.text import safe_text
from pai_signer.errors import CannotTell, PolicyRefused, SignerError, ToolError

#: Options as in gpg(1). Trust is the registry's matter, so gpg's own is never computed; with
#: ``trust-model always``, though, importing a revocation fails for want of a trustdb.
GPG_CONF: Final = b"""\
charset utf-8
utf8-strings
no-greeting
no-comments
no-emit-version
trust-model pgp
no-auto-check-trustdb
disable-dirmngr
no-auto-key-retrieve
no-auto-key-locate
cert-digest-algo SHA512
personal-digest-preferences SHA512 SHA384 SHA256
"""


_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the memory filesystem itself; subfolders are 0700
_TEMPORARY: Final = Path("/tmp")  # noqa: S108 - mkdtemp makes a private folder in it
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: What ``_private_folder`` makes: the process, then what mkdtemp(3) adds.
_OURS: Final = re.compile(r"pai-([1-9][0-9]{0,9})-[a-z0-9_]{8}", re.ASCII)
_GPG_TIMEOUT_S: Final = 120.0
_AGENT_END_TIMEOUT_S: Final = 5.0
#: One that a crash left cannot always remove its socket, so this is often waited out.
_LEFT_AGENT_END_TIMEOUT_S: Final = 2.0
#: In the home itself, unless there is a /run/user for it (gpg-agent(1)).
_AGENT_SOCKET: Final = "S.gpg-agent"
_AGENT_STAYS: Final = "SEC-2/agent-stays"


def gpg_agent_conf() -> bytes:
    """Options as in gpg-agent(1); naming the count also spares the agent its calibration."""
    return b"""\
default-cache-ttl 0
max-cache-ttl 0
ignore-cache-for-signing
no-allow-external-cache
allow-loopback-pinentry
pinentry-program /bin/false
disable-scdaemon
s2k-count %d
""" % (openpgp_secret.S2K_COUNT_BYTES)


# python-gnupg writes key data and arguments to its log at DEBUG; no handler may ever see them.
logging.getLogger("gnupg").disabled = True


@dataclass(frozen=True)
class GpgHome:
    """An opened home; ``path`` is short and stands only while the home is open."""

    path: Path
    with_agent: bool

    def run(
        self,
        arguments: Sequence[str | Path],
        *,
        stdin: bytes = b"",
        passphrase: Secret | None = None,
        answers: Secret | None = None,
    ) -> Finished:
        """Run gpg to its end, whatever its exit code: the caller reads ``status``.

        ``passphrase`` answers every question for one; ``answers``, one a line, are for
        a command that asks for different ones in turn.
        """
        base: list[str | Path] = [
            *("--homedir", self.path, "--batch", "--no-tty", "--status-fd", STATUS_FD)
        ]
        if not self.with_agent:
            base.append("--no-autostart")
        if passphrase is not None:
            base += ["--pinentry-mode", "loopback", "--passphrase-fd", SECRET_FD]
        elif answers is not None:
            base += ["--pinentry-mode", "loopback", "--command-fd", SECRET_FD]
        return run(
            "gpg",
            [*base, *arguments],
            timeout_s=_GPG_TIMEOUT_S,
            stdin=stdin,
            secret=answers if passphrase is None else passphrase,
            accepted_codes=None,
        )

    def library(self) -> gnupg.GPG:
        """python-gnupg over this home: for public key material only, never with a secret."""
        try:
            return gnupg.GPG(
                gpgbinary=str(find_tool("gpg")),
                gnupghome=str(self.path),
                env={"PATH": TOOL_PATH, "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
                options=["--no-tty", "--no-autostart"],
                encoding="utf-8",
            )
        except (OSError, ValueError) as error:
            raise ToolError(
                "SEC-2/tool-failed",
                "gpg does not start.",
                f"Check the installation: {install_line('gpg')}",
            ) from error


@contextmanager
def vault_home(home: Path) -> Iterator[GpgHome]:
    """Open a lasting home, making it if it is missing; its agent is gone afterwards."""
    durable.make_directory(home)
    _make_private(home)
    for name, content in (("gpg.conf", GPG_CONF), ("gpg-agent.conf", gpg_agent_conf())):
        path = home / name
        if path.is_symlink() or not path.is_file() or path.read_bytes() != content:
            durable.replace(path, content)
    with _private_folder(_MEMORY if _is_usable(_MEMORY) else _TEMPORARY) as folder:
        short = folder / "h"
        short.symlink_to(home.absolute())
        _end_left_agent(short)
        with _agent_ended(short):
            yield GpgHome(short, with_agent=True)


@contextmanager
def throwaway_home(*, for_secrets: bool) -> Iterator[GpgHome]:
    """A home in memory that is gone afterwards.

    Without secrets it has no agent, and a disk will do where /dev/shm is missing;
    for secrets that is ``CannotTell``.
    """
    in_memory = _is_usable(_MEMORY)
    if for_secrets and not in_memory:
        raise CannotTell(
            "SEC-2/no-memory-filesystem",
            "There is no memory filesystem (/dev/shm) to try the key in.",
            "Mount one: mount -t tmpfs tmpfs /dev/shm",
        )
    with _private_folder(_MEMORY if in_memory else _TEMPORARY) as folder:
        (folder / "gpg.conf").write_bytes(GPG_CONF)
        (folder / "gpg-agent.conf").write_bytes(gpg_agent_conf())
        if not for_secrets:
            yield GpgHome(folder, with_agent=False)
            return
        with _agent_ended(folder):
            yield GpgHome(folder, with_agent=True)


def _make_private(home: Path) -> None:
    info = home.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid():
        raise PolicyRefused(
            "SEC-2/home-owner",
            f"The key folder {safe_text(str(home))} is not a folder of yours.",
            "Check who made it; a vault's folders belong to the user who signs.",
        )
    home.chmod(0o700)


def _is_usable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


@contextmanager
def _private_folder(parent: Path) -> Iterator[Path]:
    _clear_left(parent)
    folder = Path(tempfile.mkdtemp(prefix=f"pai-{os.getpid()}-", dir=parent))
    held = os.open(folder, _FOLDER)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield folder
    finally:
        os.close(held)
        # What rmtree meets here is our own; an agent's socket may vanish under it.
        shutil.rmtree(folder, ignore_errors=True)


def _clear_left(parent: Path) -> None:
    """Remove folders whose maker was killed: encrypted keys would stay in memory until a reboot.

    Only what is named and owned like ours, of a process that is gone and holds no lock: the
    number alone would mislead where processes of another namespace use the same memory.
    """
    with os.scandir(parent) as entries:
        left = [e for e in entries if (made := _OURS.fullmatch(e.name)) and not _lives(made[1])]
    for entry in left:
        with suppress(OSError):
            held = os.open(entry.path, _FOLDER)
            try:
                if os.fstat(held).st_uid == os.geteuid():
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(entry.path, ignore_errors=True)
            finally:
                os.close(held)


def _lives(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's, or a number that no process has
        return True
    return True


@contextmanager
def _agent_ended(home: Path) -> Iterator[None]:
    find_tool("gpg-agent")
    try:
        yield
    except BaseException:
        # The first error is the one to show; the agent holds nothing anyway (ttl 0).
        with suppress(SignerError):
            _end_agent(home)
        raise
    _end_agent(home)


def _end_left_agent(home: Path) -> None:
    """End an agent that a crash left, or remove the socket that it left: it would be believed.

    Such an agent listens in the home, yet looks for the keys by the path that it was started
    with, which may be gone; gpg would say that there is no secret key.
    """
    if not os.path.lexists(home / _AGENT_SOCKET):
        return
    try:
        _end_agent(home, _LEFT_AGENT_END_TIMEOUT_S)
    except ToolError as error:
        if error.code != _AGENT_STAYS:
            raise
        # Nobody listens any more. An agent that did all the same would end for want of it.
        (home / _AGENT_SOCKET).unlink(missing_ok=True)


def _end_agent(home: Path, timeout_s: float = _AGENT_END_TIMEOUT_S) -> None:
    def gpgconf(*arguments: str, accepted: Sequence[int] | None = (0,)) -> bytes:
        # It knows the home from the environment alone in some versions, as an option in others.
        return run(
            "gpgconf",
            ["--homedir", home, *arguments],
            timeout_s=30,
            environment={"GNUPGHOME": str(home)},
            accepted_codes=accepted,
        ).stdout

    socket = Path(os.fsdecode(gpgconf("--list-dirs", "agent-socket").rstrip(b"\n")))
    gpgconf("--kill", "all")
    give_up_at_s = time.monotonic() + timeout_s
    while socket.exists():
        if time.monotonic() > give_up_at_s:
            raise ToolError(
                _AGENT_STAYS,
                "The gpg agent did not end when it was told to.",
                "End it by hand before you leave the machine: gpgconf --kill all",
            )
        time.sleep(0.01)
    # Where /run/user exists, gpg keeps one socket folder there for each home's path.
    gpgconf("--remove-socketdir", accepted=None)
