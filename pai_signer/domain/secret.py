"""The one type that holds a passphrase (SEC-2).

A ``Secret`` keeps UTF-8 bytes in a buffer that ``wipe`` overwrites. It has no
value in its ``repr``, refuses formatting, pickling and copying, and never turns
itself into a ``str``: immutable copies cannot be wiped.
"""

import hmac
from types import TracebackType
from typing import NoReturn, Self


class Secret:
    """A passphrase in memory that can be wiped; use it as a context manager."""

    __slots__ = ("_buffer",)

    def __init__(self, buffer: bytearray) -> None:
        """Take over ``buffer``: the caller keeps no other reference."""
        self._buffer = buffer

    def reveal(self) -> bytearray:
        """The live buffer itself, not a copy, so that wiping reaches every user of it."""
        return self._buffer

    def wipe(self) -> None:
        """Overwrite the bytes, then forget them. Safe to call twice."""
        self._buffer[:] = bytes(len(self._buffer))
        self._buffer.clear()

    @property
    def is_empty(self) -> bool:
        """True before anything was typed and after a wipe."""
        return not self._buffer

    def same_as(self, other: "Secret") -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self._buffer, other._buffer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.wipe()

    def __repr__(self) -> str:
        return "Secret(...)"

    def __str__(self) -> NoReturn:
        raise TypeError("a secret has no text form")

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError("a secret is not for formatting")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not for pickling or copying")

    def __copy__(self) -> NoReturn:
        raise TypeError("a secret is not for copying")

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise TypeError("a secret is not for copying")


def joined_lines(*secrets: Secret) -> Secret:
    """One secret of several lines, for a tool that asks for them in turn; wipe it as well.

    Written into a buffer of the final size: one that grows would leave its old places behind.
    """
    buffer = bytearray(sum(len(secret.reveal()) + 1 for secret in secrets))
    at = 0
    for secret in secrets:
        line = secret.reveal()
        buffer[at : at + len(line)] = line
        at += len(line) + 1
        buffer[at - 1] = 0x0A
    return Secret(buffer)
