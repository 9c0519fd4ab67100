"""Writes a backup set onto a medium: three identical folders, whole or not counted (CUS-1)."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from pai_signer.domain.backup import COPIES, folder_name
from pai_signer.domain.custody import (
    BACKUP_BEGUN,
    BACKUP_CREATED,
    BegunFacts,
    CreatedFacts,
    KeyName,
)
from pai_signer.domain.progress import Progress
from pai_signer.errors import SignerError
from pai_signer.workflows.custody.backup_files import (
    KeyToCopy,
    SetToMake,
    Signers,
    backup_files,
    signed_manifest,
)
from pai_signer.workflows.custody.prove_set import Held
from pai_signer.workflows.workbench import Workbench


def write_set(
    bench: Workbench,
    held: Held,
    directory: Path,
    keys: Sequence[KeyToCopy],
    signers: Signers,
    progress: Progress,
) -> int:
    """Make the files, write them three times, and journal the set; returns its number.

    Each folder is read back past the page cache. After a failure or a crash fewer than three
    are there: that reads as a damaged set, and the ledger knows that it was cut short.
    """
    intended = BegunFacts(
        custodian=held.custodian,
        medium=held.medium,
        keys=tuple(KeyName(algorithm=k.key.algorithm, id=k.key.id) for k in keys),
        command=held.command,
    )
    begun = bench.journal.append(BACKUP_BEGUN, msgspec.to_builtins(intended))
    to_make = SetToMake(held.custodian, held.medium, bench.journal.entries())
    facts, files = backup_files(bench, to_make, keys, signers, progress)
    files |= signed_manifest(bench, facts, files, signers)
    slug = bench.profile.project.slug
    for copy in COPIES:
        folder = folder_name(slug, begun.n, copy)
        try:
            bench.destinations.write_release(directory, folder, files, progress)
        except SignerError as error:
            if copy != COPIES[0]:
                error.unchanged = (
                    f"The set {begun.n} on the medium is not whole and counts for nothing: "
                    "remove its folders. The keys are as they were."
                )
            raise
    created = CreatedFacts(
        custodian=held.custodian,
        medium=held.medium,
        set_number=begun.n,
        keys=facts.keys,
        command=held.command,
    )
    bench.journal.append(BACKUP_CREATED, msgspec.to_builtins(created))
    return begun.n
