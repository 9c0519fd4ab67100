"""The mirror takes honest bundles, refuses hostile ones, and runs nobody's code (IMP-6, SIG-4)."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pai_signer.adapters.git import MAX_LOG_LINES, GitMirror
from pai_signer.adapters.git_import import MAX_BUNDLE_BYTES
from pai_signer.domain.tag import join_tag, tag_payload
from pai_signer.domain.tag_bundle import parse_tag_bundle
from pai_signer.errors import FormatError, PolicyRefused, SignerError, UsageError
from tests.repository import Repository, StockSigner, git, make_repository, stock_signer

AT = datetime(2026, 11, 23, 18, 41, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def signer() -> Iterator[StockSigner]:
    # It takes no harm from a socket that an ending agent removes meanwhile.
    with tempfile.TemporaryDirectory() as folder, stock_signer(Path(folder) / "g") as made:
        yield made


@pytest.fixture
def work(tmp_path: Path) -> Repository:
    return make_repository(tmp_path / "work")


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    path = tmp_path / "vault"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def mirror(vault: Path) -> GitMirror:
    return GitMirror(vault)


def state_of(vault: Path) -> list[str]:
    """Every file of the mirror with its size: what a refusal must leave as it was."""
    repository = vault / "repo.git"
    return sorted(f"{p} {p.stat().st_size}" for p in repository.rglob("*") if p.is_file())


def refuse(mirror: GitMirror, vault: Path, bundle: Path, code: str) -> SignerError:
    """Take ``bundle``, which must be refused with ``code`` and change nothing."""
    mirror._git.make_if_missing()
    before = state_of(vault)
    with pytest.raises(SignerError) as caught:
        mirror.take_bundle(bundle)
    assert caught.value.code == code, caught.value
    assert caught.value.hint
    assert state_of(vault) == before
    return caught.value


def signed_tag(oid: str, signer: StockSigner, name: str = "v1.0.0") -> bytes:
    payload = tag_payload(
        target_oid=oid,
        name=name,
        tagger_name="Mia",
        tagger_email="mia@example.org",
        tagged_at=AT,
        message=f"PAI {name}",
    )
    return join_tag(payload, signer.sign(payload))


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


# --- hostile bundles ----------------------------------------------------------------------


def test_a_missing_prerequisite_is_refused_and_says_how_to_make_a_complete_bundle(
    mirror: GitMirror, vault: Path, work: Repository
) -> None:
    since = work.git("rev-parse", "HEAD~1")
    error = refuse(mirror, vault, work.thin_bundle(since), "IMP-6/missing-prerequisite")
    assert isinstance(error, PolicyRefused)
    assert since in error.summary
    assert "git bundle create" in error.hint


def test_a_prerequisite_that_lies_on_no_ref_is_refused(
    mirror: GitMirror, vault: Path, work: Repository
) -> None:
    mirror.take_bundle(work.full_bundle())
    lost = work.head
    work.git("reset", "-q", "--hard", "HEAD~1")
    mirror.take_bundle(work.full_bundle("rewound.bundle"))
    work.git("reset", "-q", "--hard", lost)
    work.commit("Change 4")
    refuse(mirror, vault, work.thin_bundle(lost), "IMP-6/missing-prerequisite")


def test_a_bundle_that_conceals_what_it_lacks_is_refused(
    mirror: GitMirror, vault: Path, work: Repository
) -> None:
    """`git bundle verify` calls this one okay."""
    thin = work.thin_bundle(work.git("rev-parse", "HEAD~1")).read_bytes()
    concealed = work.path.parent / "concealed.bundle"
    concealed.write_bytes(b"".join(x for x in thin.splitlines(True) if not x.startswith(b"-")))
    assert git(work.path, "bundle", "verify", concealed).returncode == 0
    refuse(mirror, vault, concealed, "IMP-6/bad-bundle")


def test_objects_that_fsck_refuses_do_not_get_in(
    mirror: GitMirror, vault: Path, work: Repository
) -> None:
    """git 2.39 fetches this bundle, even with fsckObjects on."""
    blob = bytes.fromhex(work.git("rev-parse", "HEAD:file.txt"))
    bad = b"0100644 file.txt\0" + blob
    tree = work.git("hash-object", "-t", "tree", "--literally", "-w", "--stdin", stdin=bad)
    work.git("branch", "bad", work.git("commit-tree", "-m", "bad", tree))
    error = refuse(mirror, vault, work.bundle("bad.bundle", "bad"), "IMP-6/bad-bundle")
    assert "git refuses the bundle" in error.summary


def test_a_git_folder_named_dot_git_in_a_tree_does_not_get_in(
    mirror: GitMirror, vault: Path, work: Repository
) -> None:
    inner = work.git("rev-parse", "HEAD^{tree}")
    tree = work.git("mktree", stdin=f"040000 tree {inner}\t.git\n".encode())
    work.git("branch", "bad", work.git("commit-tree", "-m", "bad", tree))
    refuse(mirror, vault, work.bundle("bad.bundle", "bad"), "IMP-6/bad-bundle")


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.97])
def test_a_truncated_bundle_is_refused(
    mirror: GitMirror, vault: Path, work: Repository, kept: float
) -> None:
    bundle = work.full_bundle()
    data = bundle.read_bytes()
    bundle.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(FormatError, match=r"IMP-6/(not-a-bundle|header|bad-bundle)"):
        mirror.take_bundle(bundle)
    with pytest.raises(PolicyRefused, match="IMP-6/no-bundle"):
        mirror.find_commit(None, "main")


def test_a_flipped_byte_in_the_pack_is_refused(
    mirror: GitMirror, vault: Path, work: Repository
) -> None:
    bundle = work.full_bundle()
    data = bytearray(bundle.read_bytes())
    data[-60] ^= 1
    bundle.write_bytes(data)
    refuse(mirror, vault, bundle, "IMP-6/bad-bundle")


@pytest.mark.parametrize(
    "content",
    [b"", b"hello\n", b"# v2 git bundl", b"# v9 git bundle\n\n", bytes(4096)],
    ids=["empty", "text", "cut", "version", "zeros"],
)
def test_what_is_not_a_bundle_is_refused(
    mirror: GitMirror, vault: Path, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "x.bundle"
    path.write_bytes(content)
    refuse(mirror, vault, path, "IMP-6/not-a-bundle")


@pytest.mark.parametrize(
    "name",
    [
        "refs/heads/--upload-pack=touch${IFS}x",
        "refs/heads/-x",
        "--exec=x",
        "refs/heads/../../../x",
        "refs/heads/a..b",
        "refs/heads/.hidden",
        "refs/heads/x.lock",
        "refs/heads/a//b",
        "refs/heads/x~1",
        "refs/heads/x:refs/tags/v9",
        "refs/heads/x\x1b[2J",
        "refs/heads/\u202ex",
        "config",
        "refs/heads",
        "HEAD/x",
        "refs/heads/" + "x" * 250,
    ],
)
def test_ref_names_that_are_not_plainly_safe_are_refused(
    mirror: GitMirror, vault: Path, work: Repository, name: str
) -> None:
    bundle = work.bundle("main.bundle", "main")
    bundle.write_bytes(bundle.read_bytes().replace(b"refs/heads/main", name.encode(), 1))
    error = refuse(mirror, vault, bundle, "IMP-6/ref-name")
    assert error.summary.isprintable()


def test_two_refs_of_one_name_or_of_one_path_are_refused(
    mirror: GitMirror, vault: Path, work: Repository
) -> None:
    line = f"{work.head} refs/heads/main\n".encode()
    for extra in (line, line.replace(b"main\n", b"main/x\n")):
        bundle = work.bundle("main.bundle", "main")
        bundle.write_bytes(bundle.read_bytes().replace(line, line + extra, 1))
        refuse(mirror, vault, bundle, "IMP-6/ref-name")


def test_a_ref_to_an_object_that_the_bundle_lacks_is_refused(
    mirror: GitMirror, vault: Path, work: Repository
) -> None:
    bundle = work.bundle("main.bundle", "main")
    line = f"{work.head} refs/heads/main\n".encode()
    extra = f"{'1' * 40} refs/heads/other\n".encode()
    bundle.write_bytes(bundle.read_bytes().replace(line, line + extra, 1))
    refuse(mirror, vault, bundle, "IMP-6/bad-bundle")


def test_filtered_bundles_are_refused(mirror: GitMirror, vault: Path, work: Repository) -> None:
    filtered = work.bundle("f.bundle", "--filter=blob:none", "main")
    refuse(mirror, vault, filtered, "IMP-6/capability")


def test_a_bundle_larger_than_the_cap_is_refused_unread(
    mirror: GitMirror, vault: Path, work: Repository
) -> None:
    bundle = work.full_bundle()
    os.truncate(bundle, MAX_BUNDLE_BYTES + 1)  # sparse
    refuse(mirror, vault, bundle, "IMP-6/not-a-bundle")


def test_links_pipes_and_folders_are_not_opened(
    mirror: GitMirror, vault: Path, work: Repository, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(work.full_bundle())
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "work", "missing"):
        with pytest.raises(SignerError):
            mirror.take_bundle(tmp_path / name)


# --- nobody's code runs -------------------------------------------------------------------


def booby_trap(repository: Path, canary: Path) -> None:
    """Make everything in a git folder touch ``canary`` as soon as git looks at it."""
    script = repository / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {canary}\n")
    script.chmod(0o755)
    hooks = repository / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("reference-transaction", "post-update", "pre-receive", "update", "post-checkout"):
        shutil.copy(script, hooks / hook)
    with (repository / "config").open("a") as config:
        config.write(
            f"[core]\n\tfsmonitor = {script}\n\tpager = {script}\n\thooksPath = {hooks}\n"
            f"\tsshCommand = {script}\n\talternateRefsCommand = {script}\n"
            f"[uploadpack]\n\tpackObjectsHook = {script}\n"
            f'[filter "x"]\n\tsmudge = {script}\n\tclean = {script}\n'
            f"[gpg]\n\tprogram = {script}\n"
        )


def test_the_trap_of_these_tests_works(work: Repository, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    booby_trap(work.path / ".git", canary)
    git(work.path, "update-ref", "refs/heads/x", "HEAD")
    assert canary.exists()


def test_a_git_folder_beside_the_bundle_is_never_looked_at(
    mirror: GitMirror, work: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    medium = tmp_path / "medium"
    medium.mkdir()
    shutil.copy(work.full_bundle(), medium / "release.bundle")
    shutil.copytree(work.path / ".git", medium / ".git")
    canary = tmp_path / "canary"
    booby_trap(medium / ".git", canary)
    monkeypatch.chdir(medium)
    mirror.take_bundle(medium / "release.bundle")
    mirror.describe_commit(mirror.find_commit(None, "main"), "v1.0.0", None)
    assert not canary.exists()


def test_a_file_that_points_at_a_repository_is_not_followed(
    mirror: GitMirror, vault: Path, work: Repository, tmp_path: Path
) -> None:
    """`git fetch FILE` follows a ``gitdir:`` line into the stranger's repository."""
    canary = tmp_path / "canary"
    booby_trap(work.path / ".git", canary)
    pointer = tmp_path / "release.bundle"
    pointer.write_text(f"gitdir: {work.path / '.git'}\n")
    refuse(mirror, vault, pointer, "IMP-6/not-a-bundle")
    assert not canary.exists()


