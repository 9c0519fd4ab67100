"""Every way the program can say no, each with its exit code.

An error answers three questions for the person at the laptop (FACE-4): what
happened (``summary``), what is unchanged (``unchanged``) and what to do next
(``hint``). ``code`` cites the requirement it defends, as in ``IMP-2/symlink``.

"The signature is wrong" and "I could not tell" are different answers, with
different families and different exit codes.
"""

from typing import ClassVar, Final

EXIT_DONE: Final = 0
EXIT_BUG: Final = 1
EXIT_USAGE: Final = 2
EXIT_REFUSED: Final = 3
EXIT_WRONG: Final = 4
EXIT_CANNOT_TELL: Final = 5
EXIT_CANCELLED: Final = 6


class SignerError(Exception):
    """The base of all errors that the program raises on purpose."""

    exit_code: ClassVar[int] = EXIT_BUG

    def __init__(self, code: str, summary: str, hint: str, *, unchanged: str | None = None) -> None:
        super().__init__(f"{code}: {summary}")
        self.code = code
        self.summary = summary
        self.hint = hint
        #: Left open by code that cannot know it; the step that was running fills it in.
        self.unchanged = unchanged


class UsageError(SignerError):
    """The request itself makes no sense: an unknown version, a missing answer."""

    exit_code = EXIT_USAGE


class PolicyRefused(SignerError):
    """A rule says no. Nothing was signed."""

    exit_code = EXIT_REFUSED


class CustodyError(PolicyRefused):
    """The backups are not proved well enough to sign (POL-7)."""


class FormatError(SignerError):
    """Bytes from outside are not what they claim to be."""

    exit_code = EXIT_WRONG


class DigestMismatch(SignerError):
    """A file is not the file that somebody vouched for (IMP-4)."""

    exit_code = EXIT_WRONG


class BadSignature(SignerError):
    """A signature was checked and it is wrong."""

    exit_code = EXIT_WRONG


class UntrustedKey(SignerError):
    """A signature may be mathematically right, but its key grants no trust."""

    exit_code = EXIT_WRONG


class JournalTampered(SignerError):
    """The hash chain of the journal is broken (JRN-2)."""

    exit_code = EXIT_WRONG


class CannotTell(SignerError):
    """The question could not be answered: neither right nor wrong."""

    exit_code = EXIT_CANNOT_TELL


class ToolError(CannotTell):
    """An outside program is missing, failed, or said something unexpected."""


class ToolMissing(ToolError):
    """An outside program is not there at all: what it would have told is unknown (VER-1)."""


class MediumError(CannotTell):
    """A medium is full, read-only, gone, or failing."""


class Cancelled(SignerError):
    """The operator stopped it."""

    exit_code = EXIT_CANCELLED
