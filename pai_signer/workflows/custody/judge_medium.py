"""Which key can be proved from a medium, and what speaks against the others (CUS-2)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pai_signer.domain.backup import MINISIGN_PUBLIC_NAME, OPENPGP_PUBLIC_NAME
from pai_signer.domain.custody import BACKUP_CREATED, KeyName, Outcome, custodian_id
from pai_signer.domain.minisig import parse_public_key_file
from pai_signer.domain.openpgp_certificate import primary_fingerprint
from pai_signer.domain.openpgp_expiry import certificate_expiry
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey, Registry
from pai_signer.errors import FormatError, MediumError
from pai_signer.workflows.custody.judge_set import JudgedSet, judged_sets
from pai_signer.workflows.custody.prove_set import Held, record_failure
from pai_signer.workflows.custody.seen import KeySeen, Seen
from pai_signer.workflows.workbench import Workbench


@dataclass(frozen=True)
class Judgement:
    """What was seen, and the sets that it was seen in, by number."""

    seen: Seen
    sets: Mapping[int, JudgedSet] = field(default_factory=dict)


def judge_medium(
    bench: Workbench,
    held: Held,
    directory: Path,
    keys: Sequence[RegisteredKey],
    progress: Progress,
) -> Judgement:
    """Read the medium and match each of ``keys`` with the newest set that holds it.

    ``keys`` are those to be proved: the active ones, or a new one before it is active.
    ``JournalTampered`` where the medium shows that the journal here is not what it was.
    """
    try:
        sets = judged_sets(bench, directory, progress)
    except MediumError as error:
        return Judgement(Seen(outcome=Outcome.UNREADABLE, text=error.summary))
    if not sets:
        return Judgement(Seen(outcome=Outcome.EMPTY, text=_empty_text(bench, held)))
    mine = [one for one in sets if _owner(bench, held, one) == custodian_id(held.custodian)]
    if not mine:
        return Judgement(_not_mine(bench, held, sets))
    chosen = {key.id: found for key in keys if (found := _newest_with(bench, key, mine))}
    seen = Seen(
        keys=tuple(_keys_seen(bench, keys, chosen, mine)),
        missing=tuple(_missing(keys, chosen, mine)),
        notes=tuple(_notes(held, sets, mine, {one.number for one in chosen.values()})),
        repairable=tuple({o.number: None for o in chosen.values() if o.condition.repairs}),
    )
    return Judgement(seen, {one.number: one for one in mine})


def record_seen(bench: Workbench, held: Held, seen: Seen) -> None:
    """Journal each outcome that stands before any secret was asked."""
    if seen.outcome is not None:
        record_failure(bench, held, seen.outcome, seen.text)
    for key in seen.keys:
        if key.outcome is not None:
            record_failure(
                bench, held, key.outcome, key.text, set_number=key.set_number, key=key.name
            )


# --- whose it is -----------------------------------------------------------------------------


def _owner(bench: Workbench, held: Held, one: JudgedSet) -> str:
    """Whose set it is: as signed, as it claims, or as the ledger remembers a ruined one."""
    if one.claimed is not None:
        return custodian_id(one.claimed.custodian)
    for row in bench.ledger().expected_on(held.medium):
        if row.set_number == one.number:
            return custodian_id(row.custodian)
    return ""


def _not_mine(bench: Workbench, held: Held, sets: Sequence[JudgedSet]) -> Seen:
    """Nothing of this custodian: somebody else's, another vault's, or ruined."""
    signed = [one.facts.custodian for one in sets if one.facts is not None]
    if signed:
        names = " and ".join(dict.fromkeys(signed))
        text = f"This is the backup of {names}, not of {held.custodian}."
        return Seen(outcome=Outcome.OTHER_CUSTODIAN, text=text)
    return _unsigned(bench.registry(), sets[0])


def _unsigned(registry: Registry, one: JudgedSet) -> Seen:
    """A set that no registered key vouches for: of other keys, or with its manifest ruined."""
    known = {key.id for key in registry.keys}
    claimed = one.claimed
    if claimed is not None and not known & {key.id for key in claimed.keys}:
        text = f"The set {one.number} is of keys that are not in the registry."
        return Seen(outcome=Outcome.WRONG_KEY, text=text)
    outcome = one.condition.outcome or Outcome.DAMAGED
    text = (
        f"No copy of the set {one.number} agrees with a manifest that a registered key signed: "
        f"{'; '.join(one.condition.texts)}."
    )
    return Seen(outcome=outcome, text=text)


def _empty_text(bench: Workbench, held: Held) -> str:
    expected = bench.ledger().expected_on(held.medium)
    if not expected:
        return f"There is no backup of {bench.profile.project.name} on this medium."
    names = " and ".join(dict.fromkeys(row.custodian for row in expected))
    return f"It reads as empty, and the backup of {names} should be on it."


# --- key by key ------------------------------------------------------------------------------


def _holds(bench: Workbench, key: KeyName | RegisteredKey, one: JudgedSet) -> bool:
    if one.claimed is not None:
        return any(held.id == key.id for held in one.claimed.keys)
    return any(row.set_number == one.number for row in bench.ledger().rows_of(key.id))


def _newest_with(
    bench: Workbench, key: RegisteredKey, mine: Sequence[JudgedSet]
) -> JudgedSet | None:
    """The newest set with this key; what a crash left unfinished only where nothing else is."""
    holding = [one for one in mine if _holds(bench, key, one)]
    created = {
        entry.facts["set_number"]
        for entry in bench.journal.entries()
        if entry.event == BACKUP_CREATED
    }
    finished = [one for one in holding if one.number in created or one.condition.outcome is None]
    return next(iter([*finished, *holding]), None)


def _keys_seen(
    bench: Workbench,
    keys: Sequence[RegisteredKey],
    chosen: Mapping[str, JudgedSet],
    mine: Sequence[JudgedSet],
) -> Iterator[KeySeen]:
    for key in keys:
        one = chosen.get(key.id)
        if one is not None:
            outcome, text = _judged_key(bench, key, one)
            yield KeySeen(
                algorithm=key.algorithm,
                id=key.id,
                set_number=one.number,
                outcome=outcome,
                text=text,
            )
        elif (other := _other_key(key.algorithm, mine)) is not None:
            yield _other_seen(bench.registry(), key, *other)


def _judged_key(bench: Workbench, key: RegisteredKey, one: JudgedSet) -> tuple[Outcome | None, str]:
    condition = one.condition
    if condition.facts is None:
        seen = _unsigned(bench.registry(), one)
        return seen.outcome, seen.text
    if condition.outcome is not None:
        return condition.outcome, f"The set {one.number}: {'; '.join(condition.texts)}."
    files = one.files
    try:
        if key.algorithm is Algorithm.MINISIGN:
            there = parse_public_key_file(files[MINISIGN_PUBLIC_NAME]).line
            if there != key.public_key:
                return Outcome.WRONG_KEY, _wrong_key_text(key)
            return None, ""
        certificate = files[OPENPGP_PUBLIC_NAME].decode("ascii", "replace")
        if primary_fingerprint(certificate) != key.id:
            return Outcome.WRONG_KEY, _wrong_key_text(key)
        expiry = certificate_expiry(certificate)
    except FormatError as error:
        return Outcome.DAMAGED, error.summary
    if expiry is not None and expiry <= bench.clock.now():
        text = (
            f"The certificate beside the OpenPGP key expired on {expiry:%Y-%m-%d}: the key was "
            "extended since. Restored from here alone it could not sign."
        )
        return Outcome.STALE, text
    return None, ""


def _wrong_key_text(key: RegisteredKey) -> str:
    return f"What lies there as {key.id} is another {key.algorithm.shown} key."


def _other_key(algorithm: Algorithm, mine: Sequence[JudgedSet]) -> tuple[JudgedSet, KeyName] | None:
    """The newest key of this system that lies there instead."""
    for one in mine:
        held = one.claimed.key(algorithm) if one.claimed else None
        if held is not None:
            return one, KeyName(algorithm=held.algorithm, id=held.id)
    return None


def _other_seen(
    registry: Registry, active: RegisteredKey, one: JudgedSet, found: KeyName
) -> KeySeen:
    is_known = any(key.id == found.id for key in registry.keys)
    outcome = Outcome.SUPERSEDED_KEY if is_known else Outcome.WRONG_KEY
    shown = found.algorithm.shown
    text = (
        f"On it is the {shown} key {found.id}; {active.id} signs now."
        if is_known
        else f"On it is the {shown} key {found.id}, which is not in the registry."
    )
    return KeySeen(
        algorithm=found.algorithm,
        id=found.id,
        set_number=one.number,
        outcome=outcome,
        text=text,
    )


def _missing(
    keys: Sequence[RegisteredKey], chosen: Mapping[str, JudgedSet], mine: Sequence[JudgedSet]
) -> Iterator[KeyName]:
    for key in keys:
        if key.id not in chosen and _other_key(key.algorithm, mine) is None:
            yield KeyName(algorithm=key.algorithm, id=key.id)


def _notes(
    held: Held,
    sets: Sequence[JudgedSet],
    mine: Sequence[JudgedSet],
    chosen: set[int],
) -> Iterator[str]:
    """What damages no proof and should be known."""
    for one in mine:
        facts = one.facts
        if one.number in chosen and facts is not None and not facts.medium.same_as(held.medium):
            yield f"The set {one.number} was made for another medium: {facts.medium.shown}."
        if one.number in chosen and one.condition.outcome is None:
            yield from one.condition.texts
        if one.number not in chosen and one.condition.outcome is not None:
            yield (
                f"The set {one.number} is not whole and not needed: remove its folders once "
                "the newer one is proved."
            )
    own = {one.number for one in mine}
    others = {one.claimed.custodian for one in sets if one.number not in own and one.claimed}
    for name in sorted(others):
        yield f"The backup of {name} lies on this medium too: two proofs from it count once."
