"""Bundles that are damaged, incomplete or no bundle are refused, and change nothing (IMP-6).

Those that no honest git would make are in ``test_hostile_bundles.py``.
"""

import os
from pathlib import Path

import pytest

from pai_signer.adapters.git import GitMirror
from pai_signer.adapters.git_import import MAX_BUNDLE_BYTES
from pai_signer.errors import FormatError, PolicyRefused, SignerError
from tests.adapters.git.mirrors import refuse
from tests.repository import Repository, git


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
