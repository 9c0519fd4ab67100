"""Facts about the laptop, as records; reading them is the host adapter's work."""

from dataclasses import dataclass


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
