"""Rules that a signing is held to: newer, descending, with keys and a clock that are good.

POL-3 and POL-5 at the second release, POL-6 and POL-8 at any.
"""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from pai_signer.errors import PolicyRefused
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import (
    WHY,
    ShiftedClock,
    a_repository,
    a_strangers_repository,
    downloads,
    downloads_copy,
    events,
    keyed_vault,
    opened,
    rename_release,
    run,
    sign,
    signed_vault,
)
from tests.workflows.signing import nothing_is_signed

# --- the second release (POL-3, POL-5) ----------------------------------------------------


@pytest.fixture
def two_commits(keyed: Workbench, tmp_path: Path) -> tuple[Workbench, Path, str]:
    """v0.2.0 signed at the first commit of a real repository; the folder of the next release."""
    repository = a_repository(tmp_path / "repository", commits=1)
    first = rename_release(downloads_copy(tmp_path / "first"), "0.2.0")
    (first / "practice.bundle").unlink()
    shutil.move(repository.full_bundle(), first)
    run(keyed, "release.import", directory=str(first))
    sign(keyed)
    old = repository.head
    repository.commit("next")
    second = downloads_copy(tmp_path / "second")
    (second / "practice.bundle").unlink()
    shutil.move(repository.thin_bundle(old), second)
    return keyed, second, old


def test_a_second_release_from_a_thin_bundle(two_commits: tuple[Workbench, Path, str]) -> None:
    bench, second, old = two_commits
    run(bench, "release.import", directory=str(rename_release(second, "0.3.0", b"new")))
    commit = bench.candidate("v0.3.0").commit
    assert commit is not None
    assert (commit.previous_oid, commit.descends_from_previous) == (old, True)
    outcome = sign(bench, "v0.3.0")
    assert set(outcome.data["waived"]) == {"POL-7"}


def test_an_older_version_needs_a_waiver(two_commits: tuple[Workbench, Path, str]) -> None:
    bench, second, _ = two_commits
    run(bench, "release.import", directory=str(rename_release(second, "0.1.9", b"new")))
    with pytest.raises(PolicyRefused, match="POL-3"):
        sign(bench, "v0.1.9")
    outcome = sign(bench, "v0.1.9", **{"waive.POL-3": "a hotfix line"})
    assert outcome.data["waived"] == {"POL-3": "a hotfix line", "POL-7": WHY}


def test_a_commit_that_does_not_descend_needs_a_waiver(
    two_commits: tuple[Workbench, Path, str], tmp_path: Path
) -> None:
    bench, second, _ = two_commits
    next(second.glob("*.bundle")).unlink()
    stranger = a_strangers_repository(tmp_path / "stranger")
    shutil.move(stranger.full_bundle(), second)
    run(bench, "release.import", directory=str(rename_release(second, "0.3.0", b"new")))
    with pytest.raises(PolicyRefused, match="POL-5"):
        sign(bench, "v0.3.0")
    assert sign(bench, "v0.3.0", **{"waive.POL-5": "history was rewritten"})


def test_descent_is_judged_against_what_is_signed_by_then(keyed: Workbench, tmp_path: Path) -> None:
    """Two releases are imported first, then both signed: the second must descend from the first."""
    ours = a_repository(tmp_path / "ours")
    theirs = a_strangers_repository(tmp_path / "theirs")
    for version, repository in (("0.2.0", ours), ("0.3.0", theirs)):
        source = downloads_copy(tmp_path / version)
        (source / "practice.bundle").unlink()
        shutil.move(repository.full_bundle(), source)
        rename_release(source, version, version.encode())
        run(keyed, "release.import", directory=str(source))
    sign(keyed, "v0.2.0")
    with pytest.raises(PolicyRefused, match="POL-5"):
        sign(keyed, "v0.3.0")
    assert not keyed.releases.staged("v0.3.0")


def test_a_tag_that_somebody_else_put_into_the_mirror_is_refused_and_stays(
    signed: Workbench, tmp_path: Path
) -> None:
    """The vault's journal was restored from before the signing; the mirror still knows the tag."""
    vault = signed_vault(tmp_path / "restored")
    fresh = keyed_vault(tmp_path / "fresh")
    shutil.copytree(vault / "repo.git", fresh / "repo.git")
    other = rename_release(downloads_copy(tmp_path / "other"), "0.2.0", b"changed")
    with opened(fresh) as bench:
        run(bench, "release.import", directory=str(other))
        for _ in range(2):
            with pytest.raises(PolicyRefused, match="POL-5"):
                sign(bench)
        assert "release.signed" not in events(bench)


# --- clock and keys (POL-6, POL-8) --------------------------------------------------------


def test_a_clock_before_the_last_entry_is_refused(tmp_path: Path) -> None:
    clock = ShiftedClock()
    with opened(keyed_vault(tmp_path / "vault"), clock=clock) as bench:
        run(bench, "release.import", directory=str(downloads()))
        clock.shift = -timedelta(days=2)
        with pytest.raises(PolicyRefused, match="POL-8"):
            sign(bench)
        assert nothing_is_signed(bench)


def test_an_expired_key_is_refused(tmp_path: Path) -> None:
    clock = ShiftedClock()
    with opened(keyed_vault(tmp_path / "vault"), clock=clock) as bench:
        run(bench, "release.import", directory=str(downloads()))
        clock.shift = timedelta(days=401)
        with pytest.raises(PolicyRefused, match="expired"):
            sign(bench, **{"waive.POL-6": "one last time", "waive.POL-8": "long in a drawer"})
        assert nothing_is_signed(bench)
