"""Facts about the laptop, as records; reading them is the host adapter's work."""

from dataclasses import dataclass
from typing import Final

#: Without these nothing can be signed; the others only make media more comfortable.
NEEDED_TOOLS: Final = ("gpg", "git")


@dataclass(frozen=True)
class Interface:
    """A network interface other than loopback."""

    name: str
    is_up: bool
    is_wireless: bool


@dataclass(frozen=True)
class Tool:
    """An outside program: where it was found and the first line of its ``--version``."""

    name: str
    path: str | None
    version: str
    install_line: str


@dataclass(frozen=True)
class HostFacts:
    """Everything that ``check`` and the policy read of the machine; sizes in bytes.

    ``None`` means that it could not be read, which is never the same as "no".
    """

    interfaces: tuple[Interface, ...] | None
    routes: tuple[str, ...] | None
    radios_unblocked: tuple[str, ...] | None
    swap_unencrypted: tuple[str, ...] | None
    memory_available_bytes: int | None
    entropy_ready: bool | None
    tools: tuple[Tool, ...]
    terminal: str
    terminal_columns: int
    terminal_rows: int
    #: On the filesystem of the vault; None also where there is no vault.
    vault_free_bytes: int | None = None
    #: What of the process's own hardening does not hold (SEC-2).
    open_doors: tuple[str, ...] | None = None
    #: Whether all memory of the process is kept out of swap.
    memory_locked: bool | None = None
    #: Whether the machine could write its memory to disk and go off.
    can_hibernate: bool | None = None


@dataclass(frozen=True)
class Installation:
    """The program's own files: ``sha256`` is over their ``sha256sum`` lines, sorted by path.

    ``is_recorded`` is False where it runs from a checkout: then the installer's record names
    none of them, and only ``sha256`` says which they are. ``recorded_files`` counts the files,
    those of the libraries among them, that were compared with what was installed.
    """

    version: str
    python: str
    files: int
    sha256: str
    recorded_files: int
    is_recorded: bool
    problems: tuple[str, ...] = ()
