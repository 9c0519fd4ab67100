"""The release index and deprecation, signed by real keys, judged by stock tools (VER-2)."""

import dataclasses
import functools
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pai_signer.composition import sources, verifiers
from pai_signer.domain.deprecation import LATEST_NAME, issue_name, notice_name
from pai_signer.domain.minisig import trusted_comment
from pai_signer.domain.progress import Progress
from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import Algorithm
from pai_signer.domain.release_index import INDEX_NAME, Fact, extended, listed, parse_index
from pai_signer.domain.secret import Secret
from pai_signer.errors import BadSignature, CannotTell, PolicyRefused, SignerError, UsageError
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import Outcome
from pai_signer.workflows.release.deprecate_release import endable
from pai_signer.workflows.release.index_files import index_now
from pai_signer.workflows.verify.verify_release import VerifyRequest, verify_release
from pai_signer.workflows.workbench import Workbench
from tests.domain.test_release_index import relinked
from tests.registries import BORN
from tests.workflows.bench import (
    PHRASES,
    RELEASE,
    downloads_copy,
    events,
    keyed_vault,
    opened,
    published,
    rename_release,
    run,
    secrets,
    sign,
    signed_vault,
    stored,
)

FIX = "v0.2.1"
WHY = "does not boot on old machines"


@functools.cache
def two_releases() -> Path:
    """A vault with two signed releases, and nothing of an index yet."""
    vault = signed_vault(stored("two-releases"))
    source = rename_release(downloads_copy(stored("fix")), "0.2.1", mark=b"fixed")
    for bundle in source.glob("*.bundle"):
        bundle.unlink()
    with opened(vault) as bench:
        run(bench, "release.import", directory=str(source))
        sign(bench, FIX)
    return vault


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return Path(shutil.copytree(two_releases(), tmp_path / "vault"))


@pytest.fixture
def bench(vault: Path) -> Iterator[Workbench]:
    with opened(vault) as bench:
        yield bench


@functools.cache
def _deprecated() -> Path:
    """The same after the deprecation; what it publishes lies in ``public`` beside it."""
    vault = Path(shutil.copytree(two_releases(), stored("deprecated")))
    public = stored("deprecated-public")
    public.mkdir()
    with opened(vault) as bench:
        deprecate(bench)
        run(bench, "key.publish", directory=str(public))
    return vault


@pytest.fixture
def deprecated(tmp_path: Path) -> Path:
    return Path(shutil.copytree(_deprecated(), tmp_path / "deprecated"))


@pytest.fixture
def deprecated_keys(tmp_path: Path) -> Path:
    _deprecated()
    return Path(shutil.copytree(stored("deprecated-public"), tmp_path / "deprecated-public"))


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "public"
    folder.mkdir()
    return folder


def deprecate(bench: Workbench, **arguments: str) -> Outcome:
    given = {"version": RELEASE, "replacement": FIX, "reason": WHY} | arguments
    return run(bench, "release.deprecate", secrets(), **{k: v for k, v in given.items() if v})


def verify(folder: Path, keys: Path, **options: Any) -> Outcome:
    request = VerifyRequest(directory=folder, keys=keys, **options)
    return verify_release(request, sources(), verifiers(), Progress())


def stock(*command: str | Path, at: Path) -> None:
    done = subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stderr)


FAKE_GH = """#!/bin/sh
echo "$@" >> "$CALLS"
case "$2" in
view) echo "What it was published with." ;;
edit) test "$4" != --notes-file || cp "$5" "$CALLS.notes" ;;
esac
"""


