"""What the tours need before they begin: a workstation where all is in order, bad downloads."""

import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.keys import WEAK_PASSPHRASE
from tests.workflows.backups import drawer
from tests.workflows.bench import run, stored
from tests.workstation import VERSION, Workstation, downloads, workstation

#: Zeros behind an image: reading them takes long enough for a picture, and no room.
_LARGE_BYTES: Final = 12 << 30
_IMAGE: Final = "pai-0.2.0-amd64.iso"
_OWN: Final = {"minisign": WEAK_PASSPHRASE, "gpg": WEAK_PASSPHRASE}


def guarded_station(folder: Path) -> Workstation:
    """A release is signed and exported, the keys are backed up twice, and the proofs are fresh."""
    shutil.copytree(_guarded().vault, folder / "vault", symlinks=True)
    return Workstation(folder / "vault")


@functools.cache
def _guarded() -> Workstation:
    folder = stored("guarded")
    folder.mkdir()
    station = workstation("signed", folder)
    with drawer(folder, station.vault) as made:
        for name, uuid in (("Anna", "6E1B-40C2"), ("Bob", "91D7-0A3F")):
            stick = made.stick(name.casefold(), uuid=uuid, serial=f"07-{uuid}")
            made.create(name, stick, _OWN)
        run(made.bench, "key.revocations", directory=str(made.stick("apart")))
        run(made.bench, "release.export", version=VERSION, directory=str(made.stick("stick")))
    return station


@contextmanager
def large_downloads() -> Iterator[Path]:
    """As CI made them, but for one image that is far too long."""
    with _copied_downloads() as folder:
        os.truncate(folder / _IMAGE, _LARGE_BYTES)
        yield folder


@contextmanager
def spoilt_downloads() -> Iterator[Path]:
    """As CI made them, but for one bit of one image."""
    with _copied_downloads() as folder, (folder / _IMAGE).open("r+b") as image:
        image.seek(-1, os.SEEK_END)
        last = image.read(1)[0]
        image.seek(-1, os.SEEK_END)
        image.write(bytes((last ^ 1,)))
        image.flush()
        yield folder


@contextmanager
def _copied_downloads() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pai-shots-") as name:
        folder = Path(name, "downloads")
        shutil.copytree(downloads(), folder)
        yield folder
