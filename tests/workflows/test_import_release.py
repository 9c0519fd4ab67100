"""Bringing a release in: what is recognised, compared, refused and kept (IMP-1 to IMP-7)."""

import hashlib
import shutil
from pathlib import Path

import pytest

from pai_signer.adapters.source import FolderSource
from pai_signer.domain.progress import Progress
from pai_signer.errors import (
    DigestMismatch,
    FormatError,
    MediumError,
    PolicyRefused,
    SignerError,
)
from pai_signer.workflows import catalogue
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import (
    RELEASE,
    Silent,
    a_repository,
    downloads,
    downloads_copy,
    events,
    rename_release,
    run,
    write_sums,
)

AMD, ARM = "pai-0.2.0-amd64.iso", "pai-0.2.0-arm64.iso"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return downloads_copy(tmp_path / "stick")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def refused(bench: Workbench, code: str, **arguments: str) -> SignerError:
    """The import must be refused with ``code``, and leave no candidate of that version."""
    with pytest.raises(SignerError) as error:
        run(bench, "release.import", **arguments)
    assert error.value.code == code
    assert error.value.unchanged
    return error.value


def test_a_release_is_read_compared_inspected_and_kept(keyed: Workbench, source: Path) -> None:
    speaker = Silent()
    outcome = run(keyed, "release.import", None, speaker, directory=str(source))
    candidate = keyed.candidate(RELEASE)
    assert {a.file.name: a.file.sha256 for a in candidate.artifacts} == {
        AMD: sha256(source / AMD),
        ARM: sha256(source / ARM),
    }
    assert all(a.expected and a.findings for a in candidate.artifacts)
    blake = hashlib.blake2b((source / AMD).read_bytes()).hexdigest()
    assert candidate.artifacts[0].file.blake2b_512 == blake
    assert candidate.commit is not None
    assert candidate.commit.subject == "Prepare the release"
    assert outcome.data["failed"] == []
    assert events(keyed)[-1] == "release.imported"


def test_the_version_comes_from_the_file_names(keyed: Workbench, source: Path) -> None:
    for name in (AMD, ARM):
        (source / name).rename(source / name.replace("pai-", "pai-v"))
    write_sums(source)
    run(keyed, "release.import", directory=str(source))
    assert keyed.candidate(RELEASE).artifacts[0].file.name == "pai-v0.2.0-amd64.iso"


def test_a_bundle_alone_needs_the_version(keyed: Workbench, source: Path) -> None:
    for path in [*source.glob("*.iso"), source / "SHA256SUMS"]:
        path.unlink()
    refused(keyed, "FACE-1/unanswered", directory=str(source))
    run(keyed, "release.import", directory=str(source), version="0.2.0")
    assert keyed.candidate(RELEASE).artifacts == ()


# --- the commit (IMP-6) -----------------------------------------------------------------------


@pytest.fixture
def repository_source(tmp_path: Path) -> tuple[Path, list[str]]:
    """A folder with a bundle alone, and its commits, oldest first."""
    repository = a_repository(tmp_path / "repository")
    commits = repository.git("rev-list", "--reverse", "HEAD").split()
    folder = tmp_path / "bundle"
    folder.mkdir()
    shutil.move(repository.full_bundle(), folder)
    return folder, commits


def test_without_a_commit_the_bundles_head_is_tagged(
    keyed: Workbench, repository_source: tuple[Path, list[str]]
) -> None:
    folder, commits = repository_source
    run(keyed, "release.import", directory=str(folder), version=RELEASE)
    commit = keyed.candidate(RELEASE).commit
    assert commit is not None
    assert commit.oid == commits[-1]


def test_the_commit_that_is_asked_for_is_taken_after_a_failed_import_too(
    keyed: Workbench, repository_source: tuple[Path, list[str]]
) -> None:
    """The first import saves its state; the second, with another commit, must not resume it."""
    folder, commits = repository_source
    bundle = folder / "full.bundle"
    whole = bundle.read_bytes()
    bundle.write_bytes(whole[:-100])
    arguments = {"directory": str(folder), "version": RELEASE}
    with pytest.raises(FormatError):
        run(keyed, "release.import", commit=commits[0], **arguments)
    assert keyed.states.names()
    bundle.write_bytes(whole)
    run(keyed, "release.import", commit=commits[1], **arguments)
    commit = keyed.candidate(RELEASE).commit
    assert commit is not None
    assert commit.oid == commits[1]


