"""The two revocation certificates that every OpenPGP key gets at its birth (KEY-1).

*Compromised* for the day when somebody else has the key, *superseded* for the day when
nobody has it any more. gpg's own automatic revocation gives no reason, so that every old
signature would die with it; it is not kept.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from pai_signer.domain.openpgp_signatures import RevocationReason
from pai_signer.domain.page import Line, Mark
from pai_signer.domain.progress import Progress
from pai_signer.domain.secret import Secret
from pai_signer.workflows.workbench import Workbench

#: File name in the vault and on the medium, by reason.
NAMES: Final[Mapping[RevocationReason, str]] = {
    RevocationReason.SUPERSEDED: "superseded.asc",
    RevocationReason.COMPROMISED: "compromised.asc",
}
#: Published with the revocation, in the day that nobody hopes for.
TEXTS: Final[Mapping[RevocationReason, str]] = {
    RevocationReason.SUPERSEDED: "Made with the key: it is no longer used.",
    RevocationReason.COMPROMISED: "Made with the key: it may be in other hands.",
}


def keep_birth_revocations(
    bench: Workbench, fingerprint: str, passphrase: Secret, progress: Progress
) -> None:
    """Make both, each checked by gpg in a home of its own, and keep them in the vault.

    Both or none are stored; those of an earlier try are replaced. ``PolicyRefused`` for a
    wrong passphrase.
    """
    made = {
        NAMES[reason]: bench.openpgp_life.make_revocation(
            fingerprint, reason, TEXTS[reason], passphrase
        ).block
        for reason in NAMES
    }
    bench.revocations.save(fingerprint, made)
    for name in sorted(made):
        progress.say(Line(name, label="revocation", mark=Mark.OK))


def kept_revocations(bench: Workbench) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Fingerprint and files of every registered key that has its two certificates here."""
    registered = {key.id for key in bench.registry().keys}
    for fingerprint in bench.revocations.names():
        files = bench.revocations.load(fingerprint)
        if fingerprint in registered and set(files) == set(NAMES.values()):
            yield fingerprint, files
