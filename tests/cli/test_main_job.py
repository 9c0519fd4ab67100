"""The main job from flags alone, without a network, on real images; stock tools judge it.

One session at stock strength is played once for the module; its results are then
looked at from all sides: what git brings in and takes out (IMP-6, SIG-4), each signature by the
stock tools (SIG-2, SIG-3), the exported folder (EXP-1), and all of it in an empty network
namespace (SEC-1).
"""

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pai_signer.domain.journal import parse_journal
from pai_signer.domain.minisig import STOCK_LIMITS, parse_secret_key_header
from tests.cli.judges import openpgp_accepts, sha256, stock, stock_home
from tests.cli.online import online_side
from tests.cli.program import STOCK, Ended, Program
from tests.repository import Repository, make_repository

VERSION = "v0.4.0"
IMAGES = {
    "pai-0.4.0-amd64.iso": Path("/usr/lib/grub-rescue/grub-rescue-cdrom.iso"),
    "pai-0.4.0-arm64.iso": Path("/usr/lib/ipxe/ipxe.iso"),
}
PHRASES = {
    "minisign": b"correct horse battery staple minisign key",
    "gpg": b"correct horse battery staple gpg six",
}

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="unshare -n needs root"),
    pytest.mark.skipif(
        not all(path.exists() for path in IMAGES.values()),
        reason="apt-get install grub-rescue-pc ipxe",
    ),
]


