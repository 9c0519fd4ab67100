"""A release that was published before there were keys: ``verify`` says so, and no more (VER-1)."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pai_signer.composition import sources, verifiers
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import UnsignedRelease
from pai_signer.domain.registry_rules import expect_no_signature
from pai_signer.domain.secret import Secret
from pai_signer.errors import CannotTell, DigestMismatch, SignerError
from pai_signer.workflows.keys.sign_registry import sign_and_store
from pai_signer.workflows.verify.unsigned_release import refuse_unsigned
from pai_signer.workflows.verify.verify_release import VerifyRequest, verify_release
from pai_signer.workflows.workbench import Workbench
from tests.registries import registry
from tests.workflows.bench import run, secrets

VERSION, WHY = "v0.1.0", "it was published before the project had keys"
AMD, ARM = "pai-0.1.0-amd64.iso", "pai-0.1.0-arm64.iso"
Listed = Callable[[str | None], Path]


@pytest.fixture
def download(tmp_path: Path) -> Path:
    """What anybody has of v0.1.0: two files and checksums."""
    folder = tmp_path / "download"
    folder.mkdir()
    lines = []
    for name in (AMD, ARM):
        content = name.encode() * 100
        (folder / name).write_bytes(content)
        lines.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
    (folder / "SHA256SUMS").write_text("".join(lines))
    return folder


@pytest.fixture
def listed(keyed: Workbench, tmp_path: Path) -> Listed:
    """Published keys whose registry lists v0.1.0 as unsigned, with or without its checksums."""

    def publish(manifest_sha256: str | None) -> Path:
        release = UnsignedRelease(version=VERSION, reason=WHY, manifest_sha256=manifest_sha256)
        for name, passphrase in secrets().items():
            assert isinstance(passphrase, Secret)
            keyed.session.hold(name, passphrase)
        changed = expect_no_signature(keyed.registry(), release, now=keyed.clock.now())
        sign_and_store(keyed, changed, "key.unsigned-release", {})
        folder = tmp_path / "keys"
        folder.mkdir()
        run(keyed, "key.publish", directory=str(folder))
        return folder

    return publish


def digest_of(download: Path) -> str:
    return hashlib.sha256((download / "SHA256SUMS").read_bytes()).hexdigest()


def said(download: Path, keys: Path) -> SignerError:
    with pytest.raises(SignerError) as error:
        verify_release(
            VerifyRequest(directory=download, keys=keys), sources(), verifiers(), Progress()
        )
    return error.value


def test_a_listed_manifest_says_that_no_signature_was_ever_expected(
    download: Path, listed: Listed
) -> None:
    error = said(download, listed(digest_of(download)))
    assert isinstance(error, CannotTell)
    assert error.code == "VER-1/never-signed"
    assert f"{VERSION} has no signature, and none was ever expected: {WHY}." in error.summary
    assert "2 of its 2 files are here and match" in error.summary
    assert "later release" in error.hint


def test_a_partial_download_counts_what_is_there(download: Path, listed: Listed) -> None:
    (download / ARM).unlink()
    assert "1 of its 2 files" in said(download, listed(digest_of(download))).summary


def test_a_file_that_is_not_the_published_one_is_wrong(download: Path, listed: Listed) -> None:
    keys = listed(digest_of(download))
    (download / ARM).write_bytes(b"forged")
    error = said(download, keys)
    assert isinstance(error, DigestMismatch)
    assert ARM in error.summary


def test_other_checksums_never_pass_for_the_listed_ones(download: Path, listed: Listed) -> None:
    """Whoever forges an old release gains nothing from its being unsigned."""
    keys = listed(digest_of(download))
    (download / ARM).write_bytes(b"forged")
    forged = hashlib.sha256(b"forged").hexdigest()
    lines = (download / "SHA256SUMS").read_text().splitlines()
    (download / "SHA256SUMS").write_text(f"{lines[0]}\n{forged}  {ARM}\n")
    error = said(download, keys)
    assert isinstance(error, CannotTell)
    assert error.code == "VER-1/not-the-listed-one"
    assert "Do not use" in error.hint


def test_a_release_of_unknown_checksums_is_known_by_its_names_and_nothing_is_claimed(
    download: Path, listed: Listed
) -> None:
    error = said(download, listed(None))
    assert isinstance(error, CannotTell)
    assert error.code == "VER-1/never-signed"
    assert "nothing shows that these files are the published ones" in error.summary
    assert "match" not in error.summary


def test_any_other_release_without_signatures_lacks_them(
    download: Path, listed: Listed, folder: Path
) -> None:
    """Stripping the signatures off a signed release is not excused by another one's story."""
    keys = listed(digest_of(download))
    for path in [*folder.glob("*.asc"), *folder.glob("*.minisig")]:
        path.unlink()
    error = said(folder, keys)
    assert error.code == "VER-1/unsigned"
    assert "Download" in error.hint


def test_a_signature_that_is_there_is_checked_all_the_same(
    download: Path, listed: Listed, folder: Path
) -> None:
    keys = listed(digest_of(download))
    shutil.copy(folder / "SHA256SUMS.minisig", download)
    assert said(download, keys).exit_code == 4


@pytest.mark.parametrize(
    ("name", "is_named"),
    [
        ("pai-0.1.0-amd64.iso", True),
        ("pai-v0.1.0-amd64.iso", True),
        ("pai-0.1.0.iso", True),
        ("pai_0.1.0", True),
        ("pai-0.1.01-amd64.iso", False),
        ("pai-0.1.0.1-amd64.iso", False),
        ("pai-10.1.0-amd64.iso", False),
        ("pai-1.0.1.0-amd64.iso", False),
        ("pai-0.1.0b-amd64.iso", False),
        ("pai-0x1x0-amd64.iso", False),
        ("pai-0.2.0-amd64.iso", False),
    ],
)
def test_only_the_very_version_in_a_name_counts(name: str, is_named: bool) -> None:
    known = expect_no_signature(
        registry(), UnsignedRelease(version=VERSION, reason=WHY), now=registry().changed_at
    )
    manifest = {name: "0" * 64}
    if not is_named:
        refuse_unsigned(known, b"", manifest, {})
        refuse_unsigned(known, b"", {**manifest, AMD: "0" * 64}, {})
        return
    with pytest.raises(CannotTell):
        refuse_unsigned(known, b"", manifest, {})


def test_an_empty_manifest_is_named_for_nothing() -> None:
    known = expect_no_signature(
        registry(), UnsignedRelease(version=VERSION, reason=WHY), now=registry().changed_at
    )
    refuse_unsigned(known, b"", {}, {})