def follow_guide(folder: Path, keys: Path, tmp_path: Path) -> None:
    """Every command of ``DEPRECATE.md``, in one shell, against a clone and a recording ``gh``."""
    clone, tools, calls = tmp_path / "clone", tmp_path / "tools", tmp_path / "calls"
    subprocess.run(["git", "init", "-q", clone], check=True)
    shutil.copytree(keys, clone / "keys" / "public")
    (clone / "KNOWN_ISSUES.md").write_text("# Known issues\n")
    (clone / "keys" / "public" / INDEX_NAME).unlink()
    tools.mkdir()
    (tools / "gh").write_text(FAKE_GH)
    (tools / "gh").chmod(0o755)
    blocks = re.findall(r"```sh\n(.*?)```", (folder / "DEPRECATE.md").read_text(), re.DOTALL)
    script = "".join(blocks).replace("/path/to/this/folder", str(folder))
    script = script.replace("/path/to/clone/of/the/project", str(clone))
    person = {
        f"GIT_{role}_{what}": "m@example.org"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={
            "PATH": f"{tools}:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "CALLS": str(calls),
            **person,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [call.split()[:3] for call in calls.read_text().splitlines()] == [
        ["release", "view", RELEASE],
        ["release", "edit", RELEASE],
        ["release", "edit", FIX],
    ]
    notes = Path(f"{calls}.notes").read_text()
    assert notes.startswith((folder / notice_name(RELEASE)).read_text())
    assert notes.endswith("\n\nWhat it was published with.\n")
    assert (clone / "KNOWN_ISSUES.md").read_text().endswith(f"Fixed in {FIX}.\n")
    assert (clone / "keys" / "public" / INDEX_NAME).exists()


# --- the whole way --------------------------------------------------------------------------


def test_a_release_is_deprecated_and_stays_verifiable_by_everybody(
    bench: Workbench, keys: Path, tmp_path: Path
) -> None:
    before = events(bench)
    staged = bench.releases.staged(RELEASE)
    outcome = deprecate(bench, directory=str(tmp_path))
    assert outcome.data["latest"] == FIX
    assert events(bench)[len(before) :] == [
        "release.deprecated",
        "index.signed",
        "release.deprecation-exported",
    ]
    assert bench.releases.staged(RELEASE) == staged, "nothing is removed or signed anew"

    # What is carried out, by stock tools with the published keys alone.
    run(bench, "key.publish", directory=str(keys))
    folder = Path(outcome.data["folder"])
    names = {INDEX_NAME, LATEST_NAME, notice_name(RELEASE), issue_name(RELEASE)}
    signatures = {name + suffix for name in names for suffix in (".minisig", ".asc")}
    assert {p.name for p in folder.iterdir()} == names | signatures | {"DEPRECATE.md"}
    [certificate] = keys.glob("gpg-*.asc")
    for name in names:
        stock("minisign", "-Vm", name, "-p", keys / "minisign.pub", at=folder)
        stock("sqv", "--keyring", certificate, f"{name}.asc", name, at=folder)
        assert (folder / name).read_bytes() == (keys / name).read_bytes()
    assert f"DEPRECATED \N{EM DASH} see {FIX}" in (folder / notice_name(RELEASE)).read_text()

    follow_guide(folder, keys, tmp_path)

    # The old release is as good as ever, and whoever verifies it learns where to go.
    download = published(tmp_path / "download")
    found = verify(download, keys)
    assert found.data["verdict"] == "good"
    assert found.data["deprecated"] is True
    assert found.data["replacement"] == FIX
    assert f"DEPRECATED, see {FIX}: {WHY}." in found.data["text"]

    # Once more it is refused, and nothing is added; carried out again it is the same.
    count = len(events(bench))
    with pytest.raises(PolicyRefused, match="deprecated already"):
        deprecate(bench, replacement="v0.2.0")
    assert len(events(bench)) == count
    again = deprecate(bench, replacement="", reason="", directory=str(tmp_path))
    assert again.data["folder"] == str(folder)


@pytest.mark.parametrize("replacement", ["v0.3.0", RELEASE])
def test_a_replacement_that_is_not_signed_is_refused_and_nothing_changes(
    bench: Workbench, replacement: str
) -> None:
    before = events(bench)
    with pytest.raises(PolicyRefused) as error:
        deprecate(bench, replacement=replacement)
    assert error.value.code == "VER-2/replacement"
    assert events(bench) == before
    assert bench.index_store.load() == {}


def test_an_unknown_release_is_refused(bench: Workbench) -> None:
    with pytest.raises(UsageError, match="no release"):
        deprecate(bench, version="v7.0.0")


def test_a_wrong_passphrase_deprecates_nothing(bench: Workbench) -> None:
    before = events(bench)
    with pytest.raises(PolicyRefused):
        run(
            bench,
            "release.deprecate",
            secrets(minisign=b"wrong"),
            version=RELEASE,
            replacement=FIX,
            reason=WHY,
        )
    assert events(bench) == before


def test_killed_behind_the_decision_it_is_finished_by_the_same_command(vault: Path) -> None:
    """The entry is written, the signatures are not: nobody decides a second time."""
    with opened(vault) as bench:
        broken = BrokenStore()
        with pytest.raises(OSError, match="power cut"):
            deprecate(_with_store(bench, broken))
        assert events(bench)[-2:] == ["release.deprecated", "index.signed"]
        assert bench.index_store.load() == {}
    with opened(vault) as bench:
        deprecate(bench)
        assert events(bench).count("release.deprecated") == 1
        assert listed(index_now(bench))[RELEASE].is_deprecated
        assert notice_name(RELEASE) in bench.index_store.load()


def test_the_list_of_releases_says_which_one_is_deprecated(deprecated: Path) -> None:
    with opened(deprecated) as bench:
        outcome = run(bench, "release.list")
    assert [(row["version"], row["replacement"]) for row in outcome.data["releases"]] == [
        (RELEASE, FIX),
        (FIX, None),
    ]
    bad, good = outcome.pages[0].lines
    assert bad.text.endswith(f"DEPRECATED: see {FIX}")
    assert "DEPRECATED" not in good.text


class BrokenStore:
    """The power goes when the signed files are to be stored."""

    def load(self) -> dict[str, bytes]:
        return {}

    def save(self, files: object) -> None:
        raise OSError("power cut")


def _with_store(bench: Workbench, store: Any) -> Workbench:
    return dataclasses.replace(bench, index_store=store)


# --- the index -----------------------------------------------------------------------------------


def index(bench: Workbench, keys: Path) -> Outcome:
    return run(bench, "release.index", secrets(), directory=str(keys))


def test_the_index_is_signed_once_and_grows(bench: Workbench, keys: Path) -> None:
    assert index(bench, keys).data["entries"] == 2
    first = (keys / INDEX_NAME).read_bytes()
    count = events(bench).count("index.signed")
    index(bench, keys)
    assert events(bench).count("index.signed") == count, "nothing new, nothing is signed"
    assert (keys / INDEX_NAME).read_bytes() == first
    deprecate(bench)
    index(bench, keys)
    grown = parse_index((keys / INDEX_NAME).read_bytes())
    assert grown.entries[:2] == parse_index(first).entries
    assert json.loads((keys / LATEST_NAME).read_bytes())["version"] == FIX


def test_an_index_that_would_lose_or_change_an_entry_is_not_signed(vault: Path, keys: Path) -> None:
    """Somebody put another state into the vault; the journal knows how far it had come."""
    with opened(vault) as bench:
        index(bench, keys)
        files = bench.index_store.load()
        whole = parse_index(files[INDEX_NAME])
        # Of the same facts, but in another order: each link is right.
        other = relinked(*reversed(whole.entries))
        bench.index_store.save({**files, INDEX_NAME: encode_record(other)})
        before = events(bench)
        for act in (index, lambda b, _: deprecate(b)):
            with pytest.raises(BadSignature) as error:
                act(bench, keys)
            assert error.value.code == "VER-2/lost-entry"
        assert events(bench) == before
        assert parse_index((keys / INDEX_NAME).read_bytes()) == whole


def test_words_that_a_saved_state_says_were_confirmed_are_asked_for_again(
    bench: Workbench,
) -> None:
    """Whoever writes into the vault puts no words into anybody's mouth (REV-1)."""
    begun = {"version": RELEASE, "replacement": FIX}
    talk = catalogue.begin(bench, "release.deprecate", begun)
    talk.answer(WHY, Progress())
    name = f"deprecate-release.{RELEASE}"
    saved = json.loads(bench.states.load(name) or b"")
    saved["state"] |= {"confirmed": True, "reason": "it spies on you"}
    bench.states.save(name, json.dumps(saved, separators=(",", ":")).encode())
    again = catalogue.begin(bench, "release.deprecate", begun)
    assert again.resumed
    assert again.state.reason == "it spies on you"
    assert again.step is not None
    assert again.step.id == "confirm"


def leave_forged(bench: Workbench, keys: Path) -> bytes:
    """What a thief of the minisign key puts on the stick: a release that nobody signed."""
    key = bench.registry().signing_key(Algorithm.MINISIGN)
    assert key is not None
    digest, signers = "ee" * 32, (key.id,)
    forged = Fact(event="signed", at=BORN, version="v9.9.9", manifest_sha256=digest, keys=signers)
    data = encode_record(extended(index_now(bench), [forged]))
    stolen = bench.minisign.unlock(key.public_key, Secret(bytearray(PHRASES["minisign"])))
    comment = trusted_comment("PAI", "index-3", INDEX_NAME)
    signature = stolen.sign_prehashed(hashlib.blake2b(data).digest(), comment)
    (keys / INDEX_NAME).write_bytes(data)
    (keys / f"{INDEX_NAME}.minisig").write_bytes(signature)
    return data


def test_entries_that_one_stolen_key_signed_are_never_taken_over(
    bench: Workbench, keys: Path
) -> None:
    data, before = leave_forged(bench, keys), events(bench)
    with pytest.raises(CannotTell) as error:
        index(bench, keys)
    assert error.value.code == "KEY-2/unsigned-registry"
    assert events(bench) == before
    assert (keys / INDEX_NAME).read_bytes() == data


def test_verify_says_that_an_index_lacks_a_signature(
    bench: Workbench, keys: Path, tmp_path: Path
) -> None:
    run(bench, "key.publish", directory=str(keys))
    leave_forged(bench, keys)
    told = verify(published(tmp_path / "download"), keys).data["text"]
    shown = str(verify(published(tmp_path / "again"), keys).pages)
    assert f"{INDEX_NAME}: no OpenPGP signature that counts" in shown + told


def test_a_vault_that_lost_the_index_makes_the_very_same_again(vault: Path, keys: Path) -> None:
    with opened(vault) as bench:
        index(bench, keys)
    first = (keys / INDEX_NAME).read_bytes()
    shutil.rmtree(vault / "releases-index")
    with opened(vault) as bench:
        index(bench, keys)
    assert (keys / INDEX_NAME).read_bytes() == first


def test_an_older_workstation_never_publishes_over_a_longer_index(
    vault: Path, keys: Path, tmp_path: Path
) -> None:
    """A journal from an old backup knows less: what is published is kept, not rolled back."""
    old = shutil.copytree(vault, tmp_path / "old")
    with opened(vault) as bench:
        deprecate(bench)
        index(bench, keys)
    longer = parse_index((keys / INDEX_NAME).read_bytes())
    with opened(old) as bench:
        index(bench, keys)
        assert index_now(bench) == longer
    assert parse_index((keys / INDEX_NAME).read_bytes()) == longer


@pytest.mark.parametrize("name", [INDEX_NAME, f"{LATEST_NAME}.minisig", notice_name(RELEASE)])
def test_what_was_changed_in_the_vault_is_not_published(
    deprecated: Path, keys: Path, name: str
) -> None:
    with opened(deprecated) as bench:
        files = bench.index_store.load()
        bench.index_store.save({**files, name: files[name] + b"\n"})
        with pytest.raises(SignerError) as error:
            run(bench, "key.publish", directory=str(keys))
        assert error.value.exit_code == 4
    assert not list(keys.iterdir())


def test_there_is_nothing_to_tell_before_the_first_release(tmp_path: Path, keys: Path) -> None:
    with opened(keyed_vault(tmp_path / "empty")) as bench:
        with pytest.raises(UsageError):
            index(bench, keys)
        assert endable(bench) == []


def test_the_only_release_cannot_be_deprecated(tmp_path: Path) -> None:
    with opened(signed_vault(tmp_path / "one")) as bench:
        assert endable(bench) == []
        with pytest.raises(PolicyRefused):
            deprecate(bench, replacement="v0.2.0")


# --- verify ------------------------------------------------------------------------------------


def test_verify_tells_a_current_release_and_a_rolled_back_index(
    bench: Workbench, keys: Path, tmp_path: Path
) -> None:
    index(bench, keys)
    run(bench, "key.publish", directory=str(keys))
    download = published(tmp_path / "download")
    found = verify(download, keys)
    assert found.data["in_index"] is True
    assert found.data["deprecated"] is False
    old = {p.name: p.read_bytes() for p in keys.glob(f"{INDEX_NAME}*")}
    deprecate(bench)
    run(bench, "key.publish", directory=str(keys))
    kept = tmp_path / "kept.json"
    kept.write_bytes((keys / INDEX_NAME).read_bytes())
    assert verify(download, keys, earlier_index=kept).data["verdict"] == "good"
    for name, data in old.items():  # signed, whole, and old
        (keys / name).write_bytes(data)
    assert verify(download, keys).data["deprecated"] is False
    with pytest.raises(BadSignature) as error:
        verify(download, keys, earlier_index=kept)
    assert error.value.code == "VER-2/rollback"
    for path in keys.glob(f"{INDEX_NAME}*"):
        path.unlink()
    assert verify(download, keys).data["in_index"] is None
    with pytest.raises(CannotTell):
        verify(download, keys, earlier_index=kept)


@pytest.mark.parametrize("damage", ["changed", "unsigned", "other signature"])
def test_verify_refuses_an_index_that_is_not_as_it_was_signed(
    deprecated_keys: Path, tmp_path: Path, damage: str
) -> None:
    keys = deprecated_keys
    file = keys / INDEX_NAME
    if damage == "changed":  # well-formed, and without the deprecation
        whole = parse_index(file.read_bytes())
        file.write_bytes(encode_record(relinked(*whole.entries[:-1])))
    elif damage == "unsigned":
        for suffix in (".minisig", ".asc"):
            (keys / f"{INDEX_NAME}{suffix}").unlink()
    else:
        shutil.copy(keys / "registry.json.minisig", keys / f"{INDEX_NAME}.minisig")
    with pytest.raises(SignerError) as error:
        verify(published(tmp_path / "download"), keys)
    assert error.value.exit_code == (5 if damage == "unsigned" else 4)
