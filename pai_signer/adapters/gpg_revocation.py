"""Revocations of whole OpenPGP keys: made, judged and applied in an opened home (KEY-5)."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from pai_signer.adapters import gpg_commands as commands
from pai_signer.adapters.gpg_copy import import_certificate, listed_public, listed_signatures
from pai_signer.adapters.gpg_home import GpgHome, throwaway_home
from pai_signer.adapters.passphrases import wrong_passphrase
from pai_signer.domain.openpgp_certificate import (
    check_revocation_block,
    merge_certificates,
    without_key_revocations,
)
from pai_signer.domain.openpgp_signatures import (
    ListedSignature,
    RevocationReason,
    key_revocations,
)
from pai_signer.domain.secret import Secret
from pai_signer.domain.text import safe_text
from pai_signer.errors import FormatError, PolicyRefused, ToolError
from pai_signer.ports import Clock, OpenPgpRevocation

#: Answers to gpg's menu of reasons, which does not count as the packets do.
_MENU: Final = {
    RevocationReason.COMPROMISED: "1",
    RevocationReason.SUPERSEDED: "2",
    RevocationReason.RETIRED: "3",
}


def make(
    home: GpgHome,
    fingerprint: str,
    reason: RevocationReason,
    text: str,
    passphrase: Secret,
    clock: Clock,
) -> OpenPgpRevocation:
    """Let gpg make a revocation and ``judge`` it: this key's, with this reason and text."""
    # Its questions in turn: sure? reason? text, up to an empty line; sure?
    answers = ["y", _MENU[reason], *([text] if text else []), "", "y", ""]
    finished = home.run(
        # gpg refuses to make one under --batch, which every call of ours begins with.
        ["--no-batch", "--command-fd", "0", "--armor", "--gen-revoke", fingerprint],
        stdin="\n".join(answers).encode("ascii"),
        passphrase=passphrase,
    )
    # Here a bad passphrase stands in no status line (gpg's language is set to C).
    if b"Bad passphrase" in finished.stderr:
        raise wrong_passphrase("the OpenPGP key")
    commands.check_finished(finished, "make the revocation certificate")
    # Asked after gpg has dated it, or a second's turn would make it one of the future.
    made = judge(home, fingerprint, finished.stdout, clock.now())
    if (made.reason, made.text) != (reason, text):
        raise ToolError(
            "KEY-5/not-as-asked",
            "gpg made another revocation than it was asked for.",
            "It was thrown away. Use the GnuPG of Debian 12 or newer.",
        )
    return made


def judge(home: GpgHome, fingerprint: str, block: bytes, now: datetime) -> OpenPgpRevocation:
    """Let gpg import it beside the key as it was before any revocation; ``home`` stays."""
    text = block.decode("ascii", "replace")
    check_revocation_block(text)
    listed_public(home, fingerprint)
    certificate = commands.public_certificate(home, fingerprint)
    with throwaway_home(for_secrets=False) as judging:
        import_certificate(judging, fingerprint, without_key_revocations(certificate))
        judging.run(["--import"], stdin=block)
        found = key_revocations(listed_signatures(judging, fingerprint), fingerprint)
        if len(found) != 1:
            raise FormatError(
                "KEY-5/revocation",
                f"This is not a valid revocation of the OpenPGP key {fingerprint}.",
                "Take the revocation certificate that was made for this key.",
            )
        revoked = commands.public_certificate(judging, fingerprint)
    (signature,) = found
    if signature.created_at > now:
        raise PolicyRefused(
            "KEY-5/future-date",
            f"The revocation is dated {signature.created_at:%Y-%m-%d %H:%M:%S} UTC, "
            "which lies in the future; verifiers would not heed it yet.",
            "Check this machine's clock, and make a new revocation.",
        )
    return OpenPgpRevocation(
        reason=_reason(signature),
        text=safe_text(signature.text),
        created_at=signature.created_at,
        block=block,
        certificate=merge_certificates([certificate, revoked]),
    )


def apply(home: GpgHome, fingerprint: str, block: bytes, now: datetime) -> OpenPgpRevocation:
    """Import it into ``home`` once it is judged, and see that the key is revoked by it."""
    judged = judge(home, fingerprint, block, now)
    commands.check_finished(home.run(["--import"], stdin=block), "import the revocation")
    there = key_revocations(listed_signatures(home, fingerprint), fingerprint)
    is_revoked = listed_public(home, fingerprint).primary.validity.startswith("r")
    wanted = (judged.reason.value, judged.created_at)
    if not is_revoked or wanted not in {(s.reason_code, s.created_at) for s in there}:
        raise ToolError(
            "KEY-5/not-revoked",
            f"gpg did not revoke the OpenPGP key {fingerprint}.",
            "Check the installation of gpg, and try again.",
        )
    return replace(judged, certificate=commands.public_certificate(home, fingerprint))


def _reason(signature: ListedSignature) -> RevocationReason:
    try:
        return RevocationReason(signature.reason_code)
    except ValueError as error:
        raise PolicyRefused(
            "KEY-5/reason",
            "The revocation gives no reason, or none that is known here, so that every old "
            "signature would die without anybody being told why.",
            "Use one of the revocations that were made with the key for a reason.",
        ) from error
