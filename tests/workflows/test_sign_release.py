"""Signing in one visit or in two: all that is made, and the receipt that says so (IMP-7, EXP-3).

Under a version that is signed, nothing else is ever signed (POL-4).
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from pai_signer.domain.receipt import parse_receipt
from pai_signer.errors import PolicyRefused, UsageError
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import (
    RELEASE,
    WHY,
    Silent,
    a_repository,
    downloads_copy,
    events,
    rename_release,
    run,
    sign,
)
from tests.workflows.signing import TAG_FILES, split

# --- what a visit makes -------------------------------------------------------------------


def test_one_visit_signs_manifest_every_artifact_tag_and_receipt(imported: Workbench) -> None:
    outcome = sign(imported)
    staged = imported.releases.staged(RELEASE)
    isos = ["pai-0.2.0-amd64.iso", "pai-0.2.0-arm64.iso"]
    both = ["SHA256SUMS", "receipt.json"]
    assert set(staged) == {
        *both,
        *(f"{name}.minisig" for name in (*both, *isos)),
        *(f"{name}.asc" for name in both),
        f"{RELEASE}.bundle",
        "receipt.txt",
    }
    assert outcome.data["waived"] == {"POL-7": WHY}
    assert events(imported)[-2:] == ["release.signing", "release.signed"]


def test_the_receipt_names_keys_rules_waivers_and_the_entry_that_began_it(
    imported: Workbench,
) -> None:
    sign(imported)
    receipt = parse_receipt(imported.releases.staged(RELEASE)["receipt.json"])
    begun = next(e for e in imported.journal.entries() if e.event == "release.signing")
    assert (receipt.journal.n, receipt.journal.hash) == (begun.n, begun.hash)
    assert [(c.id, c.reason) for c in receipt.checks if c.reason] == [("POL-7", WHY)]
    assert {key.algorithm for key in receipt.keys} == {"minisign", "openpgp"}
    assert receipt.program_sha256 == imported.program.installation().sha256
    assert "receipt.txt" in receipt.files
    text = imported.releases.staged(RELEASE)["receipt.txt"].decode()
    assert f"waived because: {WHY}" in text


def test_a_visit_journals_the_waiver_before_it_signs(imported: Workbench) -> None:
    sign(imported)
    begun = next(e for e in imported.journal.entries() if e.event == "release.signing")
    waived = [c for c in begun.facts["checks"] if c["result"] == "waived"]
    assert [(c["id"], c["reason"]) for c in waived] == [("POL-7", WHY)]
    assert f"--waive POL-7={WHY!r}" in begun.facts["command"]


def test_the_artifacts_are_not_needed_any_more_once_they_were_read(
    keyed: Workbench, tmp_path: Path
) -> None:
    source = downloads_copy(tmp_path / "stick")
    run(keyed, "release.import", directory=str(source))
    shutil.rmtree(source)
    sign(keyed)
    assert "SHA256SUMS.asc" in keyed.releases.staged(RELEASE)


# --- two visits (IMP-7) -------------------------------------------------------------------


def test_the_tag_first_and_the_manifest_later(keyed: Workbench, tmp_path: Path) -> None:
    tag, artifacts = split(tmp_path)
    run(keyed, "release.import", directory=str(tag), version=RELEASE)
    assert sign(keyed).data["visit"] == "tag"
    assert set(keyed.releases.staged(RELEASE)) == TAG_FILES
    run(keyed, "release.import", directory=str(artifacts))
    speaker = Silent()
    assert sign(keyed, RELEASE, speaker).data["visit"] == "manifest"
    assert any(page.title == f"Signed already for {RELEASE}" for page in speaker.shown)
    staged = keyed.releases.staged(RELEASE)
    assert set(staged) >= TAG_FILES
    receipt = parse_receipt(staged["receipt.json"])
    assert set(receipt.earlier) == {"receipt-tag.json"}


def test_the_manifest_first_and_the_tag_later(keyed: Workbench, tmp_path: Path) -> None:
    tag, artifacts = split(tmp_path)
    run(keyed, "release.import", directory=str(artifacts))
    assert sign(keyed).data["visit"] == "manifest"
    first = keyed.releases.staged(RELEASE)
    run(keyed, "release.import", directory=str(tag), version=RELEASE)
    assert sign(keyed).data["visit"] == "tag"
    assert keyed.releases.staged(RELEASE).items() >= first.items()


def test_what_was_imported_together_can_be_signed_apart(imported: Workbench) -> None:
    assert sign(imported, what="tag").data["visit"] == "tag"
    assert sign(imported).data["visit"] == "manifest"


def test_all_that_is_signed_is_not_signed_twice(signed: Workbench) -> None:
    before = signed.releases.staged(RELEASE)
    with pytest.raises(UsageError, match="signed already"):
        sign(signed)
    assert signed.releases.staged(RELEASE) == before


# --- POL-4: never other content under a signed version ------------------------------------


def other_content(tmp_path: Path) -> Path:
    return rename_release(downloads_copy(tmp_path / "other"), "0.2.0", b"changed")


@pytest.mark.parametrize("what", ["all", "manifest"])
@pytest.mark.parametrize("waive", [{}, {"waive.POL-4": "let me"}])
def test_other_files_under_a_signed_version_are_refused(
    signed: Workbench, tmp_path: Path, what: str, waive: Mapping[str, str]
) -> None:
    before = signed.releases.staged(RELEASE)
    with pytest.raises(PolicyRefused, match="POL-4"):
        run(signed, "release.import", directory=str(other_content(tmp_path)))
    with pytest.raises(PolicyRefused, match="POL-4"):
        sign(signed, what=what, **waive)
    assert signed.releases.staged(RELEASE) == before
    assert events(signed).count("release.signing") == 1


def test_another_commit_under_a_signed_version_is_refused(
    signed: Workbench, tmp_path: Path
) -> None:
    source = downloads_copy(tmp_path / "source")
    (source / "practice.bundle").unlink()
    bundle = a_repository(tmp_path / "repository").full_bundle()
    shutil.move(bundle, source)
    with pytest.raises(PolicyRefused, match="POL-4"):
        run(signed, "release.import", directory=str(source))
    with pytest.raises(PolicyRefused, match="POL-4"):
        sign(signed, what="tag")


def test_the_second_visit_may_not_bring_another_commit_along(
    keyed: Workbench, tmp_path: Path
) -> None:
    tag, artifacts = split(tmp_path)
    run(keyed, "release.import", directory=str(tag), version=RELEASE)
    sign(keyed)
    shutil.move(a_repository(tmp_path / "repository").full_bundle(), artifacts)
    with pytest.raises(PolicyRefused, match="POL-4"):
        run(keyed, "release.import", directory=str(artifacts))
    with pytest.raises(PolicyRefused, match="POL-4"):
        sign(keyed, what="manifest", **{"waive.POL-4": "let me"})
    assert set(keyed.releases.staged(RELEASE)) == TAG_FILES


def test_the_tag_visit_may_not_bring_other_files_along(keyed: Workbench, tmp_path: Path) -> None:
    tag, artifacts = split(tmp_path)
    run(keyed, "release.import", directory=str(artifacts))
    sign(keyed)
    other = rename_release(artifacts, "0.2.0", b"changed")
    shutil.move(tag / "practice.bundle", other)
    with pytest.raises(PolicyRefused, match="POL-4"):
        run(keyed, "release.import", directory=str(other))
    with pytest.raises(PolicyRefused, match="POL-4"):
        sign(keyed, what="tag")
