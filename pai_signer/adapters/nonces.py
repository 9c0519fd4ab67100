"""Numbers that nobody could have foreseen, for challenges (CUS-2)."""

import secrets
from typing import Final

NONCE_BYTES: Final = 32


class KernelNonces:
    """The ``Nonces`` port: the kernel's generator (getrandom(2))."""

    def nonce(self) -> bytes:
        """32 bytes."""
        return secrets.token_bytes(NONCE_BYTES)
