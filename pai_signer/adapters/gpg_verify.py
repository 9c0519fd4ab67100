"""Checks OpenPGP signatures in a throwaway home with the given certificates only (SIG-5)."""

from collections.abc import Iterable, Sequence
from typing import Final

from pai_signer.adapters.gpg_home import GpgHome, throwaway_home
from pai_signer.domain.openpgp import parse_fingerprint, parse_key_listing
from pai_signer.domain.openpgp_armor import check_armored_certificate, parse_armored_signature
from pai_signer.domain.openpgp_status import judge_signature
from pai_signer.errors import FormatError
from pai_signer.ports import Clock, OpenPgpSignature

#: Manifests, receipts and tags are a few kilobytes; larger is not what it claims to be.
MAX_DATA_BYTES: Final = 16 << 20
MAX_CERTIFICATES: Final = 100


class GpgVerifier:
    """The ``OpenPgpVerifier`` port; ``clock`` tells which signatures lie in the future."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def verify_detached(
        self,
        data: bytes,
        signature: bytes,
        certificates: Sequence[str],
        fingerprints: Iterable[str],
    ) -> OpenPgpSignature:
        """GOODSIG and VALIDSIG by a primary in ``fingerprints``, or a raised reason why not.

        ``signature`` and each of ``certificates`` is one armored block;
        ``fingerprints`` are full ones. Raises ``FormatError`` for anything else,
        and what ``judge_signature`` raises.
        """
        wanted = frozenset(parse_fingerprint(f) for f in fingerprints)
        packet = parse_armored_signature(signature)
        if len(data) > MAX_DATA_BYTES or len(certificates) > MAX_CERTIFICATES:
            raise FormatError(
                "SIG-5/too-large",
                "There is more to verify than any release has.",
                "Check that these are the release's own files.",
            )
        for certificate in certificates:
            check_armored_certificate(certificate)
        with throwaway_home(for_secrets=False) as home:
            _import(home, certificates)
            listed = parse_key_listing(home.run(["--with-colons", "--list-keys"]).stdout)
            # gpg gets the very packet that was parsed here: no second reading of the armor.
            signature_file = home.path / "detached-signature"
            signature_file.write_bytes(packet)
            finished = home.run(["--verify", signature_file, "-"], stdin=data)
        signed_by = judge_signature(finished.status, listed, wanted, self._clock.now())
        return OpenPgpSignature(
            primary_fingerprint=signed_by.primary_fingerprint,
            signing_fingerprint=signed_by.signing_fingerprint,
            created_at=signed_by.created_at,
        )


def _import(home: GpgHome, certificates: Sequence[str]) -> None:
    library = home.library()
    for certificate in certificates:
        if not library.import_keys(certificate).fingerprints:
            raise FormatError(
                "SIG-5/certificate",
                "One of the OpenPGP certificates cannot be read by gpg.",
                "Use the certificate as it was published.",
            )