def test_a_commit_without_a_bundle_is_refused(keyed: Workbench, source: Path) -> None:
    (source / "practice.bundle").unlink()
    refused(keyed, "IMP-6/no-bundle", directory=str(source), commit="main")
    assert keyed.releases.load_candidate(RELEASE) is None


@pytest.mark.parametrize("revision", ["\udcff", "a\nb", "\x1b[31m"])
def test_a_commit_in_unprintable_characters_is_refused(
    keyed: Workbench, source: Path, revision: str
) -> None:
    refused(keyed, "IMP-6/revision", directory=str(source), commit=revision)


@pytest.mark.parametrize("revision", ["--all", "HEAD~1", "main^{tree}", "refs/heads/main"])
def test_what_git_would_compute_is_refused(keyed: Workbench, source: Path, revision: str) -> None:
    with pytest.raises(SignerError) as error:
        run(keyed, "release.import", directory=str(source), commit=revision)
    assert error.value.code in ("IMP-6/revision", "IMP-6/unknown-commit")
    assert keyed.releases.load_candidate(RELEASE) is None


def test_two_bundles_are_refused(keyed: Workbench, source: Path) -> None:
    shutil.copy(source / "practice.bundle", source / "other.bundle")
    refused(keyed, "IMP-6/two-bundles", directory=str(source))


def test_a_second_import_keeps_what_it_does_not_bring(
    imported: Workbench, repository_source: tuple[Path, list[str]]
) -> None:
    folder, commits = repository_source
    run(imported, "release.import", directory=str(folder), version=RELEASE)
    candidate = imported.candidate(RELEASE)
    assert len(candidate.artifacts) == 2
    assert candidate.commit is not None
    assert candidate.commit.oid == commits[-1]


# --- digests (IMP-4) --------------------------------------------------------------------------


def test_a_mismatch_says_both_digests_and_nothing_signed(keyed: Workbench, source: Path) -> None:
    (source / "SHA256SUMS").write_text(f"{'0' * 64}  {AMD}\n{sha256(source / ARM)}  {ARM}\n")
    with pytest.raises(DigestMismatch) as error:
        run(keyed, "release.import", directory=str(source))
    assert "0" * 64 in error.value.summary
    assert sha256(source / AMD) in error.value.summary
    assert error.value.unchanged
    assert error.value.unchanged.startswith("Nothing was signed")


def test_one_source_of_two_that_disagrees_is_enough(keyed: Workbench, source: Path) -> None:
    (source / f"{AMD}.sha256").write_text("1" * 64)
    with pytest.raises(DigestMismatch, match=f"{AMD}.sha256"):
        run(keyed, "release.import", directory=str(source))


def test_no_expected_digest_is_refused_and_may_be_waived(keyed: Workbench, source: Path) -> None:
    (source / "SHA256SUMS").unlink()
    with pytest.raises(PolicyRefused, match="nobody vouches") as error:
        run(keyed, "release.import", directory=str(source))
    assert "--waive IMP-4=REASON" in error.value.hint


def test_a_typed_digest_is_an_independent_source(keyed: Workbench, source: Path) -> None:
    grouped = " ".join(sha256(source / AMD)[i : i + 8] for i in range(0, 64, 8)).upper()
    run(keyed, "release.import", directory=str(source), **{f"digest.{AMD}": grouped})
    expected = keyed.candidate(RELEASE).artifacts[0].expected
    assert [e.independent for e in expected] == [False, True]


def test_a_typed_digest_that_differs_refuses(keyed: Workbench, source: Path) -> None:
    with pytest.raises(DigestMismatch, match="typed"):
        run(keyed, "release.import", directory=str(source), **{f"digest.{AMD}": "a" * 64})


