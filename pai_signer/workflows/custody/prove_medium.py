"""Prove every key that can be proved from a medium, read afresh (CUS-2).

The one way in which a proof is made: right after a backup was written, in a verification, in
a rotation, and in a session of two maintainers.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey
from pai_signer.domain.secret import Secret
from pai_signer.errors import PolicyRefused
from pai_signer.workflows.custody.custodian_passphrases import CUSTODIAN
from pai_signer.workflows.custody.judge_medium import judge_medium, record_seen
from pai_signer.workflows.custody.prove_set import Held, ProvedKey, prove_key
from pai_signer.workflows.custody.seen import Seen, refusal_of
from pai_signer.workflows.keys.key_dates import NOT_COMPARED, check_clock
from pai_signer.workflows.workbench import Workbench


def prove_medium(
    bench: Workbench,
    held: Held,
    directory: Path,
    keys: Sequence[RegisteredKey],
    progress: Progress,
    *,
    passphrases: Mapping[Algorithm, str] = CUSTODIAN,
    expected: Seen | None = None,
    written: int = 0,
) -> tuple[ProvedKey, ...]:
    """Read and judge the medium again, and let each key of ``keys`` on it sign.

    ``passphrases`` name what the session holds for each system. ``expected`` is what was
    seen before the passphrases were asked: if it is otherwise now, that is refused. Right
    after a set was ``written``, every one of ``keys`` has to be proved from that very set.
    Each attempt is journalled.
    """
    check_clock(bench, NOT_COMPARED)
    judgement = judge_medium(bench, held, directory, keys, progress)
    seen = judgement.seen
    if expected is not None and seen != expected:
        record_seen(bench, held, seen)
        raise refusal_of(seen) or _changed()
    if written:
        if refusal := refusal_of(seen):
            record_seen(bench, held, seen)
            raise refusal
        if [(key.id, key.set_number) for key in seen.ready] != [(k.id, written) for k in keys]:
            raise _changed()
    proved = []
    registered = {key.id: key for key in keys}
    for key in seen.ready:
        one = judgement.sets[key.set_number]
        facts = one.facts
        if facts is None:
            raise RuntimeError("a key is ready in a set without facts")
        passphrase = cast("Secret", bench.session.take(passphrases[key.algorithm]))
        proved.append(
            prove_key(bench, held, registered[key.id], facts, one.files, passphrase, progress)
        )
    return tuple(proved)


def _changed() -> PolicyRefused:
    return PolicyRefused(
        "CUS-2/changed",
        "What lies on the medium is not what it was when the passphrases were asked.",
        "Was it exchanged? Begin again: nothing was proved.",
    )
