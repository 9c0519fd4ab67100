"""What the medium did: every ``OSError`` as a ``MediumError`` that says so (EXP-2).

Runs on any machine: nothing here is Linux's alone.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pai_signer.domain.text import safe_text
from pai_signer.errors import MediumError


def _numbers(*names: str) -> tuple[int, ...]:
    """The error numbers of these names, as far as this system has them."""
    return tuple(getattr(errno, name) for name in names if hasattr(errno, name))


_CAUSES: Final = {
    **dict.fromkeys(
        _numbers("ENOSPC", "EDQUOT"),
        ("full", "there is no space left", "Use an emptier medium, or make room and try again."),
    ),
    errno.EROFS: (
        "read-only",
        "it is read-only",
        "Move its write-protect switch or mount it read-write, or use another medium.",
    ),
    **dict.fromkeys(
        _numbers("EIO", "ENODEV", "ENXIO", "ENOTCONN", "ENOMEDIUM", "ESTALE"),
        (
            "gone",
            "the medium was pulled out or is failing",
            "What was written last may not be on it. Plug it in again and start this step anew; "
            "if it fails again, use another medium.",
        ),
    ),
    errno.EINTR: (
        "interrupted",
        "it was interrupted before it was known to be done",
        "What was written last may not be on the medium. Start this step anew: it compares all "
        "that it finds there.",
    ),
    errno.EFBIG: (
        "too-large",
        "the file is too large for its filesystem (FAT32 ends at 4 GiB)",
        "Use a medium with exFAT or ext4.",
    ),
    **dict.fromkeys(
        (errno.ENAMETOOLONG, errno.EINVAL),
        (
            "name",
            "the filesystem does not take this name or request",
            "Use a medium with exFAT or ext4.",
        ),
    ),
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM),
        ("no-permission", "permission was denied", "Mount it so that you own it, and try again."),
    ),
    errno.ENOENT: (
        "missing",
        "it is not there",
        "Check the path, and that the medium is plugged in and mounted.",
    ),
}


def medium_error(error: OSError, doing: str, *, requirement: str = "EXP-2") -> MediumError:
    """Turn ``error`` into the ``MediumError`` that explains it.

    ``doing`` completes "Could not ..." and is already safe to show.
    """
    code, cause, hint = _CAUSES.get(
        error.errno or 0,
        ("failed", safe_text(error.strerror or "unknown error"), "Try another medium."),
    )
    return MediumError(f"{requirement}/{code}", f"Could not {doing}: {cause}.", hint)


def is_no_folder(error: OSError) -> bool:
    """Whether O_DIRECTORY | O_NOFOLLOW met a link or a file (open(2))."""
    return error.errno in (errno.ENOTDIR, errno.ELOOP)


@contextmanager
def explained(doing: str, *, requirement: str = "EXP-2") -> Iterator[None]:
    """Let any ``OSError`` inside leave as ``medium_error(error, doing)``."""
    try:
        yield
    except OSError as error:
        raise medium_error(error, doing, requirement=requirement) from error
