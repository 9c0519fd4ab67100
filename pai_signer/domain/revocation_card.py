"""The card beside exported revocation certificates: what each is, how stock gpg uses it (KEY-1).

Plain ASCII under 80 columns, for a day on which this program may not be at hand (CUS-1).
"""

import textwrap
from datetime import datetime
from typing import Final

from pai_signer.domain.openpgp import grouped_fingerprint

WIDTH: Final = 78


def render_revocation_card(
    project: str, fingerprint: str, user_id: str, made_on: datetime, *, rehearsal: bool
) -> str:
    """The card of one key; the same text for the same key, so that a second export agrees."""
    lines = [
        f"{project}: REVOCATION CERTIFICATES OF AN OPENPGP KEY",
        *(["REHEARSAL: of a practice key."] * rehearsal),
        "",
        f"  key      {grouped_fingerprint(fingerprint)}",
        f"  name     {user_id}",
        f"  made on  {made_on:%Y-%m-%d} UTC, with the key",
        "",
        *_wrapped(
            "Whoever holds one of these files can end the key, and nothing else: they open no "
            "backup and sign nothing. Keep them where a thief of the backups does not find them, "
            "and where you find them when every backup is gone. Use ONE of the two."
        ),
        "",
        "compromised.asc: SOMEBODY ELSE HAS OR MAY HAVE THE KEY",
        *_wrapped(
            "Every signature that the key ever made becomes invalid, whatever its date, because "
            "a thief can write any date. Releases of before that day need an endorsement by "
            "another key. With the program at hand, use it: it writes the notices and endorses "
            "the releases that were ours."
        ),
        "",
        f"  pai-signer key revoke {fingerprint} \\",
        "      --reason compromised --certificate compromised.asc",
        "",
        "superseded.asc: THE KEY IS LOST, AND NOBODY ELSE HAS IT",
        *_wrapped(
            "The passphrase is forgotten, or the last copy burned. What was signed BEFORE the "
            f"date of the certificate stays valid; it was made on {made_on:%Y-%m-%d}, with the "
            "key, so strict verifiers (sqv) reject all that the key has signed since. Publish "
            "it only when nothing else is left, and say on the security page how old releases "
            "are verified: by their minisign signatures."
        ),
        *_wrapped(
            "For a planned change of keys do not use it: while the secret key is at hand, "
            "'pai-signer key rotate gpg' retires the old key and keeps every old signature valid."
        ),
        "",
        "WITH STOCK GPG, on any machine (FILE is the one you chose)",
        "",
        f"  gpg --import gpg-{fingerprint}.asc",
        "  gpg --import FILE",
        f"  gpg --armor --export {fingerprint} > revoked.asc",
        "",
        *_wrapped(
            "The first file is the public key, from keys/public of the repository. Publish "
            "revoked.asc in its place: there, on the website, on key servers. There is no way "
            "back. gpg then says of the key: revoked."
        ),
        "",
        "TO LOOK AT ONE WITHOUT USING IT",
        "",
        "  gpg --list-packets FILE",
        "",
        "  compromised.asc: revocation reason 0x02     superseded.asc: reason 0x01",
        "",
    ]
    return "\n".join(lines)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_on_hyphens=False, break_long_words=False)
