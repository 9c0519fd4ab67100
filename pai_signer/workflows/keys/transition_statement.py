"""Sign, verify and publish the statement that one key takes another's place (KEY-3, KEY-4)."""

import hashlib
from collections.abc import Mapping
from typing import cast

from pai_signer.domain.minisig import check_file_in_comment, trusted_comment
from pai_signer.domain.openpgp_status import KeyExpired
from pai_signer.domain.registry import Algorithm, RegisteredKey, Registry
from pai_signer.domain.revocation import judged_certificate
from pai_signer.domain.secret import Secret
from pai_signer.domain.transition import (
    Transition,
    check_transition,
    parse_transition,
    render_transition,
)
from pai_signer.errors import CannotTell
from pai_signer.ports import UnlockedMinisignKey
from pai_signer.workflows.workbench import Verifiers, Workbench


def signed_transition(
    bench: Workbench, registry: Registry, t: Transition, held_under: Mapping[str, str]
) -> dict[str, bytes]:
    """The statement with a signature by each key that has to sign, verified.

    ``registry`` is the state after the transition. ``held_under`` names, by key ID, where the
    session holds the unlocked minisign key or the passphrase of the OpenPGP key.
    """
    data = render_transition(t)
    files = {t.name: data}
    for key_id, name in t.signatures.items():
        held = bench.session.take(held_under[key_id])
        if registry.find(key_id).algorithm is Algorithm.MINISIGN:
            comment = trusted_comment(bench.comment_project, f"transition-{t.day}", t.name)
            digest = hashlib.blake2b(data).digest()
            files[name] = cast("UnlockedMinisignKey", held).sign_prehashed(digest, comment)
        else:
            files[name] = bench.openpgp.sign_detached(data, key_id, cast("Secret", held))
    verify_transition(files, t.name, registry, bench.verifiers)
    return files


def verify_transition(
    files: Mapping[str, bytes], name: str, registry: Registry, verifiers: Verifiers
) -> Transition:
    """Check a statement against the registry, and every signature that it names.

    ``UntrustedKey`` where it tells another story than the registry, ``BadSignature`` where a
    signature is wrong, ``CannotTell`` where one is missing.
    """
    data = files[name]
    statement = parse_transition(data)
    check_transition(statement, registry)
    for key_id, signature_name in statement.signatures.items():
        signature = files.get(signature_name)
        if signature is None:
            raise CannotTell(
                "KEY-3/unsigned-statement",
                f"{signature_name} is missing: {key_id} did not sign {name}.",
                "Get the whole folder again.",
            )
        _verify(registry.find(key_id), name, data, signature, verifiers)
    return statement


def _verify(
    key: RegisteredKey, name: str, data: bytes, signature: bytes, verifiers: Verifiers
) -> None:
    if key.algorithm is Algorithm.MINISIGN:
        digest = hashlib.blake2b(data).digest()
        check_file_in_comment(verifiers.minisign.verify(signature, digest, key.public_key), name)
        return
    try:
        # The key may have been retired or found compromised since: the registry says so.
        verifiers.openpgp.verify_detached(data, signature, [judged_certificate(key)], [key.id])
    except KeyExpired as expired:
        # A statement stays good when the key that signed it has expired since.
        if not expired.made_in_time:
            raise


def published_statements(bench: Workbench, registry: Registry) -> dict[str, bytes]:
    """Every statement of a transition that took place, with its signatures, verified.

    What a ceremony prepared and never carried out is about a key that is not registered.
    """
    known = {key.id for key in registry.keys}
    published: dict[str, bytes] = {}
    for ceremony in bench.ceremonies.names():
        files = bench.ceremonies.load(ceremony)
        for name in files:
            if not (name.startswith("transition-") and name.endswith(".txt")):
                continue
            if parse_transition(files[name]).new.id in known:
                statement = verify_transition(files, name, registry, bench.verifiers)
                names = (name, *statement.signatures.values())
                published.update({part: files[part] for part in names})
    return published
