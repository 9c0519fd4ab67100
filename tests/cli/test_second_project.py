"""Another project goes through the whole job with a profile alone (docs/profiles.md).

The profile is the one that the page gives its readers: other names, one archive that is no image,
no signature of its own for it, calendar versions. Stock tools judge what comes out.
"""

import os
import re
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.cli.judges import openpgp_accepts, sha256, stock, stock_home
from tests.cli.online import Online, online_side
from tests.cli.program import ROOT, Program
from tests.repository import make_repository
from tests.workflows.bench import PHRASES

PAGE: Final = ROOT / "pai_signer" / "docs" / "profiles.md"
RELEASE: Final = "release-2026.11.0"
ARCHIVE: Final = "orbit-2026.11.0.tar.xz"
WHY: Final = "a test has no custodians"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="unshare -n needs root")


@dataclass(frozen=True)
class Orbit:
    """The second project's stick, its published keys and its side of the network."""

    stick: Path
    keys: Path
    online: Online

    @property
    def exported(self) -> Path:
        return self.stick / f"orbit-{RELEASE}"

    def download(self, to: Path) -> Path:
        """What a user gets from the release page."""
        assets = self.online.site / "releases" / RELEASE / "assets"
        return Path(shutil.copytree(assets, to))


@pytest.fixture(scope="module")
def orbit(tmp_path_factory: pytest.TempPathFactory) -> Orbit:
    """From the profile to the confirmed release, by commands alone."""
    folder = tmp_path_factory.mktemp("orbit")
    stick, keys = folder / "stick", folder / "keys"
    stick.mkdir()
    keys.mkdir()
    (toml,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    profile = folder / "orbit.toml"
    profile.write_text(toml)
    repository = make_repository(folder / "repository")
    repository.git("branch", "-m", "trunk")
    # Without a HEAD in the bundle the profile's branch names the commit (IMP-6).
    shutil.move(repository.bundle("orbit.bundle", "trunk"), stick)
    with tarfile.open(stick / ARCHIVE, "w:xz") as archive:
        archive.add(repository.path / "file.txt", "orbit/file.txt")
    (stick / "CHECKSUMS").write_text(f"{sha256(stick / ARCHIVE)}  {ARCHIVE}\n")

    program = Program(folder / "vault", phrases=PHRASES)
    program("init", "--profile", profile, "--maintainer", "Ona Orbit", "--email", "ona@example.org")
    program("key", "generate", "--despite", WHY, passphrases=True)
    program("key", "publish", keys)
    program("release", "import", stick)
    waived = ("--waive", f"POL-7={WHY}")
    program("release", "sign", RELEASE, "--confirm", RELEASE, *waived, passphrases=True)
    program("release", "export", RELEASE, stick)
    exported = stick / f"orbit-{RELEASE}"
    online = online_side(folder / "online", exported, repository.path)
    online.upload("--artifacts", stick, "--yes")
    said = program("release", "confirm", RELEASE, stick, as_json=True).json
    assert said["verdict"] == "same"
    return Orbit(stick, keys, online)


def test_only_what_the_profile_asks_for_is_signed_and_carried(orbit: Orbit) -> None:
    assert {p.name for p in orbit.exported.iterdir() if p.is_file()} == {
        "CHECKSUMS",
        "CHECKSUMS.minisig",
        "CHECKSUMS.asc",
        f"{RELEASE}.bundle",
        *("receipt.json", "receipt.json.minisig", "receipt.json.asc", "receipt.txt"),
        *("UPLOAD.md", "upload.sh", "reminders.ics"),
    }


def test_its_site_has_no_variable_and_pai_stands_nowhere(orbit: Orbit) -> None:
    assert not orbit.online.calls("variable")
    for path in orbit.exported.iterdir():
        if path.suffix in (".md", ".sh", ".txt", ".json", ".ics"):
            said = path.read_text().replace("\n ", "")  # a calendar's lines are folded
            assert "Orbit" in said, path.name
            assert not re.search(r"\bPAI\b|\bpai\b(?!-signer)|SHA256SUMS", said), path.name


def test_stock_tools_accept_what_a_user_downloads(orbit: Orbit, tmp_path: Path) -> None:
    download = orbit.download(tmp_path / "download")
    assert f"{ARCHIVE}: OK" in stock("sha256sum", "--strict", "-c", "CHECKSUMS", cwd=download)
    for name in ("CHECKSUMS", "receipt.json"):
        said = stock("minisign", "-Vm", name, "-p", orbit.keys / "minisign.pub", cwd=download)
        assert f"project:Orbit\tversion:{RELEASE}\tfile:{name}" in said
    with stock_home(tmp_path / "home", orbit.keys) as home:
        for name in ("CHECKSUMS", "receipt.json"):
            openpgp_accepts(name, download, orbit.keys, home)
        said = stock("git", "verify-tag", RELEASE, cwd=orbit.online.remote, home=home)
        assert "Good signature" in said
    tag = stock("git", "cat-file", "tag", RELEASE, cwd=orbit.online.remote)
    assert tag.partition("\n\n")[2].startswith(f"Orbit {RELEASE}\n")
    trunk = stock("git", "rev-parse", "trunk", cwd=orbit.online.remote).strip()
    assert tag.startswith(f"object {trunk}\n")


def test_verify_for_everyone_reads_its_manifest(orbit: Orbit, tmp_path: Path) -> None:
    """Nobody tells ``verify`` what this project calls its list of digests."""
    download = orbit.download(tmp_path / "download")
    anyone = Program(tmp_path / "no-vault")
    said = anyone("verify", download, "--keys", orbit.keys, as_json=True).json
    assert said["files_checked"] == [ARCHIVE]
    assert f"Orbit {RELEASE}: 1 of 1 files match the signed manifest" in said["text"]
