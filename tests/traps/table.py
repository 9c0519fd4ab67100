"""What a trap is, and the guard in the code that keeps it shut."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Guard:
    """A piece of ``file`` that keeps a trap shut, and what stands there when it is open."""

    file: str
    shut: str
    open: str


@dataclass(frozen=True)
class Trap:
    """One trap. ``tests`` are ``file::function`` below ``tests``; they fail without a guard."""

    text: str
    tests: tuple[str, ...]
    guards: tuple[Guard, ...] = ()
