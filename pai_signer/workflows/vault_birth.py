"""The first entry of a vault's journal, which says that the vault was made, and by whom (JRN-1)."""

from typing import Final

from pai_signer.domain.journal import RECOVERED
from pai_signer.domain.vault_info import VaultInfo
from pai_signer.ports import Journal
from pai_signer.workflows.workbench import Workbench

CREATED: Final = "vault.created"


def record_birth(journal: Journal, info: VaultInfo) -> None:
    """Journal that the vault of ``info`` was made."""
    name, email = info.maintainer_name, info.maintainer_email
    journal.append(
        CREATED,
        {
            "project": info.project,
            "maintainer": f"{name} <{email}>",
            "rehearsal": info.rehearsal,
            "command": f"init --maintainer {name!r} --email {email}",
        },
    )


def settle_birth(bench: Workbench) -> tuple[str, ...]:
    """Journal the birth of a vault whose maker was killed right after its last file was there.

    Returns one line if it did. Where the vault holds anything else, an empty journal is none of
    a new one: it is left as it is.
    """
    if any(entry.event != RECOVERED for entry in bench.journal.entries()):
        return ()
    if bench.registry_store.load() or bench.releases.versions() or bench.ceremonies.names():
        return ()
    record_birth(bench.journal, bench.info)
    return ("The making of this vault was interrupted; its journal now says that it was made.",)
