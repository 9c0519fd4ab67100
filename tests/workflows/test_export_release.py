"""Carrying out: only what was signed, all of it, and to the right medium (EXP-1, EXP-2)."""

import hashlib
from pathlib import Path

import pytest

from pai_signer.adapters.destination import MediumDestinations
from pai_signer.domain.progress import Progress
from pai_signer.errors import BadSignature, MediumError, PolicyRefused, UsageError
from pai_signer.workflows import catalogue
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import RELEASE, downloads_copy, events, rename_release, run, sign
from tests.workflows.signing import split


def export(bench: Workbench, to: Path, version: str = RELEASE) -> Path:
    outcome = run(bench, "release.export", version=version, directory=str(to))
    return Path(str(outcome.data["folder"]))


def test_nothing_signed_is_nothing_to_export(imported: Workbench, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Nothing of v0\.2\.0 is signed"):
        export(imported, tmp_path)


def test_the_journal_has_what_was_written(signed: Workbench, tmp_path: Path) -> None:
    folder = export(signed, tmp_path)
    facts = signed.journal.entries()[-1].facts
    assert facts["folder"] == folder.name == "pai-v0.2.0"
    for name, digest in facts["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_each_visit_has_a_folder_of_its_own(keyed: Workbench, tmp_path: Path) -> None:
    tag, artifacts = split(tmp_path)
    run(keyed, "release.import", directory=str(tag), version=RELEASE)
    sign(keyed)
    first = export(keyed, tmp_path)
    assert first.name == "pai-v0.2.0-tag"
    assert "gh release upload" not in (first / "UPLOAD.md").read_text()
    run(keyed, "release.import", directory=str(artifacts))
    sign(keyed)
    both = export(keyed, tmp_path)
    assert both.name == "pai-v0.2.0"
    assert {p.name for p in first.glob("receipt-tag*")} < {p.name for p in both.iterdir()}


def test_the_manifest_alone_has_a_folder_of_its_own(keyed: Workbench, tmp_path: Path) -> None:
    _tag, artifacts = split(tmp_path)
    run(keyed, "release.import", directory=str(artifacts))
    sign(keyed)
    assert export(keyed, tmp_path).name == "pai-v0.2.0-manifest"


@pytest.mark.parametrize("name", ["SHA256SUMS", "receipt.json", "receipt.txt", "v0.2.0.bundle"])
def test_staging_that_was_changed_never_leaves(
    signed: Workbench, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "vault" / "releases" / RELEASE / "staging" / name
    path.write_bytes(path.read_bytes() + b" ")
    (tmp_path / "out").mkdir()
    with pytest.raises(BadSignature) as error:
        export(signed, tmp_path / "out")
    assert error.value.code == "SIG-5/staging"
    assert list((tmp_path / "out").iterdir()) == []


def test_a_staged_file_that_is_missing_is_noticed(signed: Workbench, tmp_path: Path) -> None:
    (tmp_path / "vault" / "releases" / RELEASE / "staging" / "SHA256SUMS.asc").unlink()
    with pytest.raises(BadSignature):
        export(signed, tmp_path)


def test_a_file_that_somebody_added_to_staging_stays_where_it_is(
    signed: Workbench, tmp_path: Path
) -> None:
    (tmp_path / "vault" / "releases" / RELEASE / "staging" / "evil.minisig").write_bytes(b"x")
    assert not (export(signed, tmp_path) / "evil.minisig").exists()


def test_a_medium_that_fails_leaves_staging_and_no_entry(
    signed: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MediumError("EXP-2/full", "It is full.", "Use another one.")

    before = events(signed)
    with monkeypatch.context() as patch:
        patch.setattr(MediumDestinations, "write_release", full)
        with pytest.raises(MediumError) as error:
            export(signed, tmp_path)
    assert error.value.unchanged
    assert events(signed) == before
    export(signed, tmp_path)


def test_a_second_export_after_more_was_signed_is_no_resumed_first_one(
    keyed: Workbench, tmp_path: Path
) -> None:
    """The unmount of the first failed; its saved state must not stand in for the second."""
    tag, artifacts = split(tmp_path)
    run(keyed, "release.import", directory=str(tag), version=RELEASE)
    sign(keyed)
    arguments = {"version": RELEASE, "directory": str(tmp_path)}
    first = catalogue.begin(keyed, "release.export", arguments)
    first.answer("", Progress())
    assert first.step is not None
    assert first.step.id == "unmount"
    run(keyed, "release.import", directory=str(artifacts))
    sign(keyed)
    assert export(keyed, tmp_path).name == "pai-v0.2.0"
    assert (tmp_path / "pai-v0.2.0" / "SHA256SUMS").exists()


def test_another_medium_at_the_same_place_is_written_too(signed: Workbench, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    arguments = {"version": RELEASE, "directory": str(stick)}
    catalogue.begin(signed, "release.export", arguments).answer("", Progress())
    stick.rename(tmp_path / "in-the-drawer")
    stick.mkdir()
    export(signed, stick)
    assert (stick / "pai-v0.2.0" / "SHA256SUMS.asc").exists()


def test_the_sizes_in_the_guide_are_those_that_were_signed(
    signed: Workbench, tmp_path: Path
) -> None:
    """A later import of something else, refused by POL-4, changes nothing about the release."""
    other = rename_release(downloads_copy(tmp_path / "other"), "0.2.0", b"changed")
    with pytest.raises(PolicyRefused):
        run(signed, "release.import", directory=str(other))
    signed.releases.delete_candidate(RELEASE)
    export(signed, tmp_path)
