"""git runs nobody's code: no hook, filter, setting or pointer of a stranger is followed (IMP-6).

Nor does the mirror's own folder rewrite who descends from whom.
"""

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Final

import pytest

from pai_signer.adapters.git import GitMirror
from pai_signer.errors import SignerError
from tests.adapters.git.mirrors import booby_trap, refuse, signed_tag, state_of
from tests.repository import Repository, StockSigner, git


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
