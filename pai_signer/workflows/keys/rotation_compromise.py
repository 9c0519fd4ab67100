"""Rotate away from a compromised key (KEY-5): what such a rotation has beside the usual one.

Where the old key is still in use, this ceremony ends it: it asks and prepares what ``key
revoke`` does. Where it was revoked before, the new key just takes its place. Either way the
lists of endorsed releases are read again, and signed by the new key too.
"""

from collections.abc import Callable, Mapping

from pai_signer.domain.registry import Algorithm, KeyState, RegisteredKey, Registry
from pai_signer.domain.revocation import check_revocable
from pai_signer.errors import PolicyRefused
from pai_signer.workflows.engine import Step
from pai_signer.workflows.keys.compromise_papers import check_lists, signed_papers
from pai_signer.workflows.keys.ending_key import (
    ApplyRevocation,
    AskTrustedUntil,
    AskWhy,
    PrepareRevocation,
    marked_registry,
)
from pai_signer.workflows.keys.read_lists import ReadLists, lists_as_read
from pai_signer.workflows.keys.rotation_system import Reason, RotatedSystem, RotateState
from pai_signer.workflows.workbench import Workbench


def awaited_key(registry: Registry, algorithm: Algorithm) -> RegisteredKey | None:
    """The compromised key of this system whose place no new one has taken yet."""
    if registry.signing_key(algorithm) is not None:
        return None
    waiting = [key for key in registry.of(algorithm) if key.superseded_by is None]
    last = waiting[-1] if waiting else None
    return last if last is not None and last.life is KeyState.COMPROMISED else None


def old_key(registry: Registry, algorithm: Algorithm, reason: Reason) -> RegisteredKey | None:
    """The key whose place the new one takes: the active one, or one that was revoked before."""
    active = registry.signing_key(algorithm)
    return active if active or reason == "scheduled" else awaited_key(registry, algorithm)


def check_can_follow(registry: Registry, old: RegisteredKey) -> None:
    """Somebody beside the new key has to vouch for it: the key of the other system."""
    if old.can_sign:
        check_revocable(registry, old.id, "compromised")
    elif not any(key.can_sign for key in registry.keys):
        raise PolicyRefused(
            "KEY-5/nobody-left-to-sign",
            "No key is left that could vouch for a new one.",
            "Restore a backup of the vault in which one key is good, or begin a new vault and "
            "tell everybody by another way.",
        )


def compromise_steps(
    system: RotatedSystem, is_over: Callable[[RotateState], bool]
) -> tuple[tuple[Step[RotateState], ...], tuple[Step[RotateState], ...]]:
    """The steps before the new key is made, and those after the point of no return."""
    bench = system.bench

    def marked(state: RotateState) -> Registry:
        if state.ends:
            return marked_registry(bench, state, bench.clock.now())
        return bench.registry()

    ending: tuple[Step[RotateState], ...] = (
        AskTrustedUntil(bench, is_over),
        AskWhy(bench, is_over),
        PrepareRevocation(bench, is_over),
        ReadLists(bench, marked, is_over),
    )
    applying: tuple[Step[RotateState], ...] = (ApplyRevocation(bench, is_over),)
    return ending, applying


def papers_to_store(
    bench: Workbench, following: Registry, state: RotateState, held_under: Mapping[Algorithm, str]
) -> dict[str, bytes]:
    """Notices and lists signed by every key that can sign then; none in a usual rotation."""
    if not state.is_compromise:
        return {}
    lists = lists_as_read(bench, state)
    check_lists(bench, following, lists)
    return signed_papers(bench, following, lists, held_under)
