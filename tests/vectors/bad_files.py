"""The bad files: one table, and the folder that is made of it.

``python -m tests.vectors.bad_files`` writes ``tests/vectors/bad`` anew, after a sample or a
row was changed; a test holds that the two agree.
"""

import shutil
from pathlib import Path
from typing import Final

from tests.fuzzing.targets import targets
from tests.vectors import foreign_files, record_files, release_files
from tests.vectors.faults import Fault

BAD: Final = Path(__file__).parent / "bad"

FAULTS: Final[tuple[Fault, ...]] = (
    *release_files.MANIFESTS,
    *release_files.LIVE,
    *release_files.MINISIGN,
    *release_files.GIT,
    *record_files.REGISTRY,
    *record_files.RECEIPTS,
    *record_files.JOURNAL,
    *record_files.CEREMONIES,
    *record_files.CUSTODY,
    *record_files.NOTED,
    *foreign_files.PROFILES,
    *foreign_files.IMAGES,
    *foreign_files.OPENPGP,
    *foreign_files.TOOLS,
)


def good(fault: Fault) -> bytes:
    """The sample that the file was before the fault; its parser accepts it."""
    return next(t for t in targets() if t.name == fault.format).seeds[fault.sample]


def made(fault: Fault) -> bytes:
    """The bad file's bytes."""
    return fault.change(good(fault))


def write_all() -> None:
    """Write every file, and nothing else but the note of where they come from."""
    for folder in [entry for entry in BAD.iterdir() if entry.is_dir()]:
        shutil.rmtree(folder)
    for fault in FAULTS:
        path = BAD / fault.path
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(made(fault))


if __name__ == "__main__":
    write_all()