def test_a_typed_digest_for_no_artifact_is_never_passed_over(
    keyed: Workbench, source: Path
) -> None:
    digests = {"digest.pai-0.2.0-amd46.iso": "a" * 64}
    refused(keyed, "IMP-4/unknown-file", directory=str(source), **digests)
    assert keyed.releases.load_candidate(RELEASE) is None


@pytest.mark.parametrize("digest", ["a" * 63, "g" * 64, "a" * 65, "zwölf"])
def test_what_is_no_sha256_is_refused(keyed: Workbench, source: Path, digest: str) -> None:
    refused(keyed, "IMP-4/typed-digest", directory=str(source), **{f"digest.{AMD}": digest})


def test_a_second_folder_is_compared(keyed: Workbench, source: Path, tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.mkdir()
    shutil.copy(source / "SHA256SUMS", second)
    run(keyed, "release.import", directory=str(source), second=str(second))
    sources = [e.source for e in keyed.candidate(RELEASE).artifacts[0].expected if e.independent]
    assert sources == ["second source's SHA256SUMS"]


def test_the_second_source_is_asked_after_a_failed_import_too(
    keyed: Workbench, source: Path, tmp_path: Path
) -> None:
    """As for the commit: a flag of the second run is never lost to a resumed state."""
    sums = (source / "SHA256SUMS").read_bytes()
    (source / "SHA256SUMS").write_bytes(b"\\escaped\n")
    with pytest.raises(FormatError):
        run(keyed, "release.import", directory=str(source))
    (source / "SHA256SUMS").write_bytes(sums)
    second = tmp_path / "second"
    second.mkdir()
    (second / "SHA256SUMS").write_bytes(sums.replace(sums[:8], b"00000000"))
    with pytest.raises(DigestMismatch, match="second source"):
        run(keyed, "release.import", directory=str(source), second=str(second))


def test_the_first_source_is_no_second_one(keyed: Workbench, source: Path, tmp_path: Path) -> None:
    """However it is spelt: through a link above it, by two slashes, by way of /proc."""
    (tmp_path / "alias").symlink_to(source.parent)
    spelt = (str(source), f"{source}/../{source.name}/.", f"/{source}")
    for same in (*spelt, f"{tmp_path}/alias/{source.name}", f"/proc/self/root{source}"):
        refused(keyed, "IMP-4/same-source", directory=str(source), second=same)
    assert keyed.releases.load_candidate(RELEASE) is None


def test_a_second_source_that_says_nothing_is_refused(
    keyed: Workbench, source: Path, tmp_path: Path
) -> None:
    second = tmp_path / "second"
    second.mkdir()
    refused(keyed, "IMP-4/second-empty", directory=str(source), second=str(second))
    (second / "SHA256SUMS").write_text(f"{'a' * 64}  something-else.iso\n")
    refused(keyed, "IMP-4/second-empty", directory=str(source), second=str(second))


def test_a_second_source_for_a_bundle_alone_is_refused(
    keyed: Workbench, repository_source: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, _ = repository_source
    arguments = {"directory": str(folder), "version": RELEASE, "second": str(tmp_path)}
    refused(keyed, "IMP-4/nothing-to-compare", **arguments)


# --- what may not be in the folder (IMP-2, POL-1, POL-2) ----------------------------------------


def test_two_versions_are_refused(keyed: Workbench, source: Path) -> None:
    shutil.copy(source / AMD, source / "pai-0.3.0-amd64.iso")
    refused(keyed, "POL-1/two-versions", directory=str(source))


def test_another_version_than_asked_for_is_refused(keyed: Workbench, source: Path) -> None:
    refused(keyed, "POL-1/version", directory=str(source), version="v0.3.0")
    assert keyed.releases.load_candidate("v0.3.0") is None


def test_a_missing_artifact_is_refused(keyed: Workbench, source: Path) -> None:
    (source / ARM).unlink()
    with pytest.raises(PolicyRefused, match="POL-2: missing: arm64"):
        run(keyed, "release.import", directory=str(source))


def test_one_architecture_twice_is_refused(keyed: Workbench, source: Path) -> None:
    shutil.copy(source / AMD, source / "pai-v0.2.0-amd64.iso")
    write_sums(source)
    with pytest.raises(PolicyRefused, match="POL-2"):
        run(keyed, "release.import", directory=str(source))


def test_an_empty_folder_says_what_is_expected(keyed: Workbench, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    error = refused(keyed, "IMP-1/no-artifacts", directory=str(tmp_path / "nothing"))
    assert "pai-{version}-amd64.iso" in error.hint


def test_other_files_are_left_alone_and_shown(keyed: Workbench, source: Path) -> None:
    (source / "notes.txt").write_text("hello")
    (source / "folder").mkdir()
    run(keyed, "release.import", directory=str(source))
    ignored = keyed.candidate(RELEASE).ignored
    assert "notes.txt" in ignored
    assert any(name.startswith("folder (") for name in ignored)


def test_a_name_too_long_to_be_shown_whole_is_refused(keyed: Workbench, source: Path) -> None:
    (source / ("\x1b" * 251 + ".iso")).touch()
    refused(keyed, "IMP-2/refused", directory=str(source))


def test_a_folder_that_changes_after_the_scan_is_refused(keyed: Workbench, source: Path) -> None:
    conversation = catalogue.begin(keyed, "release.import", {"directory": str(source)})
    conversation.answer("", Progress())
    (source / ARM).unlink()
    for answer in ("", "", "none"):
        conversation.answer(answer, Progress())
    with pytest.raises(PolicyRefused) as error:
        conversation.answer("", Progress())
    assert error.value.code == "IMP-3/changed"
    assert conversation.step is not None
    assert conversation.step.id == "scan"  # it is looked at again


def test_an_image_that_is_exchanged_between_hashing_and_inspection_is_refused(
    keyed: Workbench, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FolderSource.inspect_image

    def swap(self: FolderSource, name: str, architecture: str) -> object:
        (source / name).write_bytes((source / name).read_bytes()[::-1])
        return real(self, name, architecture)

    monkeypatch.setattr(FolderSource, "inspect_image", swap)
    refused(keyed, "IMP-3/changed-while-reading", directory=str(source))
    assert keyed.releases.load_candidate(RELEASE) is None


def test_a_medium_that_is_not_there_is_not_wrong_but_unknown(keyed: Workbench) -> None:
    with pytest.raises(MediumError):
        run(keyed, "release.import", directory="/nonexistent/stick")


def test_a_failed_read_keeps_the_earlier_import(imported: Workbench, source: Path) -> None:
    before = imported.candidate_bytes(RELEASE)
    (source / "SHA256SUMS").write_bytes(b"\\escaped\n")
    with pytest.raises(FormatError):
        run(imported, "release.import", directory=str(source))
    assert imported.candidate_bytes(RELEASE) == before


def test_an_import_that_is_over_is_done_again_not_resumed(
    imported: Workbench, tmp_path: Path
) -> None:
    """A crash right before the outcome was shown: asked again, the folder is read again."""
    source = downloads_copy(tmp_path / "again")
    conversation = catalogue.begin(imported, "release.import", {"directory": str(source)})
    for answer in ("", "", "", "none", ""):
        conversation.answer(answer, Progress())
    assert conversation.step is None
    rename_release(source, "0.2.0", b"changed")
    run(imported, "release.import", directory=str(source))
    assert imported.candidate(RELEASE).artifacts[0].file.sha256 == sha256(source / AMD)


def test_the_journal_has_the_command_that_does_the_same(keyed: Workbench, source: Path) -> None:
    digest = sha256(source / AMD)
    arguments = {"directory": str(source), "commit": "main", f"digest.{AMD}": digest}
    run(keyed, "release.import", **arguments)
    command = keyed.journal.entries()[-1].facts["command"]
    assert command == (
        f"release import {source} --version {RELEASE} --commit main --digest {AMD}={digest}"
    )


def test_downloads_are_as_they_were(keyed: Workbench) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in downloads().iterdir()}
    run(keyed, "release.import", directory=str(downloads()))
    assert {path.name: path.stat().st_mtime_ns for path in downloads().iterdir()} == before
