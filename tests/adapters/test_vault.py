"""The vault is private, whole after a crash at any point, and used by one process at a time."""

import errno
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from pai_signer.adapters import durable
from pai_signer.adapters.vault import Vault
from pai_signer.adapters.vault_files import (
    MAX_FILE_BYTES,
    FileRegistry,
    FileReleases,
    FileStates,
    read_bounded,
)
from pai_signer.domain.vault_info import VaultInfo, encode_vault_info, parse_vault_info
from pai_signer.errors import CannotTell, FormatError, PolicyRefused, SignerError, UsageError

INFO = VaultInfo(
    project="PAI",
    maintainer_name="Mia Maintainer",
    maintainer_email="mia@example.org",
    created_at=datetime(2026, 11, 23, 18, 41, 5, tzinfo=UTC),
)
PROFILE = b'[project]\nname = "PAI"\n'
HOSTILE_NAMES = [
    "",
    ".",
    "..",
    "../x",
    "a/b",
    "/etc/x",
    ".hidden",
    "-x",
    "a\n",
    "a\0",
    "é",
    "x" * 201,
]


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.create(tmp_path / "vault", PROFILE, INFO)


# --- making and opening -------------------------------------------------------------------


def test_a_new_vault_is_private_and_opens_again(vault: Vault) -> None:
    again = Vault.open(vault.path)
    assert again == vault
    assert (again.info, again.profile_toml) == (INFO, PROFILE)
    assert vault.path.stat().st_mode & 0o777 == 0o700
    for file in vault.path.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
    assert parse_vault_info((vault.path / "vault.json").read_bytes()) == INFO


def test_a_vault_is_never_made_over_another_or_over_files(vault: Vault, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="SEC-2/vault-exists"):
        Vault.create(vault.path, b"", INFO)
    assert Vault.open(vault.path).profile_toml == PROFILE
    full = tmp_path / "full"
    full.mkdir(mode=0o700)
    (full / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="SEC-2/vault-not-empty"):
        Vault.create(full, PROFILE, INFO)
    assert [p.name for p in full.iterdir()] == ["letter.txt"]


def test_an_interrupted_creation_is_no_vault_and_is_completed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_create = durable.create
    for allowed in range(4):
        path = tmp_path / f"vault{allowed}"
        left = allowed

        def create(target: Path, data: bytes, *, mode: int = 0o600) -> None:
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            real_create(target, data, mode=mode)

        monkeypatch.setattr(durable, "create", create)
        with pytest.raises(KeyboardInterrupt):
            Vault.create(path, PROFILE, INFO)
        monkeypatch.setattr(durable, "create", real_create)
        with pytest.raises(UsageError, match="SEC-2/no-vault"):
            Vault.open(path)
        assert Vault.create(path, PROFILE, INFO).info == INFO


@pytest.mark.parametrize("name", ["profile.toml", "journal.head", "journal.jsonl"])
def test_somebodys_own_file_under_one_of_our_names_is_never_written_over(
    tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir(mode=0o700)
    (folder / name).write_bytes(b"the only copy")
    with pytest.raises(UsageError, match="SEC-2/vault-not-empty"):
        Vault.create(folder, PROFILE, INFO)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {name: b"the only copy"}


def test_of_two_creations_at_once_one_is_kept_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real_create = tmp_path / "vault", durable.create
    refused: list[str] = []

    def create(target: Path, data: bytes, *, mode: int = 0o600) -> None:
        monkeypatch.setattr(durable, "create", real_create)
        with pytest.raises(CannotTell) as error:
            Vault.create(path, PROFILE, INFO)
        refused.append(error.value.code)
        real_create(target, data, mode=mode)

    monkeypatch.setattr(durable, "create", create)
    assert Vault.create(path, PROFILE, INFO).info == INFO
    assert refused == ["JRN-1/vault-in-use"]


def test_a_journal_with_entries_is_never_removed_by_a_new_creation(vault: Vault) -> None:
    (vault.path / "vault.json").unlink()
    (vault.path / "journal.jsonl").write_bytes(b"evidence\n")
    with pytest.raises(UsageError, match="SEC-2/vault-not-empty"):
        Vault.create(vault.path, PROFILE, INFO)
    assert (vault.path / "journal.jsonl").read_bytes() == b"evidence\n"


@pytest.mark.parametrize("mode", [0o701, 0o710, 0o704, 0o770, 0o755, 0o777])
def test_a_vault_that_others_can_look_into_is_refused(vault: Vault, mode: int) -> None:
    vault.path.chmod(mode)
    with pytest.raises(PolicyRefused, match="SEC-2/vault-open"):
        Vault.open(vault.path)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="giving a folder away needs root")
