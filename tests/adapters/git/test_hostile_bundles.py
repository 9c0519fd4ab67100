"""Bundles that no honest git would make are bounded and refused (IMP-6).

Bombs are made by hand (tests/packs.py). Each refusal leaves the mirror as it was, no process
takes more memory than it may, and no file grows beyond the bundle.
"""

import hashlib
import resource
from pathlib import Path
from time import monotonic
from typing import Final

import pytest

from pai_signer.adapters import git_command
from pai_signer.adapters.git import GitMirror
from pai_signer.domain.tag import object_id
from pai_signer.errors import SignerError
from tests import packs
from tests.adapters.git.mirrors import refuse
from tests.repository import Repository, make_repository

#: Far above what git takes for any of these, far below what they say that they are.
MOST_KILOBYTES: Final = 1 << 20
SECONDS: Final = 60
COMMIT: Final = "tree {tree}\nauthor A <a@x> 1 +0000\ncommitter A <a@x> 1 +0000\n\n"
EMPTY_TREE: Final = object_id("tree", b"")


@pytest.fixture
def work(tmp_path: Path) -> Repository:
    return make_repository(tmp_path / "work", commits=1)


# --- bombs --------------------------------------------------------------------------------


def kilobytes_taken() -> int:
    """The most that any child of this process ever took; other tests may have started it."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def bombed(mirror: GitMirror, vault: Path, bundle: Path) -> SignerError:
    """Refused soon, with the mirror as it was and no process that took more than it may."""
    began, taken = monotonic(), kilobytes_taken()
    error = refuse(mirror, vault, bundle, "IMP-6/bomb")
    assert monotonic() - began < SECONDS
    assert kilobytes_taken() <= max(taken, MOST_KILOBYTES)
    return error


@pytest.mark.parametrize("kind", [packs.COMMIT, packs.TREE, packs.TAG])
def test_an_object_of_gigabytes_in_kilobytes_is_refused(
    mirror: GitMirror, vault: Path, tmp_path: Path, kind: int
) -> None:
    start = COMMIT.format(tree=EMPTY_TREE).encode()
    path = packs.bundle(tmp_path / "bomb.bundle", "1" * 40, [packs.zeros(kind, start, 192)])
    assert path.stat().st_size < 8 << 20
    error = bombed(mirror, vault, path)
    assert "1 GiB" in error.summary


def test_a_delta_that_says_it_is_terabytes_is_refused(
    mirror: GitMirror, vault: Path, tmp_path: Path
) -> None:
    base = bytes(1 << 20)
    objects = [packs.whole(packs.BLOB, base), packs.delta_bomb(base, 1 << 20)]
    path = packs.bundle(tmp_path / "bomb.bundle", "1" * 40, objects)
    assert path.stat().st_size < 1 << 20
    bombed(mirror, vault, path)


def test_a_pack_that_claims_two_billion_objects_is_refused(
    mirror: GitMirror, vault: Path, tmp_path: Path
) -> None:
    path = packs.bundle(tmp_path / "bomb.bundle", "1" * 40, [], count=2**31 - 1)
    bombed(mirror, vault, path)
    path = packs.bundle(tmp_path / "overflow.bundle", "1" * 40, [], count=2**32 - 1)
    refuse(mirror, vault, path, "IMP-6/bad-bundle")


def test_a_large_blob_is_never_unpacked(mirror: GitMirror, vault: Path, tmp_path: Path) -> None:
    """It is lawful, and streamed: neither memory nor disk sees its zeros."""
    blob = packs.zeros(packs.BLOB, b"", 8)
    taken = kilobytes_taken()
    blob_oid = hashed_zeros(8)
    entry = b"100644 zeros\0" + bytes.fromhex(blob_oid)
    tree = object_id("tree", entry)
    commit = COMMIT.format(tree=tree).encode()
    oid = object_id("commit", commit)
    objects = [blob, packs.whole(packs.TREE, entry), packs.whole(packs.COMMIT, commit)]
    bundle = packs.bundle(tmp_path / "large.bundle", oid, objects)
    mirror.take_bundle(bundle)
    assert mirror.describe_commit(oid, "v1.0.0", None).oid == oid
    stored = sum(p.stat().st_size for p in (vault / "repo.git").rglob("*") if p.is_file())
    assert stored < bundle.stat().st_size + (64 << 10)
    assert kilobytes_taken() <= max(taken, 100 << 10)


def hashed_zeros(pieces: int) -> str:
    digest = hashlib.sha1(b"blob %d\0" % (pieces * (16 << 20)), usedforsecurity=False)
    piece = bytes(16 << 20)
    for _ in range(pieces):
        digest.update(piece)
    return digest.hexdigest()


def test_a_tree_of_trees_of_trees_takes_no_longer_than_its_objects(
    mirror: GitMirror, tmp_path: Path
) -> None:
    """Ten names for one tree, ten levels deep: ten billion paths, and twelve objects."""
    blob = b"x"
    entry, objects = b"100644", [packs.whole(packs.BLOB, blob)]
    oid = object_id("blob", blob)
    for _ in range(10):
        content = b"".join(entry + b" %d\0" % n + bytes.fromhex(oid) for n in range(10))
        objects.append(packs.whole(packs.TREE, content))
        entry, oid = b"40000", object_id("tree", content)
    commit = COMMIT.format(tree=oid).encode()
    objects.append(packs.whole(packs.COMMIT, commit))
    head = object_id("commit", commit)
    began = monotonic()
    mirror.take_bundle(packs.bundle(tmp_path / "tree.bundle", head, objects))
    assert mirror.describe_commit(head, "v1.0.0", None).oid == head
    assert monotonic() - began < SECONDS


def test_git_is_always_limited(mirror: GitMirror, vault: Path, work: Repository) -> None:
    """The limit is in the process itself, and in what it starts."""
    mirror.take_bundle(work.full_bundle())
    shown = mirror._git.run("-c", "alias.limit=!ulimit -v", "limit").stdout
    assert int(shown) * 1024 == git_command.MEMORY_BYTES


# --- trees --------------------------------------------------------------------------------


def one_entry(name: bytes, mode: bytes = b"100644", oid: str | None = None) -> list[bytes]:
    """A commit with one entry in its tree, as objects; the commit is the last."""
    blob = packs.whole(packs.BLOB, b"x")
    target = bytes.fromhex(oid if oid is not None else object_id("blob", b"x"))
    return [blob, *_commit_of(mode + b" " + name + b"\0" + target)]


def _commit_of(tree: bytes) -> list[bytes]:
    commit = COMMIT.format(tree=object_id("tree", tree)).encode()
    return [packs.whole(packs.TREE, tree), packs.whole(packs.COMMIT, commit)]


def head_of(tree: bytes) -> str:
    return object_id("commit", COMMIT.format(tree=object_id("tree", tree)).encode())


HOSTILE_NAMES: Final = {
    "dot": b".",
    "parent": b"..",
    "git": b".git",
    "git in capitals": b".GIT",
    "git in both": b".gIt",
    "git with a dot": b".git.",
    "git with a space": b".git ",
    "short name of git": b"GIT~1",
    "git with an unseen letter": ".g\u200cit".encode(),
    "git with a stream": b".git::$INDEX_ALLOCATION",
    "slash": b"a/b",
    "absolute": b"/etc/passwd",
    "empty": b"",
}


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
def test_a_tree_with_a_name_that_leads_elsewhere_is_refused(
    mirror: GitMirror, vault: Path, tmp_path: Path, name: bytes
) -> None:
    tree = b"100644 " + name + b"\0" + bytes.fromhex(object_id("blob", b"x"))
    path = packs.bundle(tmp_path / "t.bundle", head_of(tree), one_entry(name))
    refuse(mirror, vault, path, "IMP-6/bad-bundle")


BLOB_OID: Final = bytes.fromhex(object_id("blob", b"x"))
BAD_TREES: Final = {
    "a name twice": b"100644 a\0" + BLOB_OID + b"100644 a\0" + BLOB_OID,
    "a file and a folder": b"100644 a\0" + BLOB_OID + b"40000 a\0" + BLOB_OID,
    "not sorted": b"100644 b\0" + BLOB_OID + b"100644 a\0" + BLOB_OID,
    "cut off": b"100644 a\0" + BLOB_OID[:10],
    "nothing there": b"100644 a\0" + bytes(20),
    "mode in another spelling": b"0100644 a\0" + BLOB_OID,
    "no mode": b" a\0" + BLOB_OID,
}


@pytest.mark.parametrize("tree", BAD_TREES.values(), ids=BAD_TREES)
def test_a_malformed_tree_is_refused(
    mirror: GitMirror, vault: Path, tmp_path: Path, tree: bytes
) -> None:
    objects = [packs.whole(packs.BLOB, b"x"), *_commit_of(tree)]
    path = packs.bundle(tmp_path / "t.bundle", head_of(tree), objects)
    refuse(mirror, vault, path, "IMP-6/bad-bundle")


def test_a_commit_with_a_forged_header_is_refused(
    mirror: GitMirror, vault: Path, tmp_path: Path
) -> None:
    good = COMMIT.format(tree=EMPTY_TREE)
    for bad in (
        good.replace("author", "Author"),
        good.replace("A <a@x>", "A a@x"),
        good.replace(" 1 +0000", " 99999999999999999999 +0000"),
        good.replace("tree ", "tree  "),
        good.replace("\n\n", "\0\n\n"),
    ):
        objects = [packs.whole(packs.TREE, b""), packs.whole(packs.COMMIT, bad.encode())]
        path = packs.bundle(tmp_path / "c.bundle", object_id("commit", bad.encode()), objects)
        refuse(mirror, vault, path, "IMP-6/bad-bundle")


# --- submodules ---------------------------------------------------------------------------


EVIL_MODULES: Final = {
    "option as address": '[submodule "x"]\n\tpath = x\n\turl = --upload-pack=touch${IFS}canary\n',
    "option as path": '[submodule "x"]\n\tpath = -x\n\turl = https://example.org/x\n',
    "path as name": '[submodule "../../hooks"]\n\tpath = x\n\turl = https://example.org/x\n',
    "command": '[submodule "x"]\n\tpath = x\n\tupdate = !touch canary\n\turl = https://x.org/x\n',
}


@pytest.mark.parametrize("text", EVIL_MODULES.values(), ids=EVIL_MODULES)
def test_a_submodule_that_would_run_something_is_refused(
    mirror: GitMirror, vault: Path, work: Repository, text: str
) -> None:
    (work.path / ".gitmodules").write_text(text)
    work.git("add", ".gitmodules")
    work.git("commit", "-q", "-m", "modules")
    refuse(mirror, vault, work.full_bundle(), "IMP-6/bad-bundle")


def test_a_list_of_submodules_that_is_a_link_is_refused(
    mirror: GitMirror, vault: Path, work: Repository
) -> None:
    blob = work.git("hash-object", "-w", "--stdin", stdin=b"/etc/passwd")
    tree = work.git("mktree", stdin=f"120000 blob {blob}\t.gitmodules\n".encode())
    work.git("branch", "bad", work.git("commit-tree", "-m", "bad", tree))
    refuse(mirror, vault, work.bundle("bad.bundle", "bad"), "IMP-6/bad-bundle")


def test_a_plain_submodule_is_a_number_and_nothing_is_fetched(
    mirror: GitMirror, vault: Path, tmp_path: Path
) -> None:
    """The commit that it names is in no pack, and nobody looks for it."""
    tree = b"160000 module\0" + bytes.fromhex("5" * 40)
    mirror.take_bundle(packs.bundle(tmp_path / "s.bundle", head_of(tree), _commit_of(tree)))
    assert mirror.describe_commit(head_of(tree), "v1.0.0", None).oid == head_of(tree)
    assert not (vault / "repo.git" / "modules").exists()


# --- refs ---------------------------------------------------------------------------------


def test_refs_outside_of_heads_and_tags_go_nowhere(
    mirror: GitMirror, vault: Path, work: Repository
) -> None:
    strange = ("refs/notes/commits", "refs/remotes/origin/HEAD", "refs/bisect/bad", "refs/stash/x")
    for ref in (*strange, "refs/HEADS/main", "refs/import/HEAD"):
        work.git("update-ref", ref, "HEAD")
    mirror.take_bundle(work.bundle("r.bundle", "--all"))
    assert set(mirror._git.refs("refs/")) == {"refs/import/heads/main", "refs/import/HEAD"}
    assert not (vault / "repo.git" / "logs").exists()


def test_names_that_differ_only_in_case_stay_apart(mirror: GitMirror, work: Repository) -> None:
    first = work.head
    work.git("branch", "release")
    second = work.commit("Change 2")
    work.git("branch", "RELEASE")
    mirror.take_bundle(work.bundle("r.bundle", "HEAD", "release", "RELEASE"))
    assert mirror.find_commit("release", "main") == first
    assert mirror.find_commit("RELEASE", "main") == second


def test_a_bundle_cannot_bring_the_tag_that_is_to_be_signed(
    mirror: GitMirror, work: Repository
) -> None:
    work.git("tag", "v1.0.0")
    mirror.take_bundle(work.bundle("r.bundle", "HEAD", "v1.0.0"))
    assert mirror._git.refs("refs/tags/") == {}
    assert mirror.describe_commit(work.head, "v1.0.0", None).existing_tag_oid == work.head
