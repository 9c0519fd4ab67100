"""How a key that was just made or taken in enters the registry (KEY-1, KEY-2)."""

from pai_signer.domain.minisig import parse_public_key
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


def _state_at_birth(bench: Workbench) -> KeyState:
    return KeyState.REHEARSAL if bench.info.rehearsal else KeyState.ACTIVE
