"""Bundles that no honest git would make: bounded, refused, and nothing of theirs runs (IMP-6).

Bombs are made by hand (tests/packs.py). Each refusal leaves the mirror as it was, no process
takes more memory than it may, and no file grows beyond the bundle.
"""

import hashlib
import re
import resource
import subprocess
import sys
import textwrap
from pathlib import Path
from time import monotonic
from typing import Final

import pytest

from pai_signer.adapters import git_command
from pai_signer.adapters.git import GitMirror
from pai_signer.domain.tag import object_id
from pai_signer.errors import SignerError
from tests import packs
from tests.adapters.test_git import booby_trap, refuse, state_of
from tests.repository import Repository, make_repository

#: Far above what git takes for any of these, far below what they say that they are.
MOST_KILOBYTES: Final = 1 << 20
SECONDS: Final = 60
COMMIT: Final = "tree {tree}\nauthor A <a@x> 1 +0000\ncommitter A <a@x> 1 +0000\n\n"
EMPTY_TREE: Final = object_id("tree", b"")


@pytest.fixture
def work(tmp_path: Path) -> Repository:
    return make_repository(tmp_path / "work", commits=1)


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    path = tmp_path / "vault"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def mirror(vault: Path) -> GitMirror:
    return GitMirror(vault)


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


# --- trees ------------------------------------------------------------------------------------


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


# --- submodules ---------------------------------------------------------------------------------

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


# --- refs --------------------------------------------------------------------------------------


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


# --- nothing of theirs runs ---------------------------------------------------------------------


def armed(work: Repository) -> str:
    """A commit whose tree is full of what git obeys in a work tree, under a signature."""
    for name, text in {
        ".gitattributes": "* filter=x diff=x merge=x export-subst ident text=auto\n",
        ".gitconfig": "[core]\n\thooksPath = .\n",
        ".mailmap": "Somebody Else <else@example.org> Ada Author <ada@example.org>\n",
        ".gitignore": "*\n",
        ".lfsconfig": "[lfs]\n\turl = https://example.org\n",
        "post-checkout": "#!/bin/sh\ntouch canary\n",
        "file.txt": "changed\n",
    }.items():
        (work.path / name).write_text(text)
    work.git("add", "-f", ".")
    tree = work.git("write-tree")
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n iHUE\n -----END PGP SIGNATURE-----\n"
    text = (
        f"tree {tree}\nparent {work.head}\nauthor Ada Author <ada@example.org> 1700000000 +0000\n"
    )
    text += f"committer Carl <carl@example.org> 1700000000 +0000\n{signature}\nArmed\n"
    oid = work.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=text.encode())
    work.git("update-ref", "refs/heads/main", oid)
    return oid


def test_attributes_filters_mailmaps_and_signatures_in_a_tree_are_only_bytes(
    mirror: GitMirror, vault: Path, work: Repository, tmp_path: Path
) -> None:
    oid, canary = armed(work), tmp_path / "canary"
    mirror._git.make_if_missing()
    repository = mirror._git.repository
    booby_trap(repository, canary)
    (repository / "info").mkdir(exist_ok=True)
    (repository / "info" / "attributes").write_text("* filter=x diff=x\n")
    with (repository / "config").open("a") as config:
        script = repository / "evil.sh"
        config.write(f'[diff "x"]\n\ttextconv = {script}\n\tcommand = {script}\n')
        config.write(f"[log]\n\tshowSignature = true\n[gpg]\n\tprogram = {script}\n")
        config.write(f"[credential]\n\thelper = {script}\n[alias]\n\tlog = !{script}\n")
    mirror.take_bundle(work.full_bundle())
    commit = mirror.describe_commit(mirror.find_commit(None, "main"), "v1.0.0", None)
    assert (commit.oid, commit.author) == (oid, "Ada Author <ada@example.org>")
    assert not canary.exists()


PROGRAM: Final = textwrap.dedent("""
    import sys
    from pathlib import Path
    from pai_signer.adapters.git import GitMirror
    mirror = GitMirror(Path(sys.argv[1]))
    mirror.take_bundle(Path(sys.argv[2]))
    mirror.describe_commit(mirror.find_commit(None, "main"), "v1.0.0", None)
""")


def test_only_git_itself_is_ever_started_and_nothing_is_written_elsewhere(
    vault: Path, work: Repository, tmp_path: Path
) -> None:
    """Every program and every written file of an import of the armed commit, by strace."""
    armed(work)
    log = tmp_path / "log"
    subprocess.run(
        [
            *("strace", "-f", "-qq", "-s", "300", "-e", "signal=none", "-o", str(log)),
            *("-e", "trace=execve,openat,connect", sys.executable, "-IB", "-c"),
            *(f"import sys; sys.path[:0] = {sys.path!r}\n{PROGRAM}", vault, work.full_bundle()),
        ],
        check=True,
        capture_output=True,
    )
    calls = [line for line in log.read_text().splitlines() if not re.search(r" = -1 E\w+", line)]
    started = {m[1] for line in calls if (m := re.search(r'execve\("([^"]+)"', line))}
    assert started - {sys.executable} <= {
        *("/usr/bin/git", "/usr/lib/git-core/git", "/usr/bin/prlimit")
    }
    assert "/usr/bin/git" in started
    assert not [line for line in calls if "connect(" in line]
    writing = re.compile(r'openat\([^,]+, "([^"]+)", [^)]*O_(?:WRONLY|RDWR)')
    written = {m[1] for line in calls if (m := writing.search(line))}
    outside = {p for p in written if not p.startswith(("/dev/null", str(vault)))}
    assert {p for p in outside if p.startswith("/")} == set()
    assert state_of(vault)