def test_settings_and_hooks_of_the_environment_and_the_mirror_itself_do_not_run(
    mirror: GitMirror,
    work: Repository,
    signer: StockSigner,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mirror._git.make_if_missing()
    canary = tmp_path / "canary"
    booby_trap(mirror._git.repository, canary)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(f"[core]\n\thooksPath = {mirror._git.repository / 'hooks'}\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", str(work.path / ".git"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    mirror.take_bundle(work.full_bundle())
    mirror.describe_commit(work.head, "v1.0.0", None)
    mirror.write_tag(signed_tag(work.head, signer), "v1.0.0")
    mirror.bundle_tag("v1.0.0")
    mirror.delete_tag("v1.0.0")
    assert not canary.exists()


def test_a_mirror_that_calls_itself_a_partial_clone_fetches_nothing(
    mirror: GitMirror, work: Repository, tmp_path: Path
) -> None:
    """Asked for an object that is missing, git would run a command of the mirror's own config."""
    mirror.take_bundle(work.full_bundle())
    canary = tmp_path / "canary"
    with (mirror._git.repository / "config").open("a") as config:
        config.write(
            "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tpartialClone = origin\n"
            f'[remote "origin"]\n\tpromisor = true\n\turl = "ext::touch {canary}"\n'
            '[protocol "ext"]\n\tallow = always\n'
        )
    with pytest.raises(SignerError):
        mirror.find_commit("a" * 40, "main")
    assert not canary.exists()


@pytest.mark.parametrize("how", ["grafts", "shallow", "replace"])
def test_nothing_in_the_mirror_rewrites_who_descends_from_whom(
    mirror: GitMirror, work: Repository, how: str
) -> None:
    stranger = work.git("commit-tree", "-m", "Stranger", "HEAD^{tree}")
    work.git("update-ref", "refs/heads/stranger", stranger)
    mirror.take_bundle(work.bundle("r.bundle", "HEAD", "main", "stranger"))
    repository = mirror._git.repository
    if how == "grafts":
        (repository / "info").mkdir(exist_ok=True)
        (repository / "info" / "grafts").write_text(f"{stranger} {work.head}\n")
    elif how == "shallow":
        (repository / "shallow").write_text(f"{work.head}\n")
    else:
        git(repository, "replace", "--graft", stranger, work.head)
    assert not mirror.describe_commit(stranger, "v1.0.0", work.head).descends_from_previous
    parent = work.git("rev-parse", "HEAD~1")
    assert mirror.describe_commit(work.head, "v1.0.0", parent).descends_from_previous


def test_replace_refs_in_a_bundle_change_nothing(mirror: GitMirror, work: Repository) -> None:
    fake = work.git("commit-tree", "-m", "Innocent", "HEAD^{tree}")
    work.git("update-ref", f"refs/replace/{work.head}", fake)
    mirror.take_bundle(work.bundle("r.bundle", "HEAD", "main", f"refs/replace/{work.head}"))
    assert mirror.describe_commit(work.head, "v1.0.0", None).subject == "Change 3"


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


# --- the tag ------------------------------------------------------------------------------


def test_git_verify_tag_and_fsck_accept_the_written_tag(
    mirror: GitMirror, vault: Path, work: Repository, signer: StockSigner
) -> None:
    mirror.take_bundle(work.full_bundle())
    tag = signed_tag(work.head, signer)
    oid = mirror.write_tag(tag, "v1.0.0")
    stock = vault / "repo.git"
    assert git(stock, "cat-file", "tag", "v1.0.0").stdout == tag
    verified = git(stock, "verify-tag", "--raw", "v1.0.0", environment=signer.environment)
    assert b"GOODSIG" in verified.stderr
    git(stock, "fsck", "--strict")
    assert mirror.describe_commit(work.head, "v1.0.0", None).existing_tag_oid == oid
    assert mirror.write_tag(tag, "v1.0.0") == oid


def test_the_exported_bundle_brings_the_tag_into_a_clone(
    mirror: GitMirror, work: Repository, signer: StockSigner, tmp_path: Path
) -> None:
    mirror.take_bundle(work.full_bundle())
    tag = signed_tag(work.head, signer)
    oid = mirror.write_tag(tag, "v1.0.0")
    bundle = mirror.bundle_tag("v1.0.0")
    found = parse_tag_bundle(bundle)
    assert (found.prerequisite_oid, found.tag_oid, found.tag_object) == (work.head, oid, tag)
    assert len(bundle) < 1000
    exported = tmp_path / "tag.bundle"
    exported.write_bytes(bundle)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", work.path, clone)
    git(clone, "fetch", "-q", exported, "refs/tags/*:refs/tags/*")
    verified = git(clone, "verify-tag", "--raw", "v1.0.0", environment=signer.environment)
    assert b"GOODSIG" in verified.stderr
    assert git(clone, "rev-parse", "v1.0.0^{commit}").stdout.decode().strip() == work.head
    empty = make_repository(tmp_path / "empty", commits=1)
    refused = git(empty.path, "bundle", "verify", exported, check=False)
    assert refused.returncode != 0
    assert work.head.encode() in refused.stderr


def test_a_taken_tag_name_is_never_overwritten(
    mirror: GitMirror, work: Repository, signer: StockSigner
) -> None:
    mirror.take_bundle(work.full_bundle())
    first = signed_tag(work.head, signer)
    oid = mirror.write_tag(first, "v1.0.0")
    other = signed_tag(work.git("rev-parse", "HEAD~1"), signer)
    with pytest.raises(PolicyRefused, match="POL-5/tag-taken"):
        mirror.write_tag(other, "v1.0.0")
    assert parse_tag_bundle(mirror.bundle_tag("v1.0.0")).tag_oid == oid


def test_a_tag_that_the_bundle_brings_takes_the_name(mirror: GitMirror, work: Repository) -> None:
    work.git("tag", "-a", "-m", "x", "v1.0.0")
    mirror.take_bundle(work.bundle("t.bundle", "HEAD", "main", "v1.0.0"))
    commit = mirror.describe_commit(work.head, "v1.0.0", None)
    assert commit.existing_tag_oid == work.git("rev-parse", "v1.0.0")


def test_another_releases_tag_is_not_written_under_this_name(
    mirror: GitMirror, work: Repository, signer: StockSigner
) -> None:
    mirror.take_bundle(work.full_bundle())
    with pytest.raises(FormatError, match="SIG-4/other-name"):
        mirror.write_tag(signed_tag(work.head, signer, "v1.0.0"), "v2.0.0")
    with pytest.raises(PolicyRefused, match="EXP-1/no-tag"):
        mirror.bundle_tag("v2.0.0")


def test_a_tag_ref_that_was_swapped_is_not_exported(
    mirror: GitMirror, vault: Path, work: Repository, signer: StockSigner
) -> None:
    mirror.take_bundle(work.full_bundle())
    oid = mirror.write_tag(signed_tag(work.head, signer), "v1.0.0")
    git(vault / "repo.git", "update-ref", "refs/tags/v2.0.0", oid)
    with pytest.raises(FormatError, match="SIG-4/other-name"):
        mirror.bundle_tag("v2.0.0")


def test_a_tag_of_an_unknown_or_other_object_is_refused(
    mirror: GitMirror, work: Repository, signer: StockSigner
) -> None:
    mirror.take_bundle(work.full_bundle())
    for target in ("f" * 40, work.git("rev-parse", "HEAD^{tree}")):
        with pytest.raises(PolicyRefused, match="POL-5/not-a-commit"):
            mirror.write_tag(signed_tag(target, signer), "v1.0.0")


def test_a_tag_can_be_taken_back_and_only_that_one(
    mirror: GitMirror, work: Repository, signer: StockSigner
) -> None:
    mirror.take_bundle(work.full_bundle())
    mirror.write_tag(signed_tag(work.head, signer), "v1.0.0")
    mirror.write_tag(signed_tag(work.head, signer, "v1.0.0-rc.1"), "v1.0.0-rc.1")
    mirror.delete_tag("v1.0.0")
    mirror.delete_tag("v1.0.0")
    assert mirror.describe_commit(work.head, "v1.0.0", None).existing_tag_oid is None
    assert mirror.describe_commit(work.head, "v1.0.0-rc.1", None).existing_tag_oid
    with pytest.raises(FormatError, match="SIG-4/tag-name"):
        mirror.delete_tag("../heads/main")