@dataclass(frozen=True)
class Job:
    """A session that was played: what each command said, and where everything is."""

    said: dict[str, Ended]
    vault: Path
    source: Path
    exported: Path
    keys: Path
    repository: Repository

    @property
    def names(self) -> set[str]:
        return {str(p.relative_to(self.exported)) for p in self.exported.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("job")
    source, out, keys = (folder / name for name in ("stick", "out", "keys"))
    for made in (source, out, keys):
        made.mkdir()
    for name, image in IMAGES.items():
        shutil.copy2(image, source / name)
    lines = [f"{sha256(source / name)}  {name}\n" for name in IMAGES]
    (source / "SHA256SUMS").write_text("".join(lines))
    repository = make_repository(folder / "repository")
    shutil.move(repository.full_bundle("release.bundle"), source)
    program = Program(folder / "vault", command=STOCK, phrases=PHRASES)
    said = {
        "init": program("init", "--maintainer", "Mia Maintainer", "--email", "mia@example.org"),
        "generate": program("key", "generate", passphrases=True),
        "publish": program("key", "publish", keys),
        "import": program("release", "import", source),
        "review": program("release", "review", VERSION),
        "sign": program(
            *("release", "sign", VERSION, "--confirm", VERSION),
            *("--waive", "POL-7=custody comes with its own issue"),
            passphrases=True,
        ),
        "export": program("release", "export", VERSION, out),
    }
    published = out / f"pai-{VERSION}"
    said["verify"] = program("verify", published, "--keys", keys)
    return Job(said, folder / "vault", source, published, keys, repository)


@pytest.fixture
def download(job: Job, tmp_path: Path) -> Path:
    """What a user has: the exported files, and the artifacts beside them."""
    folder = Path(shutil.copytree(job.exported, tmp_path / "download"))
    for name in IMAGES:
        shutil.copy(job.source / name, folder)
    return folder


@pytest.fixture
def home(job: Job, tmp_path: Path) -> Iterator[Path]:
    """A stock GNUPGHOME that knows the published certificate only."""
    with stock_home(tmp_path / "home", job.keys) as folder:
        yield folder


# --- the session ------------------------------------------------------------------------


def test_offline_only_custody_needs_a_waiver(job: Job) -> None:
    """In an empty network namespace POL-9 passes by itself."""
    review = job.said["review"].stdout
    rules = review[review.index("The rules") :]
    assert rules.count("[FAIL]") == 1
    failed = next(line for line in rules.splitlines() if "[FAIL]" in line or "POL-7" in line)
    assert failed.lstrip().startswith("POL-7")


def test_the_review_prints_every_fact(job: Job) -> None:
    review = job.said["review"].stdout
    digest = sha256(job.source / "pai-0.4.0-amd64.iso")
    assert " ".join(digest[i : i + 8] for i in range(0, 32, 8)) in review
    assert job.repository.head[:8] in review
    assert "Change 3" in review
    assert "project:PAI  version:v0.4.0  file:SHA256SUMS" in review
    assert "the same" in review  # CI's digest agrees


def test_the_folder_holds_exactly_what_is_to_be_uploaded(job: Job) -> None:
    key_files = {p.name for p in job.keys.iterdir()}
    assert job.names == {
        "SHA256SUMS",
        "SHA256SUMS.minisig",
        "SHA256SUMS.asc",
        *(f"{name}.minisig" for name in IMAGES),
        f"{VERSION}.bundle",
        "receipt.json",
        "receipt.json.minisig",
        "receipt.json.asc",
        "receipt.txt",
        "UPLOAD.md",
        "upload.sh",
        "reminders.ics",
        *(f"keys/{name}" for name in key_files),
    }
    assert (job.exported / f"{VERSION}.bundle").stat().st_size < 1000


def test_verify_says_good_in_one_line(job: Job) -> None:
    text = " ".join(job.said["verify"].stdout.split())
    assert "GOOD: PAI v0.4.0: the manifest is signed (none of its 2 files is here)" in text


def test_verify_checks_the_downloaded_files(job: Job, download: Path) -> None:
    program = Program(Path("/nonexistent"), command=STOCK)
    ended = program("verify", download, "--keys", job.keys, as_json=True)
    assert ended.json["files_checked"] == sorted(IMAGES)


def test_the_vault_is_private_and_the_journal_whole(job: Job) -> None:
    assert stat.S_IMODE(job.vault.stat().st_mode) == 0o700
    for path in job.vault.rglob("*"):
        if not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    entries = parse_journal((job.vault / "journal.jsonl").read_bytes())
    assert [entry.event for entry in entries] == [
        "vault.created",
        "key.generated",
        "ceremony.ended",
        "key.published",
        "release.imported",
        "release.signing",
        "release.signed",
        "release.exported",
    ]
    assert not list((job.vault / "unfinished").iterdir())


def test_keys_have_stock_strength(job: Job) -> None:
    (key,) = (job.vault / "keys" / "minisign").iterdir()
    header = parse_secret_key_header(key.read_bytes())
    assert header.is_encrypted
    assert header.limits == STOCK_LIMITS


# --- stock tools judge ------------------------------------------------------------------


def test_sha256sum_accepts_the_manifest(download: Path) -> None:
    said = stock("sha256sum", "--strict", "-c", "SHA256SUMS", cwd=download)
    assert said.count(": OK") == len(IMAGES)


@pytest.mark.parametrize("name", ["SHA256SUMS", "receipt.json", *IMAGES])
def test_minisign_accepts_each_signature(job: Job, download: Path, name: str) -> None:
    said = stock("minisign", "-Vm", name, "-p", job.keys / "minisign.pub", cwd=download)
    assert f"project:PAI\tversion:{VERSION}\tfile:{name}" in said


@pytest.mark.parametrize("name", ["SHA256SUMS", "receipt.json"])
def test_gpg_gpgv_and_sqv_accept(job: Job, download: Path, home: Path, name: str) -> None:
    openpgp_accepts(name, download, job.keys, home)


def test_git_fetches_the_tag_and_verifies_it(
    job: Job, download: Path, home: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    stock("git", "clone", "-q", job.repository.path, clone, cwd=tmp_path)
    stock("git", "fetch", download / f"{VERSION}.bundle", "refs/tags/*:refs/tags/*", cwd=clone)
    assert "Good signature" in stock("git", "verify-tag", VERSION, cwd=clone, home=home)
    tag = stock("git", "cat-file", "tag", VERSION, cwd=clone)
    assert tag.startswith(f"object {job.repository.head}\ntype commit\ntag {VERSION}\n")
    assert "\ntagger Mia Maintainer <mia@example.org> " in tag
    assert f"\n\nPAI {VERSION}\n" in tag
    assert stock("git", "fsck", "--strict", cwd=clone) is not None


def test_a_clone_without_the_commit_refuses_the_tag(job: Job, tmp_path: Path) -> None:
    stranger = make_repository(tmp_path / "stranger", commits=1)
    done = subprocess.run(
        ["git", "fetch", job.exported / f"{VERSION}.bundle", "refs/tags/*:refs/tags/*"],
        cwd=stranger.path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert job.repository.head in done.stderr


def test_the_commands_of_upload_md_run_as_they_are(
    job: Job, download: Path, tmp_path: Path
) -> None:
    """By hand against a bare remote; then ``upload.sh`` finds nothing left to do."""
    online = online_side(tmp_path / "online", download, job.repository.path)
    guide = (download / "UPLOAD.md").read_text()
    commands = "\n".join(part.split("```")[0] for part in guide.split("```sh\n")[1:])
    for placeholder, path in (
        ("/path/to/this/folder", download),
        ("/path/to/clone/of/the/project", online.clone),
        ("/path/to/the/artifacts", download),
    ):
        assert commands.count(placeholder) == 1
        commands = commands.replace(placeholder, str(path))
    done = subprocess.run(
        ["bash", "-eu", "-c", commands + '\nrm -rf "$ring" "$draft" "$live"\n'],
        cwd=tmp_path,
        env=online.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert VERSION in stock("git", "tag", cwd=online.remote)
    own = {"UPLOAD.md", "upload.sh", "reminders.ics", f"{VERSION}.bundle"}
    assets = {p.name for p in (online.site / "releases" / VERSION / "assets").iterdir()}
    assert assets == {n for n in job.names if "/" not in n} - own | set(IMAGES)
    before = online.state()
    again = online.upload("--artifacts", download)
    assert "[y/N]" not in again.stdout
    assert online.state() == before


# --- the second export ------------------------------------------------------------------


def test_an_export_onto_itself_keeps_every_file(job: Job) -> None:
    program = Program(job.vault, command=STOCK)
    before = {name: (job.exported / name).stat().st_mtime_ns for name in job.names}
    program("release", "export", VERSION, job.exported.parent)
    assert {name: (job.exported / name).stat().st_mtime_ns for name in job.names} == before


def test_other_content_on_the_medium_is_never_overwritten(job: Job, tmp_path: Path) -> None:
    occupied = tmp_path / f"pai-{VERSION}" / "SHA256SUMS"
    occupied.parent.mkdir()
    occupied.write_bytes(b"somebody else's")
    ended = Program(job.vault, command=STOCK)("release", "export", VERSION, tmp_path, code=3)
    assert "EXP-2/other-content" in ended.stderr
    assert occupied.read_bytes() == b"somebody else's"
    assert [p.name for p in occupied.parent.iterdir()] == ["SHA256SUMS"]
