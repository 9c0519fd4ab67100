"""How a key that was just made or taken in enters the registry (KEY-1, KEY-2)."""

from pai_signer.domain.ceremony import Result
from pai_signer.domain.minisig import parse_public_key
from pai_signer.domain.openpgp import grouped_fingerprint
from pai_signer.domain.registry import REHEARSAL_MARK, Algorithm, KeyState, RegisteredKey
from pai_signer.ports import OpenPgpKeyInfo
from pai_signer.workflows.workbench import Workbench


def registered_minisign(bench: Workbench, line: str) -> RegisteredKey:
    """The minisign key of this public key line, born now."""
    return RegisteredKey(
        algorithm=Algorithm.MINISIGN,
        id=parse_public_key(line).shown_id,
        public_key=line,
        state=_state_at_birth(bench),
        created_at=bench.clock.now(),
    )


def registered_openpgp(bench: Workbench, info: OpenPgpKeyInfo) -> RegisteredKey:
    """The OpenPGP key with these public facts."""
    return RegisteredKey(
        algorithm=Algorithm.OPENPGP,
        id=info.fingerprint,
        public_key=info.certificate,
        state=_state_at_birth(bench),
        created_at=info.created_at,
        expires_at=info.expires_at,
        user_id=info.user_id,
    )


def signing_user_id(bench: Workbench) -> str:
    """The user ID of a new OpenPGP key; a rehearsal's says what it is."""
    name = f"{bench.profile.project.name} release signing"
    if bench.info.rehearsal:
        name = f"{REHEARSAL_MARK} {name}"
    return f"{name} <{bench.info.maintainer_email}>"


def results_of(key: RegisteredKey) -> tuple[Result, ...]:
    """What a ceremony's transcript says of a new key."""
    if key.algorithm is Algorithm.MINISIGN:
        return (
            Result(what="minisign key", text=key.id),
            Result(what="its public key", text=key.public_key),
        )
    return (
        Result(what="OpenPGP key", text=grouped_fingerprint(key.id)),
        Result(what="its user ID", text=key.user_id),
        Result(what="it expires", text=f"{key.expires_at:%Y-%m-%d}" if key.expires_at else "never"),
    )


def _state_at_birth(bench: Workbench) -> KeyState:
    return KeyState.REHEARSAL if bench.info.rehearsal else KeyState.ACTIVE
