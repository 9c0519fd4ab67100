"""What verifying for everyone is wired from: runs on any machine, with or without gpg (VER-1).

Nothing that is imported here is Linux's alone; a test blocks all of that and still verifies.
"""

import os
import sys
from collections.abc import Iterable, Sequence

from pai_signer.adapters.clock import SystemClock
from pai_signer.adapters.minisign_verify import CryptographyMinisignVerifier
from pai_signer.adapters.path_source import PathSources
from pai_signer.adapters.source import FolderSources
from pai_signer.errors import ToolMissing
from pai_signer.ports import Clock, OpenPgpSignature, Sources
from pai_signer.workflows.workbench import Verifiers


class OptionalGpg:
    """The ``OpenPgpVerifier`` port by ``gpg`` where it can be driven; else ``ToolMissing``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def verify_detached(
        self,
        data: bytes,
        signature: bytes,
        certificates: Sequence[str],
        fingerprints: Iterable[str],
    ) -> OpenPgpSignature:
        """As ``GpgVerifier`` does, which is loaded now: it stands on what is Unix's alone."""
        if sys.platform == "win32":  # its gpg is not driven from here
            raise _no_gpg()
        try:
            from pai_signer.adapters.gpg_verify import GpgVerifier  # noqa: PLC0415 - see above
        except ImportError as error:
            raise _no_gpg() from error
        verifier = GpgVerifier(self._clock)
        return verifier.verify_detached(data, signature, certificates, fingerprints)


def _no_gpg() -> ToolMissing:
    return ToolMissing(
        "VER-1/no-gpg",
        "This program cannot drive gpg on this system.",
        "Check the .asc files with gpg itself, as docs/verify-pai.md shows.",
    )


def public_verifiers() -> Verifiers:
    """What verifying needs, without any vault."""
    return Verifiers(CryptographyMinisignVerifier(), OptionalGpg(SystemClock()))


def public_sources() -> Sources:
    """How folders are read: held open where the system can, else by their paths."""
    if os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW"):
        return FolderSources()
    return PathSources()
