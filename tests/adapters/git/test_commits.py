"""The mirror takes honest bundles and finds the commit that is to be tagged (IMP-6, POL-5).

What the review page is told of it comes from here too (REV-1).
"""

from pathlib import Path

import pytest

from pai_signer.adapters.git import MAX_LOG_LINES, GitMirror
from pai_signer.errors import PolicyRefused, UsageError
from tests.repository import Repository, git

# --- honest bundles -----------------------------------------------------------------------


def test_a_bundle_brings_head_its_branches_and_its_tag_names(
    mirror: GitMirror, vault: Path, work: Repository
) -> None:
    work.git("branch", "feature/x", "HEAD~1")
    work.git("tag", "old", "HEAD~2")
    mirror.take_bundle(work.bundle("all.bundle", "HEAD", "--branches", "--tags"))
    shown = git(vault / "repo.git", "for-each-ref", "--format=%(refname)").stdout.decode().split()
    assert shown == [
        "refs/import/HEAD",
        "refs/import/heads/feature/x",
        "refs/import/heads/main",
        "refs/import/tags/old",
    ]
    assert mirror.find_commit(None, "main") == work.head
    assert mirror.find_commit("feature/x", "main") == work.git("rev-parse", "HEAD~1")
    assert mirror.find_commit(work.head[:10], "main") == work.head
    assert mirror.find_commit(work.head.upper(), "main") == work.head
    git(vault / "repo.git", "fsck", "--strict")
    assert (vault / "repo.git").stat().st_mode & 0o777 == 0o700
    assert not (vault / "repo.git" / "hooks").exists()


def test_without_a_head_the_profiles_branch_is_taken(mirror: GitMirror, work: Repository) -> None:
    mirror.take_bundle(work.bundle("main.bundle", "main"))
    assert mirror.find_commit(None, "main") == work.head
    with pytest.raises(PolicyRefused, match="IMP-6/unknown-commit"):
        mirror.find_commit(None, "release")


def test_a_later_bundle_may_be_thin_and_replaces_the_earlier_one(
    mirror: GitMirror, vault: Path, work: Repository
) -> None:
    work.git("branch", "gone")
    mirror.take_bundle(work.bundle("first.bundle", "HEAD", "main", "gone"))
    first = work.head
    second = work.commit("Change 4")
    mirror.take_bundle(work.thin_bundle(first))
    assert mirror.find_commit(None, "main") == second
    assert mirror.find_commit(first, "main") == first
    with pytest.raises(PolicyRefused, match="IMP-6/unknown-commit"):
        mirror.find_commit("gone", "main")
    git(vault / "repo.git", "fsck", "--strict")


def test_a_name_may_become_a_folder_of_names(mirror: GitMirror, work: Repository) -> None:
    work.git("branch", "a")
    mirror.take_bundle(work.bundle("1.bundle", "HEAD", "a"))
    work.git("branch", "-D", "a")
    work.git("branch", "a/b")
    mirror.take_bundle(work.bundle("2.bundle", "HEAD", "a/b"))
    assert mirror.find_commit("a/b", "main") == work.head


def test_the_same_bundle_twice_is_fine(mirror: GitMirror, work: Repository) -> None:
    bundle = work.full_bundle()
    mirror.take_bundle(bundle)
    mirror.take_bundle(bundle)
    assert mirror.find_commit(None, "main") == work.head


def test_what_a_crash_left_in_quarantine_is_cleared(
    mirror: GitMirror, vault: Path, work: Repository
) -> None:
    mirror.take_bundle(work.full_bundle())
    (vault / "repo.git" / "quarantine-dead" / "pack").mkdir(parents=True)
    mirror.take_bundle(work.full_bundle())
    assert not list((vault / "repo.git").glob("quarantine-*"))


# --- what is tagged -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "revision",
    ["--all", "-h", "HEAD~1", "main^", "main@{0}", "main..x", "", "../x", ":/x", "a b", "x\n", "*"],
)
def test_a_revision_that_git_would_have_to_compute_is_refused(
    mirror: GitMirror, work: Repository, revision: str
) -> None:
    mirror.take_bundle(work.full_bundle())
    with pytest.raises(UsageError, match="IMP-6/revision"):
        mirror.find_commit(revision, "main")


