"""An old release without signatures is put into the signed registry, for ever (KEY-2, VER-1)."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pai_signer.errors import CannotTell, PolicyRefused, SignerError, UsageError
from pai_signer.workflows.engine import Answer
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import (
    RELEASE,
    downloads,
    events,
    keyed_vault,
    new_vault,
    opened,
    rename_release,
    run,
    secrets,
    signed_vault,
)

OLD = "v0.1.0"
REASON = "published before there were keys"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with opened(keyed_vault(tmp_path / "vault")) as bench:
        yield bench


@pytest.fixture
def old_release(tmp_path: Path) -> Path:
    """What was published then: images and their checksums."""
    folder = Path(shutil.copytree(downloads(), tmp_path / "old"))
    for bundle in folder.glob("*.bundle"):
        bundle.unlink()
    return rename_release(folder, OLD.removeprefix("v"))


def declare(bench: Workbench, **answers: Answer) -> dict[str, object]:
    given = {"reason": REASON, "confirm": OLD, **secrets(), **answers}
    return dict(run(bench, "release.unsigned", given, version=OLD).data)


def refused(bench: Workbench, **answers: Answer) -> SignerError:
    """The error; the registry and the journal are as they were."""
    before, entries = bench.registry(), events(bench)
    with pytest.raises(SignerError) as caught:
        declare(bench, **answers)
    assert (bench.registry(), events(bench)) == (before, entries)
    return caught.value


def test_verify_then_says_that_no_signature_was_ever_expected(
    bench: Workbench, old_release: Path, tmp_path: Path
) -> None:
    manifest = old_release / "SHA256SUMS"
    data = declare(bench, manifest=str(manifest))
    digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
    assert data["manifest_sha256"] == digest
    [entry] = bench.registry().unsigned_releases
    assert (entry.version, entry.reason, entry.manifest_sha256) == (OLD, REASON, digest)
    assert events(bench)[-1] == "release.declared-unsigned"
    keys = tmp_path / "keys"
    keys.mkdir()
    run(bench, "key.publish", directory=str(keys))
    with pytest.raises(CannotTell, match="none was ever expected") as caught:
        run(bench, "verify", directory=str(old_release), keys=str(keys))
    assert caught.value.code == "VER-1/never-signed"
    (old_release / "SHA256SUMS").write_text(f"{'0' * 64}  pai-0.1.0-amd64.iso\n")
    with pytest.raises(CannotTell, match="NOT its published checksums"):
        run(bench, "verify", directory=str(old_release), keys=str(keys))


def test_where_the_checksums_are_lost_it_is_said_without_them(bench: Workbench) -> None:
    assert declare(bench)["manifest_sha256"] is None
    assert bench.registry().unsigned_releases[0].manifest_sha256 is None


def test_a_release_that_was_signed_here_is_never_declared_unsigned(tmp_path: Path) -> None:
    with opened(signed_vault(tmp_path / "vault")) as bench:
        before = bench.registry()
        with pytest.raises(PolicyRefused) as caught:
            run(bench, "release.unsigned", {}, version=RELEASE)
        assert caught.value.code == "KEY-2/was-signed"
        assert bench.registry() == before


def test_it_is_said_once(bench: Workbench) -> None:
    declare(bench)
    assert refused(bench).code == "KEY-2/unsigned-release"


def test_without_a_reason_or_a_confirmation_nothing_is_signed(bench: Workbench) -> None:
    assert isinstance(refused(bench, reason=""), UsageError)
    assert isinstance(refused(bench, confirm="v0.1.1"), UsageError)


def test_a_file_that_is_no_manifest_is_refused(bench: Workbench, tmp_path: Path) -> None:
    (tmp_path / "SHA256SUMS").write_text("no digest at all\n")
    assert refused(bench, manifest=str(tmp_path / "SHA256SUMS")).code.startswith("SIG-1/")


def test_a_wrong_passphrase_signs_nothing(bench: Workbench) -> None:
    assert refused(bench, **secrets(gpg=b"wrong phrase")).code == "KEY-1/wrong-passphrase"


def test_without_a_key_nobody_can_say_it(tmp_path: Path) -> None:
    with (
        opened(new_vault(tmp_path / "vault")) as bench,
        pytest.raises(PolicyRefused, match="no key that could sign"),
    ):
        run(bench, "release.unsigned", {}, version=OLD)


def test_the_registry_tells_which_releases_each_key_signed(tmp_path: Path) -> None:
    with opened(signed_vault(tmp_path / "vault")) as bench:
        assert {key.first_release for key in bench.registry().keys} == {None}
        declare(bench)
        keys = bench.registry().keys
    assert {(k.first_release, k.last_release) for k in keys} == {(RELEASE, RELEASE)}
