"""Whose signature on a published document counts: not that of a compromised key (KEY-5)."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from pai_signer.domain.minisig import parse_signature, shown_key_id
from pai_signer.domain.openpgp_status import UNKNOWN_KEY
from pai_signer.domain.registry import (
    MINISIG_SUFFIX,
    OPENPGP_SUFFIX,
    REGISTRY_NAME,
    KeyState,
    RegisteredKey,
    Registry,
)
from pai_signer.errors import BadSignature, CannotTell, ToolMissing, UntrustedKey
from pai_signer.workflows.verify.verification import ReleaseVerifier
from pai_signer.workflows.verify.verified import Unchecked, note_unchecked
from pai_signer.workflows.workbench import Verifiers

#: The code of the refusal of a document that a compromised key alone signed.
PAPER_SIGNER: Final = "KEY-5/paper-signer"


class CountingSignatures:
    """The signatures beside published documents, and whose they are (KEY-5)."""

    def __init__(
        self,
        files: Mapping[str, bytes],
        registry: Registry,
        verifiers: Verifiers,
        *,
        accept_rehearsal: bool,
        unchecked: Unchecked | None = None,
    ) -> None:
        self._files = files
        self._registry = registry
        self._unchecked = unchecked

        def verifier_of(keys: Iterable[RegisteredKey]) -> ReleaseVerifier:
            part = msgspec.structs.replace(registry, keys=tuple(keys))
            return ReleaseVerifier(
                verifiers, part, manifest_name=REGISTRY_NAME, accept_rehearsal=accept_rehearsal
            )

        compromised = tuple(k for k in registry.keys if k.life is KeyState.COMPROMISED)
        self._counting = verifier_of(key for key in registry.keys if key not in compromised)
        self._compromised = verifier_of(compromised)

    def counting(self, name: str) -> tuple[RegisteredKey, ...]:
        """The keys that are not compromised and signed ``name``: at least one."""
        data = self._files[name]
        minisig = self._files.get(name + MINISIG_SUFFIX)
        openpgp = self._files.get(name + OPENPGP_SUFFIX)
        if minisig is None and openpgp is None:
            raise CannotTell(
                "KEY-5/unsigned-paper",
                f"{name} has no signature beside it.",
                "Get the whole keys folder again.",
            )
        found = (
            None if minisig is None else self._minisign_signer(name, data, minisig),
            None if openpgp is None else self._openpgp_signer(data, openpgp),
        )
        signers = tuple(key for key in found if key is not None)
        if not signers and openpgp is not None and self._unchecked:
            raise self._unchecked[-1]
        if not signers:
            raise UntrustedKey(
                PAPER_SIGNER,
                f"{name} is signed by a compromised key alone.",
                "It proves nothing. Get the whole keys folder again, and compare it with "
                "another copy.",
            )
        return signers

    def _minisign_signer(self, name: str, data: bytes, signature: bytes) -> RegisteredKey | None:
        key = self._registry.find(shown_key_id(parse_signature(signature).key_id))
        if key.life is KeyState.COMPROMISED:
            return None
        return self._counting.minisig(name, signature, hashlib.blake2b(data).digest())[0]

    def _openpgp_signer(self, data: bytes, signature: bytes) -> RegisteredKey | None:
        try:
            return self._counting.openpgp(data, signature)[0]
        except ToolMissing as missing:
            note_unchecked(self._unchecked, missing)
            return None
        except UntrustedKey as stranger:
            if stranger.code != UNKNOWN_KEY:
                raise
            try:
                self._compromised.openpgp(data, signature)
            except UntrustedKey as unknown:
                if unknown.code == UNKNOWN_KEY:
                    raise stranger from None
            except BadSignature:
                pass  # left over: by that key, over what the paper said before
            return None
