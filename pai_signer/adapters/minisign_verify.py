"""Checks minisign signatures with ``cryptography`` alone (SIG-5).

Shares no code with signing: py-minisign is not imported here, and the file is
taken apart by ``domain.minisig``.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pai_signer.domain.minisig import BLAKE2B_512_BYTES, parse_public_key, parse_signature
from pai_signer.errors import BadSignature, FormatError, UntrustedKey


class CryptographyMinisignVerifier:
    """The ``MinisignVerifier`` port."""

    def verify(self, signature: bytes, blake2b_512: bytes, public_key: str) -> str:
        """Check both signatures in a ``.minisig`` file; returns the trusted comment.

        ``blake2b_512`` is the digest of the whole file, ``public_key`` the base64
        line from the registry. Raises ``FormatError`` for anything that is not a
        prehashed signature, ``UntrustedKey`` for another key's, ``BadSignature``
        where the mathematics says no.
        """
        if len(blake2b_512) != BLAKE2B_512_BYTES:
            raise FormatError(
                "SIG-2/digest",
                "The digest is not a BLAKE2b-512 digest.",
                "This is a fault of the program; report it.",
            )
        parsed = parse_signature(signature)
        key = parse_public_key(public_key)
        if parsed.key_id != key.key_id:
            raise UntrustedKey(
                "SIG-2/key-id",
                f"The minisign signature is not by key {key.shown_id}.",
                "Check which key should have signed, and that the right signature was taken.",
            )
        try:
            verifier = Ed25519PublicKey.from_public_bytes(key.ed25519)
        except ValueError as error:
            raise FormatError(
                "SIG-2/format",
                "The minisign public key is no Ed25519 key.",
                "Use the key as it was published.",
            ) from error
        # The comment's signature is cheap and covers the other one: a liar is out first.
        try:
            verifier.verify(parsed.comment_signature, parsed.commented_bytes)
        except InvalidSignature as error:
            raise BadSignature(
                "SIG-2/comment-signature",
                "The trusted comment was changed, or another key signed it.",
                "Do not use the file; fetch the signature again from a trusted place.",
            ) from error
        try:
            verifier.verify(parsed.signature, blake2b_512)
        except InvalidSignature as error:
            raise BadSignature(
                "SIG-2/signature",
                "The minisign signature does not belong to this file.",
                "Do not use the file; fetch it and its signature again.",
            ) from error
        return parsed.trusted_comment
