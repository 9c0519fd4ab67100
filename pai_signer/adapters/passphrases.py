"""What a passphrase must be: one that stock tools take as it is, and a new one strong (CUS-1)."""

import secrets
from typing import Final

from pai_signer.domain.passphrase_words import MIN_WORDS, passphrase, weakness
from pai_signer.domain.secret import Secret
from pai_signer.errors import PolicyRefused, UsageError

#: gpg-agent's MAX_PASSPHRASE_LEN (agent/agent.h); minisign's PASSWORDMAXBYTES is larger.
MAX_PASSPHRASE_BYTES: Final = 255

#: The code of the error for a passphrase that opens nothing.
WRONG_PASSPHRASE: Final = "KEY-1/wrong-passphrase"  # noqa: S105 - an error code


class WordListPassphrases:
    """The ``Passphrases`` port: words drawn by the kernel's generator, and a strict judge."""

    def offer(self) -> Secret:
        """Six random words, 77 bits: out of reach even behind gpg's weak hashing."""
        return passphrase(MIN_WORDS, secrets.randbelow)

    def check(self, passphrase: Secret) -> None:
        """Refuse a new passphrase that is too weak, with the reason (KEY-1)."""
        why = weakness(passphrase.reveal())
        if why is not None:
            raise PolicyRefused(
                "KEY-1/weak-passphrase",
                f"Too weak: {why}.",
                "Take the words that a terminal is offered, or roll dice for six or more words.",
            )


def check_passphrase(passphrase: Secret) -> None:
    """Refuse an empty passphrase, and one that a stock tool would read differently.

    Tools read a passphrase up to the first line end: anything after it would be
    thrown away without a word, and a control character cannot be typed.
    """
    if passphrase.is_empty:
        raise PolicyRefused(
            "KEY-1/empty-passphrase",
            "The passphrase is empty; the tools would leave the key unprotected.",
            "Type a passphrase, best six diceware words or more.",
        )
    buffer = passphrase.reveal()
    if len(buffer) > MAX_PASSPHRASE_BYTES or any(b < 0x20 or b == 0x7F for b in buffer):
        raise UsageError(
            "KEY-1/passphrase-form",
            "The passphrase is too long or holds a control character, so that gpg or "
            "minisign would take another one.",
            f"Use one line of at most {MAX_PASSPHRASE_BYTES} bytes.",
        )


def check_own_passphrase(passphrase: Secret, new_passphrase: Secret) -> None:
    """Refuse a copy under the passphrase of its original: each custodian has their own (CUS-1)."""
    check_passphrase(passphrase)
    check_passphrase(new_passphrase)
    if passphrase.same_as(new_passphrase):
        raise PolicyRefused(
            "CUS-1/same-passphrase",
            "The passphrase of the copy is the workstation's own.",
            "Give each custodian a passphrase of their own: one that is lost or read must not "
            "open the others.",
        )


def wrong_passphrase(what: str) -> PolicyRefused:
    """The error for a passphrase that does not open ``what``."""
    return PolicyRefused(
        WRONG_PASSPHRASE,
        f"The passphrase does not open {what}, or its file is damaged.",
        "Type it again. If you are sure of it, restore the key from another backup.",
    )


def certainly_wrong_passphrase() -> Secret:
    """A random passphrase that must fail: what it opens is not protected at all."""
    return Secret(bytearray(secrets.token_hex(16), "ascii"))
