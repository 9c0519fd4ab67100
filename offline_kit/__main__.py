"""``make offline-kit``: build the archive of what is committed, the same bytes each time.

It holds the wheels of the lock for every Python of ``PYTHONS`` on x86-64, our own wheel,
which is built twice and has to come out the same, the versions of the Debian packages, the install
script, instructions, and the checksums of all of it. Two people who build it from
one commit get the same file, and compare its SHA-256.
"""

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

TOP: Final = Path(__file__).parent.parent
HERE: Final = Path(__file__).parent
DESTINATION: Final = TOP / "build"
PYTHONS: Final = ("3.11", "3.12", "3.13")
#: Debian 12 has glibc 2.36; wheels are named after the oldest glibc that they run with (PEP 600).
PLATFORMS: Final = (
    *(f"manylinux_2_{minor}_x86_64" for minor in (34, 31, 28, 27, 24, 17)),
    "manylinux2014_x86_64",
)
#: What the builder's own settings must not change: pip's, and the modes of files.
_NEUTRAL: Final = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONDONTWRITEBYTECODE": "1"}
_EXECUTABLE: Final = "install"


def main() -> int:
    """Build it, and say where it is and what its SHA-256 is."""
    os.umask(0o022)
    built_at_s = int(_output("git", "log", "-1", "--format=%ct"))
    with tempfile.TemporaryDirectory(prefix="pai-kit-") as scratch:
        kit = Path(scratch, "kit")
        wheels = kit / "wheels"
        wheels.mkdir(parents=True)
        ours = _our_wheel(Path(scratch), built_at_s)
        shutil.copy(ours, wheels)
        for python in PYTHONS:
            _download(python, wheels)
        lock = (TOP / "requirements.lock").read_text()
        (kit / "requirements.txt").write_text(lock + _requirement(ours))
        (kit / "debian-packages.txt").write_text(_debian_packages())
        for name in (_EXECUTABLE, "README.txt"):
            shutil.copy(HERE / name, kit)
        (kit / "SHA256SUMS").write_text(_checksums(kit))
        name = f"pai-signer-{ours.name.split('-')[1]}-offline-kit"
        packed = _packed(kit, name, built_at_s)
    DESTINATION.mkdir(exist_ok=True)
    path = DESTINATION / f"{name}.tar"
    path.write_bytes(packed)
    commit = _output("git", "rev-parse", "HEAD").strip()
    print(f"{path.relative_to(TOP)}: {len(packed):,} bytes, of commit {commit}")
    print(f"SHA-256 {hashlib.sha256(packed).hexdigest()}")
    return 0


def _our_wheel(scratch: Path, built_at_s: int) -> Path:
    """Built twice from what is committed, in two places."""
    first, second = (_built(scratch / name, built_at_s) for name in ("first", "second"))
    if first.read_bytes() != second.read_bytes():
        sys.exit("offline-kit: the wheel came out differently the second time; nothing is built.")
    return first


def _built(folder: Path, built_at_s: int) -> Path:
    source = folder / "source"
    source.mkdir(parents=True)
    command = ("git", "-c", "tar.umask=0022", "archive", "HEAD")
    archive = subprocess.run(command, cwd=TOP, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(source, filter="data")
    # reproducible-builds.org/specs/source-date-epoch
    environment = {"SOURCE_DATE_EPOCH": str(built_at_s)}
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    _pip("wheel", *options, "--wheel-dir", str(folder), str(source), environment=environment)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _download(python: str, wheels: Path) -> None:
    """Wheels only, each by a hash of the lock."""
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    locked = ("--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", "requirements.lock")
    where = ("--python-version", python, *platforms, "--dest", str(wheels))
    _pip("download", "--quiet", *locked, *where)


def _requirement(wheel: Path) -> str:
    name, version = wheel.name.split("-")[:2]
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return f"{name.replace('_', '-')}=={version} \\\n    --hash=sha256:{digest}\n"


def _debian_packages() -> str:
    """The packages of ``packages/run.txt``, a line each with the version that is known to do."""
    names = re.findall(r"^[a-z0-9.+-]+", (TOP / "packages/run.txt").read_text(), re.MULTILINE)
    shown = _output("dpkg-query", "--show", "--showformat", "${Package} ${Version}\n", *names)
    return "".join(sorted(shown.splitlines(keepends=True)))


def _checksums(kit: Path) -> str:
    files = sorted(path.relative_to(kit) for path in kit.rglob("*") if path.is_file())
    digests = [(hashlib.sha256((kit / name).read_bytes()).hexdigest(), name) for name in files]
    return "".join(f"{digest}  {name}\n" for digest, name in digests)


def _packed(kit: Path, name: str, built_at_s: int) -> bytes:
    """Sorted, owned by nobody in particular, dated as the commit; wheels are compressed already."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(kit.rglob("*")):
            member = tarfile.TarInfo(f"{name}/{path.relative_to(kit)}")
            member.mtime = built_at_s
            if path.is_dir():
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(member)
                continue
            member.size = path.stat().st_size
            member.mode = 0o755 if path.name == _EXECUTABLE else 0o644
            with path.open("rb") as file:
                tar.addfile(member, file)
    return data.getvalue()


def _pip(*words: str, environment: dict[str, str] | None = None) -> None:
    command = (sys.executable, "-m", "pip", *words)
    subprocess.run(
        command, cwd=TOP, check=True, env={**os.environ, **_NEUTRAL, **(environment or {})}
    )


def _output(*command: str) -> str:
    return subprocess.run(command, cwd=TOP, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
