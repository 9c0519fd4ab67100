"""The program's own files, as they are on disk, against the record of their installation (SEC-2).

RECORD is the list that the installer wrote: path, SHA-256 and size of each file (PEP 376 and the
"Recording installed projects" page of the packaging specifications). It carries no signature:
this finds a damaged or half-made installation and a file that was slipped in, never somebody who
changed program and record alike. The kit's hashes and the digest on receipts are for that.
"""

import base64
import hashlib
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

import pai_signer
from pai_signer import __version__
from pai_signer.domain.host import Installation
from pai_signer.domain.text import safe_text

DISTRIBUTION: Final = "pai-signer"
_PACKAGE: Final = Path(pai_signer.__file__).parent
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
#: Made by Python at any time: RECORD names them without a hash.
_CACHE: Final = "__pycache__"


class OwnInstallation:
    """``ports.Program``; looked at once, for what runs was loaded at the start."""

    def __init__(self, package: Path = _PACKAGE, distribution: str = DISTRIBUTION) -> None:
        """Of ``package``, installed as ``distribution``."""
        self._package = package
        self._distribution = distribution
        self._found: Installation | None = None

    def installation(self) -> Installation:
        """Hash the program's files, and compare all that was recorded."""
        if self._found is None:
            self._found = self._look()
        return self._found

    def _look(self) -> Installation:
        files = dict(_package_files(self._package))
        recorded, problems = 0, []
        is_recorded = False
        for name in _needed(self._distribution):
            try:
                distribution = metadata.distribution(name)
            except metadata.PackageNotFoundError:
                problems.append(f"{name} is not installed")
                continue
            count, wrong = _compare(distribution)
            recorded += count
            problems += wrong
            if name == self._distribution:
                own = {str(file) for file in distribution.files or ()}
                is_recorded = any(path.startswith(f"{self._package.name}/") for path in own)
                if is_recorded:
                    problems += [f"{path} was never installed" for path in files.keys() - own]
        return Installation(
            version=__version__,
            python=f"{sys.version.split()[0]} ({sys.executable})",
            files=len(files),
            sha256=_digest(files),
            recorded_files=recorded,
            is_recorded=is_recorded,
            problems=tuple(safe_text(problem, limit=200) for problem in sorted(problems)),
        )


def _package_files(package: Path) -> Iterator[tuple[str, str]]:
    """Every file of the package by its path from the folder above, with its SHA-256."""
    for path in package.rglob("*"):
        if path.is_file() and _CACHE not in path.parts:
            yield path.relative_to(package.parent).as_posix(), _sha256(path).hex()


def _digest(files: dict[str, str]) -> str:
    """SHA-256 over the lines that ``sha256sum`` prints for all files, sorted by path."""
    lines = "".join(f"{digest}  {path}\n" for path, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def _needed(distribution: str) -> tuple[str, ...]:
    """The distribution, and all that it runs on; what is for extras alone is left out."""
    found: dict[str, None] = {}
    waiting = [distribution]
    while waiting:
        name = waiting.pop()
        if re.sub(r"[-_.]+", "-", name).lower() in found:
            continue
        found[re.sub(r"[-_.]+", "-", name).lower()] = None
        try:
            requirements = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for requirement in requirements:
            needed, _, marker = requirement.partition(";")
            match = _NAME.match(needed)
            # Of markers (platforms, versions) what is not installed does not apply here; that a
            # requirement is missing altogether, `pip check` says when the kit is installed.
            if match and "extra" not in marker and (not marker or _is_installed(match[0])):
                waiting.append(match[0])
    return tuple(found)


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _compare(distribution: metadata.Distribution) -> tuple[int, list[str]]:
    """How many files have a recorded hash, and what is wrong with which of them."""
    name = distribution.metadata["Name"]
    if distribution.files is None:
        return 0, [f"{name} has no record of its files"]
    count, wrong = 0, []
    for file in distribution.files:
        if file.hash is None:
            continue
        count += 1
        path = Path(str(file.locate()))
        try:
            digest = base64.urlsafe_b64encode(_sha256(path)).rstrip(b"=").decode()
        except OSError:
            wrong.append(f"{file} is gone")
            continue
        if (file.hash.mode, file.hash.value) != ("sha256", digest):
            wrong.append(f"{file} is not the file that was installed")
    return count, wrong


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
