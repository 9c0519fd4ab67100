"""The practice medium of a rehearsal: small real ISO images and a small real repository (FACE-5).

pycdlib writes the images: nothing but the program itself is needed for the
first evening, and no ISO tool on the air-gapped machine.
"""

import hashlib
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pai_signer.adapters.git_command import Git
from pai_signer.domain.custody import MediumIdentity
from pai_signer.domain.profile import Profile
from pai_signer.errors import MediumError
from pai_signer.ports import Medium

#: The two folders of a rehearsal that play removable media.
DOWNLOADS: Final = "practice-downloads"
UPLOADS: Final = "practice-uploads"
#: Two more that play the media of two custodians (CUS-1).
CUSTODIANS: Final = ("practice-custodian-1", "practice-custodian-2")
#: Where the rehearsal puts together what users would download.
PUBLISHED: Final = "practice-published"
VERSION: Final = "0.2.0"

#: UEFI 2.10, section 3.5.1.1: the names that firmware looks for on removable media.
_EFI_NAMES: Final = {"amd64": "BOOTX64.EFI", "arm64": "BOOTAA64.EFI"}


def build_practice_media(folder: Path, profile: Profile) -> None:
    """Make all folders below ``folder``, and fill the first like a download folder."""
    downloads = folder / DOWNLOADS
    downloads.mkdir()
    for name in (UPLOADS, *CUSTODIANS):
        (folder / name).mkdir()
    digests = []
    for wanted in profile.artifacts.wanted:
        name = wanted.names[0].replace("{version}", VERSION)
        image = _practice_image(wanted.architecture)
        (downloads / name).write_bytes(image)
        digests.append(f"{hashlib.sha256(image).hexdigest()}  {name}\n")
    (downloads / profile.artifacts.manifest).write_text("".join(digests), "ascii")
    _practice_bundle(folder / "practice-repository.git", downloads / "practice.bundle", profile)


def publish(folder: Path, exported: Path) -> Path:
    """Play the online side: the artifacts and what was exported, in one folder as downloaded."""
    published = folder / PUBLISHED
    shutil.copytree(exported, published)
    for path in (folder / DOWNLOADS).iterdir():
        if not (published / path.name).exists() and path.suffix != ".bundle":
            shutil.copy(path, published)
    return published


def _practice_image(architecture: str) -> bytes:
    """A bootable-looking ISO 9660 image with an EFI entry, of some 60 kB."""
    import pycdlib  # noqa: PLC0415 - only a new rehearsal needs it, and every start would load it

    loader = f"practice boot loader for {architecture}\n".encode().ljust(2048, b"\0")
    efi_name = _EFI_NAMES.get(architecture, "BOOT.EFI")
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, vol_ident=f"PRACTICE_{architecture.upper()}")
    iso.add_directory("/EFI")
    iso.add_directory("/EFI/BOOT")
    iso.add_fp(io.BytesIO(loader), len(loader), f"/EFI/BOOT/{efi_name};1")
    iso.add_eltorito(
        f"/EFI/BOOT/{efi_name};1", bootcatfile="/BOOT.CAT;1", platform_id=0xEF, efi=True
    )
    image = io.BytesIO()
    iso.write_fp(image)
    iso.close()
    return image.getvalue()


def _practice_bundle(repository: Path, bundle: Path, profile: Profile) -> None:
    """A repository of three commits, as a complete bundle with its HEAD."""
    branch = profile.project.branch
    git = Git(repository)
    git.make_if_missing()
    git.run("symbolic-ref", "HEAD", f"refs/heads/{branch}")
    git.run("fast-import", "--quiet", stdin="".join(_fast_import(branch)).encode())
    git.run("bundle", "create", "--quiet", str(bundle), "HEAD", branch)


def _fast_import(branch: str) -> Iterator[str]:
    """git-fast-import(1): commits at fixed times, so that every rehearsal has the same."""
    for number, subject in enumerate(("Begin", "Add the installer", "Prepare the release"), 1):
        content = f"practice, step {number}\n"
        yield (
            f"commit refs/heads/{branch}\nmark :{number}\n"
            f"committer Practice <practice@example.org> {1_790_000_000 + number} +0000\n"
            f"data {len(subject)}\n{subject}\n"
            f"M 644 inline README\ndata {len(content)}\n{content}\n"
        )


class PracticeMedia:
    """Plays ``ports.Media``: the practice folders, always plugged in.

    Those of the custodians have a UUID and a serial each, so that a rehearsal can hold custody.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list(self) -> tuple[Medium, ...]:
        """The folders that are there, as media."""
        names = (DOWNLOADS, UPLOADS, *CUSTODIANS)
        return tuple(self._medium(name) for name in names if (self._folder / name).is_dir())

    def mount(self, medium: Medium, *, read_only: bool = False) -> Medium:
        """They are mounted already."""
        if medium.mounted_at is None:
            raise MediumError(
                "FACE-5/medium", "This is not a practice medium.", "Choose one of the list."
            )
        return medium

    def identify(self, directory: Path) -> MediumIdentity:
        """Which of the folders ``directory`` is in; all empty if it is in none."""
        real = directory.resolve()
        for medium in self.list():
            if medium.mounted_at is not None and real.is_relative_to(medium.mounted_at.resolve()):
                return MediumIdentity(uuid=medium.uuid, serial=medium.serial, label=medium.label)
        return MediumIdentity()

    def unmount(self, directory: Path) -> bool:
        """A folder cannot be unmounted: False, as for any folder."""
        return False

    def _medium(self, name: str) -> Medium:
        number = CUSTODIANS.index(name) + 1 if name in CUSTODIANS else 0
        files = [path for path in (self._folder / name).rglob("*") if path.is_file()]
        return Medium(
            device=name,
            label="PRACTICE",
            filesystem="folder",
            size_bytes=sum(path.stat().st_size for path in files),
            serial=f"PRACTICE-{number}" if number else "",
            uuid=f"PRACTICE-UUID-{number}" if number else "",
            read_only=False,
            mounted_at=self._folder / name,
        )
