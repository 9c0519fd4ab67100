"""Taking a bundle into the mirror, through a quarantine (IMP-6).

As ``git receive-pack`` does it, and because git 2.39 neither runs
``fsckObjects`` on a fetched bundle nor notices in ``bundle verify`` that a
commit is missing: the pack is unpacked into a folder of its own, checked with
``index-pack --strict``, checked for missing objects, and only then moved in.
No transport is used: given a file that is not a bundle, ``git fetch`` would
follow a ``gitdir:`` line in it into a stranger's repository.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pai_signer.adapters import device_errors, durable
from pai_signer.adapters.git_command import Git
from pai_signer.domain.bundle_header import MAX_HEADER_BYTES, BundleHeader, parse_bundle_header
from pai_signer.domain.text import safe_text
from pai_signer.errors import FormatError, MediumError, PolicyRefused

#: PAI's whole history is far smaller; a bundle must also be copied before it is read.
MAX_BUNDLE_BYTES: Final = 2 << 30
#: Where the refs of the last bundle stand.
IMPORTED: Final = "refs/import/"

_TIMEOUT_S: Final = 900.0
#: git's words (wrapper.c) where its memory, which ``git_command.MEMORY_BYTES`` bounds, ends.
_OUT_OF_MEMORY: Final = (b"Out of memory", b"Cannot allocate memory")


def take_bundle(git: Git, bundle: Path) -> None:
    """Check a bundle in quarantine, then let it replace what the last one brought.

    ``bundle`` is a private copy, never a path on a medium. Raises
    ``FormatError`` for a bundle that is damaged, hostile or not a bundle, and
    ``PolicyRefused`` for a thin one whose base the mirror does not have. After
    a refusal the mirror is as it was.
    """
    header = parse_bundle_header(_start_of(bundle))
    git.make_if_missing()
    _check_prerequisites(git, header)
    _clear_quarantines(git)
    with (
        device_errors.explained("unpack the bundle", requirement="IMP-6"),
        tempfile.TemporaryDirectory(prefix="quarantine-", dir=git.repository) as folder,
    ):
        quarantine = Path(folder)
        (quarantine / "pack").mkdir()
        _unpack(git, bundle, header, quarantine)
        _move_in(git, quarantine / "pack")
    _replace_imported_refs(git, header)


def _check_prerequisites(git: Git, header: BundleHeader) -> None:
    wanted = "".join(f"{oid}\n" for oid in header.prerequisites).encode()
    if not wanted:
        return
    for line in git.run("cat-file", "--batch-check", stdin=wanted).stdout.splitlines():
        oid, _, kind = line.decode().partition(" ")
        if not kind.startswith("commit "):
            raise _incomplete(oid)
    # Present is not enough: its own history must be whole, which only refs guarantee.
    loose = git.run(
        "rev-list", "--max-count=1", "--stdin", "--not", "--all", stdin=wanted
    ).stdout.decode()
    if loose:
        raise _incomplete(loose.strip())


def _unpack(git: Git, bundle: Path, header: BundleHeader, quarantine: Path) -> None:
    environment = {
        "GIT_OBJECT_DIRECTORY": str(quarantine),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(git.repository / "objects"),
    }
    _check_bundle_with(git, ["bundle", "unbundle", str(bundle.absolute())], environment)
    for pack in sorted((quarantine / "pack").glob("*.pack")):
        index = quarantine / "strict.idx"
        _check_bundle_with(
            git, ["index-pack", "--strict", "-o", str(index), str(pack)], environment
        )
    _check_bundle_with(
        git,
        ["rev-list", "--objects", "--quiet", "--stdin", "--not", "--all"],
        environment,
        stdin="".join(f"{oid}\n" for oid in header.refs.values()).encode(),
    )


def _check_bundle_with(
    git: Git, arguments: Sequence[str], environment: Mapping[str, str], stdin: bytes = b""
) -> None:
    finished = git.run(
        *arguments,
        stdin=stdin,
        environment=environment,
        timeout_s=_TIMEOUT_S,
        accepted_codes=None,
    )
    if finished.exit_code == 0:
        return
    if b"No space left" in finished.stderr:
        raise MediumError(
            "IMP-6/full",
            "There is no room on the workstation's disk to unpack the bundle.",
            "Make room in the vault's filesystem, then import again.",
        )
    if any(words in finished.stderr for words in _OUT_OF_MEMORY):
        raise FormatError(
            "IMP-6/bomb",
            "An object in the bundle takes more than 1 GiB of memory to unpack.",
            "No release has such an object. Do not use the bundle; ask who made it.",
        )
    raise FormatError(
        "IMP-6/bad-bundle",
        f"git refuses the bundle: {finished.shown_stderr()}",
        "It is damaged, cut off or not what it claims to be. Make it again and carry it over.",
    )


def _move_in(git: Git, packs: Path) -> None:
    destination = git.repository / "objects" / "pack"
    # git looks for .idx files: the index comes last, when its pack is in place.
    for file in sorted(packs.iterdir(), key=lambda file: file.suffix == ".idx"):
        if not (destination / file.name).exists():
            file.rename(destination / file.name)
    with durable.held_directory(destination) as folder:
        os.fsync(folder)


def _replace_imported_refs(git: Git, header: BundleHeader) -> None:
    # Two transactions, for an old "a" and a new "a/b" cannot meet in one. A crash
    # between them leaves no imported refs at all, never a mixture of two bundles.
    old = git.refs(IMPORTED)
    git.update_refs(f"delete {name} {oid}\n" for name, oid in old.items())
    new = {_imported_name(name): oid for name, oid in header.refs.items()}
    git.update_refs(f"create {name} {oid}\n" for name, oid in new.items() if name)


def _clear_quarantines(git: Git) -> None:
    for leftover in git.repository.glob("quarantine-*"):
        shutil.rmtree(leftover)


def _start_of(bundle: Path) -> bytes:
    """The first bytes of the bundle, which must be a regular file of bearable size."""
    with device_errors.explained("read the bundle", requirement="IMP-6"):
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(bundle, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BUNDLE_BYTES:
                raise FormatError(
                    "IMP-6/not-a-bundle",
                    "The bundle is not a regular file, or is larger than 2 GiB.",
                    "Make it with: git bundle create release.bundle HEAD main",
                )
            return file.read(MAX_HEADER_BYTES)


def _imported_name(ref: str) -> str | None:
    """Where a bundle's ref goes; None for namespaces that nobody asks for."""
    if ref == "HEAD":
        return f"{IMPORTED}HEAD"
    if ref.startswith(("refs/heads/", "refs/tags/")):
        return IMPORTED + ref.removeprefix("refs/")
    return None


def _incomplete(oid: str) -> PolicyRefused:
    return PolicyRefused(
        "IMP-6/missing-prerequisite",
        f"The bundle needs commit {safe_text(oid, limit=50)}, which this workstation "
        "does not have on any branch or tag.",
        "Make a complete bundle: git bundle create release.bundle HEAD main",
    )