def test_a_vault_of_another_user_is_refused(vault: Vault) -> None:
    os.chown(vault.path, 12345, -1)
    with pytest.raises(PolicyRefused, match="SEC-2/vault-owner"):
        Vault.open(vault.path)


def test_a_link_or_a_file_is_not_a_vault(vault: Vault, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(vault.path)
    file = tmp_path / "file"
    file.write_text("x")
    for path in (link, file):
        with pytest.raises(PolicyRefused, match="SEC-2/vault-link"):
            Vault.open(path)
    with pytest.raises(SignerError):
        Vault.create(link, PROFILE, INFO)


def test_where_there_is_none_the_message_says_how_to_make_one(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir(mode=0o700)
    for path in (empty, tmp_path / "missing"):
        with pytest.raises(UsageError, match="SEC-2/no-vault") as caught:
            Vault.open(path)
        assert "pai-signer init" in caught.value.hint


def test_links_inside_the_vault_are_not_followed(vault: Vault, tmp_path: Path) -> None:
    aside = tmp_path / "aside.json"
    (vault.path / "vault.json").rename(aside)
    (vault.path / "vault.json").symlink_to(aside)
    with pytest.raises(SignerError):
        Vault.open(vault.path)


def test_a_missing_profile_is_damage_not_absence(vault: Vault) -> None:
    (vault.path / "profile.toml").unlink()
    with pytest.raises(CannotTell, match="SEC-2/vault-damaged"):
        Vault.open(vault.path)


@pytest.mark.parametrize(
    "change",
    [
        (b'"format": 1', b'"format": 2'),
        (b'"rehearsal": false', b'"rehearsal": 0'),
        (b'"rehearsal": false', b'"rehearsal": false, "extra": 1'),
        (b"Mia Maintainer", b"Mia\\nMaintainer"),
        (b"mia@example.org", b"mia@example.org> x"),
        (b"05Z", b"05+01:00"),
        (b"05Z", b"05.5Z"),
        (b"05Z", b"05"),
        (b"{", b"{ "),
        (b"}\n", b"}"),
        (b"}\n", b""),
    ],
)
def test_vault_json_is_read_strictly(change: tuple[bytes, bytes]) -> None:
    data = encode_vault_info(INFO)
    assert change[0] in data
    with pytest.raises(FormatError):
        parse_vault_info(data.replace(*change))


def test_an_identity_that_could_forge_a_field_makes_no_vault(tmp_path: Path) -> None:
    there = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    for changes in ({"maintainer_name": "M\n"}, {"maintainer_email": "x"}, {"created_at": there}):
        info = VaultInfo(**{**{f: getattr(INFO, f) for f in INFO.__struct_fields__}, **changes})
        with pytest.raises(FormatError):
            Vault.create(tmp_path / "vault", PROFILE, info)
    assert not (tmp_path / "vault").exists()


# --- one process at a time ----------------------------------------------------------------

HOLDER = """
import sys
from pathlib import Path
from pai_signer.adapters.vault import Vault
with Vault.open(Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_told_who_holds_the_vault(vault: Vault) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(vault.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(CannotTell, match="JRN-1/vault-in-use") as caught, vault.lock():
            pytest.fail("two processes hold the vault")
        assert str(holder.pid) in caught.value.summary
        holder.kill()
    # The dead holder's number is still in the file, and bars nobody.
    with vault.lock():
        assert (vault.path / "vault.lock").read_text() == f"{os.getpid()}\n"
    with vault.lock():
        pass


def test_what_a_killed_process_left_under_temporary_names_is_gone_at_the_next_start(
    vault: Vault,
) -> None:
    FileReleases(vault.path).stage("v1.0.0", {"SHA256SUMS": b"signed"})
    left = ".pai-signer-0123456789ab.tmp"
    inner = vault.path / "releases" / "v1.0.0"
    (vault.path / left).write_bytes(b"half")
    (inner / left).mkdir()
    (inner / left / "SHA256SUMS").write_bytes(b"half")
    secret = vault.path / "keys" / "gnupg" / "private-keys-v1.d" / left
    secret.parent.mkdir(parents=True)
    secret.write_bytes(b"half of a secret key")
    foreign = vault.path / "repo.git" / left
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_bytes(b"git's own")
    with vault.lock():
        assert list(vault.path.rglob(left)) == [foreign]
        assert FileReleases(vault.path).staged("v1.0.0") == {"SHA256SUMS": b"signed"}


def test_locks_of_a_git_that_died_do_not_stand_in_the_way(vault: Vault) -> None:
    tags = vault.path / "repo.git" / "refs" / "tags"
    tags.mkdir(parents=True)
    locks = [tags / "v1.0.0.lock", vault.path / "repo.git" / "packed-refs.lock"]
    kept = tags / "v0.9.0"
    for path in (*locks, kept):
        path.touch()
    with vault.lock():
        assert not any(lock.exists() for lock in locks)
        assert kept.exists()


def test_the_lock_is_not_left_to_children(vault: Vault) -> None:
    with vault.lock():
        child = subprocess.Popen(["sleep", "30"], close_fds=False)
    try:
        with vault.lock():
            pass
    finally:
        child.kill()
        child.wait()


def test_a_child_that_is_only_just_being_started_does_not_keep_the_lock(vault: Vault) -> None:
    """Between fork and exec it holds what its parent has open, as a duplicate does."""
    with vault.lock():
        lock = (vault.path / "vault.lock").stat()
        opened = (int(path.name) for path in Path("/proc/self/fd").iterdir())
        copies = [os.dup(each) for each in list(opened) if _is_open_as(each, lock)]
    assert copies
    try:
        with vault.lock():
            pass
    finally:
        for copy in copies:
            os.close(copy)


def _is_open_as(descriptor: int, file: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file)
    except OSError:  # the listing's own
        return False


# --- unfinished work ----------------------------------------------------------------------


def test_states_are_saved_replaced_listed_and_forgotten(vault: Vault) -> None:
    states = FileStates(vault.path)
    assert states.load("sign.v1.0.0") is None
    assert states.names() == ()
    states.delete("sign.v1.0.0")
    states.save("sign.v1.0.0", b"one")
    states.save("import", b"x")
    states.save("sign.v1.0.0", b"two")
    assert states.load("sign.v1.0.0") == b"two"
    assert states.names() == ("import", "sign.v1.0.0")
    assert (vault.path / "unfinished" / "sign.v1.0.0.json").stat().st_mode & 0o777 == 0o600
    states.delete("sign.v1.0.0")
    assert states.names() == ("import",)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_no_store_takes_a_name_that_leads_elsewhere(vault: Vault, name: str) -> None:
    states, releases = FileStates(vault.path), FileReleases(vault.path)
    attempts = (
        lambda: states.save(name, b"x"),
        lambda: states.load(name),
        lambda: states.delete(name),
        lambda: releases.save_candidate(name, b"x"),
        lambda: releases.staged(name),
        lambda: releases.stage("v1.0.0", {"ok": b"x", name: b"x"}),
        lambda: FileRegistry(vault.path).save({name: b"x"}),
    )
    for attempt in attempts:
        with pytest.raises(FormatError, match="SEC-2/vault-name"):
            attempt()
    assert releases.staged("v1.0.0") == {}
    assert FileRegistry(vault.path).load() == {}


def test_a_state_that_is_too_large_or_no_file_is_refused(vault: Vault) -> None:
    states = FileStates(vault.path)
    states.save("big", b"x")
    path = vault.path / "unfinished" / "big.json"
    os.truncate(path, MAX_FILE_BYTES + 1)
    with pytest.raises(FormatError, match="SEC-2/vault-file-size"):
        states.load("big")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(CannotTell, match="SEC-2/vault-damaged"):
        states.load("big")
    assert read_bounded(path.with_name("none")) is None


# --- releases -----------------------------------------------------------------------------


def test_candidates_are_kept_by_version(vault: Vault) -> None:
    releases = FileReleases(vault.path)
    assert releases.versions() == ()
    assert releases.load_candidate("v1.0.0") is None
    releases.delete_candidate("v1.0.0")
    releases.save_candidate("v1.0.0", b"a")
    releases.save_candidate("v0.9.0", b"b")
    releases.save_candidate("v1.0.0", b"c")
    assert releases.load_candidate("v1.0.0") == b"c"
    assert releases.versions() == ("v0.9.0", "v1.0.0")
    releases.delete_candidate("v1.0.0")
    assert releases.load_candidate("v1.0.0") is None


def test_a_second_visit_is_staged_beside_the_first(vault: Vault) -> None:
    releases = FileReleases(vault.path)
    first = {"pai-v1.0.0.bundle": b"tag", "receipt-tag.json": b"r1"}
    second = {"SHA256SUMS": b"sums", "SHA256SUMS.asc": b"sig"}
    releases.stage("v1.0.0", first)
    releases.stage("v1.0.0", second)
    releases.stage("v1.0.0", second)
    assert releases.staged("v1.0.0") == {**first, **second}
    releases.unstage("v1.0.0", second)
    releases.unstage("v1.0.0", second)
    assert releases.staged("v1.0.0") == first
    releases.unstage("v1.0.0", first)
    assert releases.staged("v1.0.0") == {}


def test_staged_files_are_never_overwritten_with_other_content(vault: Vault) -> None:
    releases = FileReleases(vault.path)
    releases.stage("v1.0.0", {"SHA256SUMS": b"sums"})
    with pytest.raises(PolicyRefused, match="SIG-6/staged-already"):
        releases.stage("v1.0.0", {"new": b"x", "SHA256SUMS": b"other"})
    assert releases.staged("v1.0.0") == {"SHA256SUMS": b"sums"}


def test_an_error_at_any_sync_while_staging_shows_nothing_or_all_of_a_visit(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases = FileReleases(vault.path)
    first, both = {"one": b"1"}, {"one": b"1", "two": b"2", "three": b"3"}
    real_fsync = os.fsync
    seen = []
    for point in range(40):
        releases.unstage("v1.0.0", both)
        releases.stage("v1.0.0", first)
        left = point

        def failing(descriptor: int) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            real_fsync(descriptor)

        try:
            with monkeypatch.context() as patched:
                patched.setattr(os, "fsync", failing)
                releases.stage("v1.0.0", both)
        except SignerError:
            seen.append(releases.staged("v1.0.0") == both)
            assert releases.staged("v1.0.0") in (first, both)
            continue
        assert releases.staged("v1.0.0") == both
        assert len(seen) > 5
        assert seen[0] is False
        return
    pytest.fail("staging never succeeded")


STAGER = """
import os, signal, sys
from pathlib import Path
from pai_signer.adapters.vault_files import FileReleases, FileRegistry
left = int(sys.argv[2])
def watch(event, args):
    global left
    if event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "open", "ctypes.call_function"):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
if sys.argv[3] == "stage":
    FileReleases(Path(sys.argv[1])).stage("v1.0.0", {"two": b"2" * 5000, "three": b"3"})
else:
    FileRegistry(Path(sys.argv[1])).save({"registry.json": b"new", "registry.json.asc": b"sig"})
"""


def run_killed(vault: Vault, point: int, what: str) -> bool:
    """True if the process was killed before it ended."""
    finished = subprocess.run(
        [sys.executable, "-c", STAGER, str(vault.path), str(point), what], check=False
    )
    assert finished.returncode in {0, -9}
    return finished.returncode != 0


def test_kill_9_while_staging_shows_nothing_or_all_of_a_visit(vault: Vault) -> None:
    releases = FileReleases(vault.path)
    first, both = {"one": b"1"}, {"one": b"1", "two": b"2" * 5000, "three": b"3"}
    outcomes = []
    for point in range(60):
        releases.unstage("v1.0.0", both)
        releases.stage("v1.0.0", first)
        killed = run_killed(vault, point, "stage")
        staged = releases.staged("v1.0.0")
        assert staged in (first, both)
        outcomes.append((killed, staged == both))
        # What the crash left does not bar the next attempt, and is gone after it.
        releases.stage("v1.0.0", both)
        assert {p.name for p in (vault.path / "releases" / "v1.0.0").iterdir()} == {"staging"}
        if not killed:
            break
    assert {(True, False), (True, True)} <= set(outcomes)
    assert outcomes[-1] == (False, True)
    assert len(outcomes) > 8


def test_kill_9_while_saving_the_registry_shows_the_old_or_the_new(vault: Vault) -> None:
    registry = FileRegistry(vault.path)
    old = {"registry.json": b"old", "registry.json.asc": b"sig"}
    new = {"registry.json": b"new", "registry.json.asc": b"sig"}
    for point in range(60):
        registry.save(old)
        killed = run_killed(vault, point, "registry")
        assert registry.load() in (old, new)
        if not killed:
            assert registry.load() == new
            return
    pytest.fail("the process never ran to its end")


def test_earlier_states_of_the_registry_are_kept(vault: Vault) -> None:
    registry = FileRegistry(vault.path)
    assert registry.load() == {}
    for number in range(1, 12):
        registry.save({"registry.json": str(number).encode()})
    assert registry.load() == {"registry.json": b"11"}
    kept = vault.path / "keys" / "registry"
    assert [p.name for p in sorted(kept.iterdir())] == [f"{n:04}" for n in range(1, 12)]
    assert (kept / "0003" / "registry.json").read_bytes() == b"3"
    (kept / ".pai-signer-dead.tmp").mkdir()
    assert registry.load() == {"registry.json": b"11"}