def test_an_unknown_or_ambiguous_or_unreachable_commit_is_refused(
    mirror: GitMirror, work: Repository
) -> None:
    stray = work.git("commit-tree", "-m", "stray", "HEAD^{tree}")
    work.git("update-ref", "refs/stray/x", stray)
    mirror.take_bundle(work.bundle("x.bundle", "HEAD", "main", "refs/stray/x"))
    for revision in ("f" * 40, "fffffff", "nowhere", stray):
        with pytest.raises(PolicyRefused, match="IMP-6/unknown-commit"):
            mirror.find_commit(revision, "main")


def test_a_tag_or_a_tree_instead_of_a_commit_is_refused(
    mirror: GitMirror, work: Repository
) -> None:
    work.git("tag", "-a", "-m", "x", "v0")
    tag, tree = work.git("rev-parse", "v0"), work.git("rev-parse", "HEAD^{tree}")
    bundle = work.bundle("t.bundle", "HEAD", "main", "v0")
    data = bundle.read_bytes()
    for ref in ("HEAD", "refs/heads/main"):
        line = f"{work.head} {ref}\n".encode()
        data = data.replace(line, line.replace(work.head.encode(), tag.encode()), 1)
    bundle.write_bytes(data)
    mirror.take_bundle(bundle)
    for revision in (None, "main", tag, tree):
        with pytest.raises(PolicyRefused, match="POL-5/not-a-commit"):
            mirror.find_commit(revision, "main")


def test_nothing_imported_is_said_so(mirror: GitMirror) -> None:
    with pytest.raises(PolicyRefused, match="IMP-6/no-bundle"):
        mirror.find_commit(None, "main")


def test_the_review_page_gets_author_time_log_and_descent(
    mirror: GitMirror, work: Repository
) -> None:
    first = work.git("rev-parse", "HEAD~2")
    mirror.take_bundle(work.full_bundle())
    commit = mirror.describe_commit(work.head, "v1.0.0", first)
    assert commit.oid == work.head
    assert commit.author == "Ada Author <ada@example.org>"
    assert commit.committed_at == "2023-11-14T22:13:20Z"
    assert commit.subject == "Change 3"
    assert [entry.split(" ", 1)[1] for entry in commit.log] == ["Change 3", "Change 2"]
    assert (commit.log_is_cut, commit.previous_oid, commit.descends_from_previous) == (
        False,
        first,
        True,
    )
    assert commit.existing_tag_oid is None


def test_a_commit_that_does_not_descend_from_the_last_release_is_told(
    mirror: GitMirror, work: Repository
) -> None:
    released = work.head
    work.git("reset", "-q", "--hard", "HEAD~1")
    work.commit("Other way")
    work.git("branch", "released", released)
    mirror.take_bundle(work.bundle("b.bundle", "HEAD", "main", "released"))
    assert not mirror.describe_commit(work.head, "v1.0.0", released).descends_from_previous
    assert not mirror.describe_commit(work.head, "v1.0.0", "f" * 40).descends_from_previous
    assert mirror.describe_commit(work.head, "v1.0.0", None).descends_from_previous


def test_hostile_text_in_a_commit_is_sanitised_and_bounded(
    mirror: GitMirror, work: Repository
) -> None:
    subject = "evil \x1b[2J\u202e[@click=app.quit] " + "x" * 9000
    tree = work.git("rev-parse", "HEAD^{tree}")
    oid = work.git("commit-tree", tree, "-F", "-", stdin=subject.encode() + b"\xff")
    work.git("update-ref", "refs/heads/main", oid)
    mirror.take_bundle(work.full_bundle())
    commit = mirror.describe_commit(oid, "v1.0.0", None)
    for text in (commit.subject, *commit.log):
        assert text.isprintable()
        assert "\x1b" not in text
        assert len(text) < 600
    assert "\\x1b[2J\\u202e" in commit.subject


def test_a_long_log_is_cut_and_says_so(mirror: GitMirror, work: Repository) -> None:
    tree, parent = work.git("rev-parse", "HEAD^{tree}"), work.head
    stream = "".join(
        f"commit refs/heads/main\ncommitter A <a@x> {1700000001 + n} +0000\ndata 2\nn\n"
        + (f"from {parent}\n" if n == 0 else "")
        for n in range(MAX_LOG_LINES + 5)
    )
    work.git("fast-import", "--quiet", "--force", stdin=stream.encode())
    assert tree
    mirror.take_bundle(work.full_bundle())
    commit = mirror.describe_commit(mirror.find_commit("main", "main"), "v1.0.0", parent)
    assert len(commit.log) == MAX_LOG_LINES
    assert commit.log_is_cut
