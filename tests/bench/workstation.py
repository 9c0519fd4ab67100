"""What is measured on: random artifacts, a vault of its own, and a release signed in it.

All of it lies in one temporary folder and is made by the program's own command line.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pai_signer.composition import built_in_profile

SIGNER: Final = Path(sys.executable).with_name("pai-signer")
VERSION: Final = "v1.0.0"
ARTIFACTS: Final = ("pai-1.0.0-amd64.iso", "pai-1.0.0-arm64.iso")
PASSPHRASE: Final = b"correct horse battery staple bench mark\n"
_BLOCK_BYTES: Final = 1 << 20

#: As an installed program finds it: byte code is cached, output is buffered. The cache is
#: a folder of its own, so that a checkout that others are editing is left alone.
ENVIRONMENT: Final = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("PYTHON", "PAI_SIGNER", "TEXTUAL"))
}


@dataclass(frozen=True)
class BenchStation:
    """Where everything is."""

    folder: Path
    vault: Path
    #: Two artifacts and their SHA256SUMS, as they were downloaded.
    downloads: Path
    #: The same artifacts beside their signatures, and the published keys.
    release: Path
    keys: Path
    #: A minisign key without passphrase, for stock minisign.
    minisign_key: Path

    def signer(self, *arguments: str | Path) -> list[str | Path]:
        """A command line of the program on this vault."""
        return [SIGNER, "--vault", self.vault, "--json", *arguments]


@contextmanager
def bench_station(size_mib: int) -> Iterator[BenchStation]:
    """Make all of it, with two artifacts of ``size_mib`` MiB; removed at the end."""
    with tempfile.TemporaryDirectory(prefix="pai-bench-") as name:
        folder = Path(name)
        ENVIRONMENT["PYTHONPYCACHEPREFIX"] = str(folder / "pycache")
        station = BenchStation(
            folder=folder,
            vault=folder / "vault",
            downloads=folder / "downloads",
            release=folder / "release" / f"pai-{VERSION}-manifest",
            keys=folder / "release" / f"pai-{VERSION}-manifest" / "keys",
            minisign_key=folder / "minisign.key",
        )
        _make_downloads(station.downloads, size_mib)
        _make_release(station)
        _run(["minisign", "-G", "-W", "-p", folder / "minisign.pub", "-s", station.minisign_key])
        os.sync()  # or the first contestant shares the disk with our own writing
        yield station


def _make_downloads(downloads: Path, size_mib: int) -> None:
    downloads.mkdir()
    lines = []
    for name in ARTIFACTS:
        digest = hashlib.sha256()
        with (downloads / name).open("wb") as file:
            for _ in range(size_mib):
                block = os.urandom(_BLOCK_BYTES)
                digest.update(block)
                file.write(block)
        lines.append(f"{digest.hexdigest()}  {name}\n")
    (downloads / "SHA256SUMS").write_text("".join(lines))


def _make_release(station: BenchStation) -> None:
    """A vault with keys, and the downloads imported, signed and exported."""
    # Random bytes are no ISO image, and the time of reading one does not depend on it.
    profile = station.folder / "profile.toml"
    profile.write_bytes(built_in_profile().replace(b'image = "iso9660"', b'image = "none"'))
    person = ("--maintainer", "Bench", "--email", "bench@example.org")
    _run(station.signer("init", "--profile", profile, *person))
    _run_with_passphrases(station.signer("key", "generate", "--despite", "a benchmark"))
    _run(station.signer("release", "import", station.downloads))
    # This machine has neither custodians nor an air gap.
    waivers = ("--waive", "POL-7=a benchmark", "--waive", "POL-9=a benchmark")
    sign = ("release", "sign", VERSION, "--confirm", VERSION, "--what", "manifest", *waivers)
    _run_with_passphrases(station.signer(*sign))
    station.release.parent.mkdir()
    exported = _run(station.signer("release", "export", VERSION, station.release.parent))
    Path(json.loads(exported)["folder"]).rename(station.release)
    for name in ARTIFACTS:
        (station.release / name).hardlink_to(station.downloads / name)


def _run_with_passphrases(command: Sequence[str | Path]) -> None:
    with ExitStack() as stack:
        options = []
        descriptors = []
        for name in ("minisign", "gpg"):
            source, target = os.pipe()
            stack.callback(os.close, source)
            os.write(target, PASSPHRASE)
            os.close(target)
            options += ["--passphrase-fd", f"{name}={source}"]
            descriptors.append(source)
        _run([*command, *options], descriptors)


def _run(command: Sequence[str | Path], descriptors: Sequence[int] = ()) -> bytes:
    """Standard output of a command that must succeed; otherwise what it said instead."""
    done = subprocess.run(
        command,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        pass_fds=descriptors,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command}: exit {done.returncode}\n{done.stderr.decode()}")
    return done.stdout
