"""What a crash left of a signing is finished or taken back, and nothing else is touched (SIG-6)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pai_signer.composition import open_workbench
from pai_signer.domain.history import SIGNING
from pai_signer.domain.journal import JournalEntry
from pai_signer.errors import BadSignature, SignerError
from pai_signer.workflows.release.settle import settle_unfinished
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import RELEASE, events, opened, run, sign, signed_vault
from tests.workflows.signing import TAG_FILES, nothing_is_signed, split


class PowerCut(BaseException):
    """The machine went off: no handler of the program runs any more."""


def cut_before_signed_is_journalled(bench: Workbench) -> None:
    real = bench.journal.append

    def append(event: str, facts: Mapping[str, Any]) -> JournalEntry:
        if event == "release.signed":
            raise PowerCut
        return real(event, facts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.journal, "append", append)
        with pytest.raises(PowerCut):
            sign(bench)


def cut_before_staging(bench: Workbench) -> None:
    """As after a kill: neither is anything staged, nor does the take-back run."""

    def stage(version: str, files: Mapping[str, bytes]) -> None:
        raise PowerCut

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.releases, "stage", stage)
        patch.setattr("pai_signer.workflows.release.sign_release._Sign._take_back", lambda *_: None)
        with pytest.raises(PowerCut):
            sign(bench)


def test_a_signing_that_was_staged_is_verified_and_recorded(imported: Workbench) -> None:
    cut_before_signed_is_journalled(imported)
    staged = imported.releases.staged(RELEASE)
    assert imported.history().find(RELEASE) is None
    assert settle_unfinished(imported) == (
        f"The interrupted signing of {RELEASE} was complete and has been recorded.",
    )
    release = imported.history().find(RELEASE)
    assert release is not None
    assert set(release.files) == set(staged) == set(imported.releases.staged(RELEASE))
    assert imported.states.names() == ()


def test_a_signing_that_was_not_staged_is_taken_back(imported: Workbench) -> None:
    cut_before_staging(imported)
    assert settle_unfinished(imported) == (
        f"The interrupted signing of {RELEASE} left nothing behind: discarded.",
    )
    assert nothing_is_signed(imported)
    assert events(imported)[-1] == "release.discarded"
    sign(imported)


def test_settling_is_done_when_the_vault_is_opened(imported: Workbench, tmp_path: Path) -> None:
    cut_before_signed_is_journalled(imported)
    notes: tuple[str, ...]
    # The lock of the first process died with it; here it is another descriptor.
    (tmp_path / "vault" / "vault.lock").rename(tmp_path / "vault" / "vault.lock.old")
    with open_workbench(tmp_path / "vault") as (_bench, notes):
        assert len(notes) == 1
    with_none = settle_unfinished(imported)
    assert with_none == ()


def test_settling_the_second_visit_never_deletes_what_the_first_signed(
    keyed: Workbench, tmp_path: Path
) -> None:
    tag, artifacts = split(tmp_path)
    run(keyed, "release.import", directory=str(tag), version=RELEASE)
    sign(keyed)
    first = keyed.releases.staged(RELEASE)
    run(keyed, "release.import", directory=str(artifacts))
    cut_before_staging(keyed)
    settle_unfinished(keyed)
    assert keyed.releases.staged(RELEASE) == first
    assert set(first) == TAG_FILES
    release = keyed.history().find(RELEASE)
    assert release is not None
    bundle = keyed.tags.bundle_tag(RELEASE)  # the tag is still in the mirror
    assert bundle == first[f"{RELEASE}.bundle"]
    assert sign(keyed).data["visit"] == "manifest"


def test_settling_a_tag_visit_keeps_the_manifest_of_the_first(
    keyed: Workbench, tmp_path: Path
) -> None:
    tag, artifacts = split(tmp_path)
    run(keyed, "release.import", directory=str(artifacts))
    sign(keyed)
    first = keyed.releases.staged(RELEASE)
    run(keyed, "release.import", directory=str(tag), version=RELEASE)
    cut_before_staging(keyed)
    settle_unfinished(keyed)
    assert keyed.releases.staged(RELEASE) == first
    cut_before_signed_is_journalled(keyed)
    settle_unfinished(keyed)
    release = keyed.history().find(RELEASE)
    assert release is not None
    assert release.visits == ("manifest", "tag")


def test_staged_files_of_another_signing_are_never_recorded(tmp_path: Path) -> None:
    """Somebody put a good, older signing into staging: its receipt names another entry."""
    with opened(signed_vault(tmp_path / "vault")) as bench:
        begun = next(e for e in bench.journal.entries() if e.event == SIGNING)
        bench.journal.append(SIGNING, begun.facts)
        with pytest.raises(BadSignature) as refused:
            settle_unfinished(bench)
        assert refused.value.code == "SIG-6/other-visit"
        assert events(bench)[-1] == SIGNING


def test_staging_that_lacks_a_file_is_never_recorded(imported: Workbench) -> None:
    cut_before_signed_is_journalled(imported)
    imported.releases.unstage(RELEASE, ["SHA256SUMS.asc"])
    with pytest.raises(BadSignature) as refused:
        settle_unfinished(imported)
    assert refused.value.code == "SIG-6/staging"
    assert "release.signed" not in events(imported)


@pytest.mark.parametrize("name", ["SHA256SUMS", "SHA256SUMS.asc", "receipt.json", "receipt.txt"])
def test_staging_that_was_changed_is_never_recorded(
    imported: Workbench, tmp_path: Path, name: str
) -> None:
    cut_before_signed_is_journalled(imported)
    path = tmp_path / "vault" / "releases" / RELEASE / "staging" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(SignerError) as refused:
        settle_unfinished(imported)
    assert refused.value.exit_code == 4
    assert "release.signed" not in events(imported)


def test_signing_is_refused_while_an_unfinished_one_cannot_be_settled(
    imported: Workbench,
) -> None:
    cut_before_signed_is_journalled(imported)
    imported.releases.unstage(RELEASE, ["SHA256SUMS.asc"])
    with pytest.raises(BadSignature):
        sign(imported)
    assert msgspec.to_builtins(imported.history().unfinished[0])["version"] == RELEASE
