"""Makes damaged copies of a set whole again, from what is whole on the same medium (CUS-2).

Only files that the signed manifest vouches for are written, each into the place of the one
that is damaged; nothing else on the medium is touched, and no secret is needed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from pai_signer.domain.backup import folder_name
from pai_signer.domain.page import Line, Mark
from pai_signer.domain.progress import Progress
from pai_signer.errors import MediumError, PolicyRefused
from pai_signer.ports import Medium
from pai_signer.workflows.custody.judge_set import JudgedSet, judged_sets
from pai_signer.workflows.custody.prove_set import Held
from pai_signer.workflows.workbench import Workbench

BACKUP_REPAIRED: Final = "backup.repaired"


def repair_sets(
    bench: Workbench, held: Held, directory: Path, numbers: Sequence[int], progress: Progress
) -> None:
    """Rewrite what is damaged in the sets ``numbers`` on a medium that can be written.

    Read afresh first. ``PolicyRefused`` where a folder of ours is a link or a file, and
    where nothing can be mended any more.
    """
    for one in judged_sets(bench, directory, progress):
        if one.number not in numbers or one.condition.outcome is None:
            continue
        if not one.condition.repairs:
            raise PolicyRefused(
                "CUS-2/no-whole-copy",
                f"The set {one.number} cannot be mended: no whole copy of it is left.",
                "Write a new backup (backup create).",
            )
        _repair(bench, one, directory, progress)
        bench.journal.append(
            BACKUP_REPAIRED,
            {
                "custodian": held.custodian,
                "medium": msgspec.to_builtins(held.medium),
                "set_number": one.number,
                "copies": {c: dict(files) for c, files in one.condition.repairs.items()},
                "was": list(one.condition.texts),
                "command": held.command,
            },
        )


def _repair(bench: Workbench, one: JudgedSet, directory: Path, progress: Progress) -> None:
    slug = bench.profile.project.slug
    for copy, sources in one.condition.repairs.items():
        found = one.found.copies.get(copy)
        if found is not None and "" in found.problems:
            raise PolicyRefused(
                "CUS-2/not-a-folder",
                f"The folder of copy {copy} cannot be written: {found.problems[''].why}",
                "Look at what stands in its place, move it away, and repair again.",
            )
        files = {name: one.found.copies[source].files[name] for name, source in sources.items()}
        folder = folder_name(slug, one.number, copy)
        if found is None:
            bench.destinations.write_release(directory, folder, files, progress)
        else:
            bench.publisher.publish(directory / folder, files)
        progress.say(Line(f"copy {copy}: {len(files)} files", "written again", Mark.OK))


# --- the medium, for a moment writable ----------------------------------------------------------


def mounted_anew(bench: Workbench, directory: Path, *, read_only: bool) -> Path:
    """Mount the medium at ``directory`` the other way; a folder that is none stays as it is.

    Returns where it is then. ``MediumError`` where it stays read-only, as under a switch.
    """
    medium = _medium_at(bench, directory)
    if medium is None or medium.read_only == read_only:
        return directory
    bench.media.unmount(directory)
    mounted = bench.media.mount(medium, read_only=read_only)
    if mounted.mounted_at is None or (mounted.read_only and not read_only):
        raise MediumError(
            "CUS-2/read-only",
            "The medium cannot be written to.",
            "Move its switch, or mount it writable yourself; then try again.",
        )
    return mounted.mounted_at


def _medium_at(bench: Workbench, directory: Path) -> Medium | None:
    return next((m for m in bench.media.list() if m.mounted_at == directory), None)
