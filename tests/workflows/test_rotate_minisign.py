"""Rotation of the minisign key: every release stays good, and nothing is made twice (KEY-3)."""

import dataclasses
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from pai_signer.adapters.practice import VERSION
from pai_signer.domain.ceremony import TRANSCRIPT_NAME, parse_transcript
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, KeyState
from pai_signer.domain.secret import Secret
from pai_signer.domain.transition import parse_transition
from pai_signer.errors import (
    CannotTell,
    PolicyRefused,
    SignerError,
    UsageError,
)
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import Answer, Automatic, Conversation
from pai_signer.workflows.rotation import (
    RELEASE_NOTE,
    REPOSITORY_FILES,
    SECURITY_PAGE,
    SITE_VALUES,
)
from pai_signer.workflows.transition_statement import published_statements, verify_transition
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import (
    RELEASE,
    WHY,
    downloads,
    downloads_copy,
    events,
    keyed_vault,
    opened,
    rename_release,
    run,
    secrets,
    sign,
    signed_vault,
)

NEW_PHRASE: Final = b"weak new phrase"
ROTATE: Final = "key.rotate.minisign"
LATER: Final = "0.3.0"


def rotate(bench: Workbench, **answers: Answer) -> dict[str, Any]:
    """Play the rotation by flags alone; its outcome's data."""
    given = {"confirm": active(bench), **secrets(new=NEW_PHRASE), **answers}
    return dict(run(bench, ROTATE, given).data)


def key_files(bench: Workbench) -> set[str]:
    """IDs of the secret keys that lie in the vault."""
    return set(bench.minisign.stray(()))


def active(bench: Workbench) -> str:
    key = bench.registry().signing_key(Algorithm.MINISIGN)
    assert key is not None
    return key.id


def stock(*command: str | Path, cwd: Path | None = None) -> bool:
    done = subprocess.run(command, cwd=cwd, capture_output=True, check=False, timeout=60)
    return done.returncode == 0


@pytest.fixture
def published(tmp_path: Path) -> Path:
    folder = tmp_path / "keys-public"
    folder.mkdir()
    return folder


@pytest.fixture
def rotated(keyed: Workbench) -> Workbench:
    rotate(keyed)
    return keyed


# --- releases before and after ----------------------------------------------------------------


def test_every_release_verifies_after_a_rotation_with_the_published_keys(
    tmp_path: Path, published: Path
) -> None:
    exports = tmp_path / "exports"
    exports.mkdir()
    with opened(signed_vault(tmp_path / "vault")) as bench:
        run(bench, "release.export", version=RELEASE, directory=str(exports))
        old = active(bench)
        new = rotate(bench)["new"]
        later = rename_release(downloads_copy(tmp_path / "later"), LATER, b"later")
        run(bench, "release.import", directory=str(later), version=f"v{LATER}")
        answers = {"clock": "yes", "confirm": f"v{LATER}", **secrets(minisign=NEW_PHRASE)}
        given = {"waive.POL-7": WHY, "version": f"v{LATER}", "what": "manifest"}
        run(bench, "release.sign", answers, **given)
        run(bench, "release.export", version=f"v{LATER}", directory=str(exports))
        run(bench, "key.publish", directory=str(published))
        for version, signer, images in ((VERSION, old, downloads()), (LATER, new, later)):
            (folder,) = exports.glob(f"pai-v{version}*")
            for image in images.glob("*.iso"):
                shutil.copy2(image, folder)
            verdict = run(bench, "verify", directory=str(folder), keys=str(published)).data
            assert verdict["verdict"] == "good"
            assert any(signer in text for text in verdict["signed_by"])
            other = old if signer == new else new
            right, wrong = (published / f"minisign-{key}.pub" for key in (signer, other))
            manifest = folder / "SHA256SUMS"
            assert stock("minisign", "-V", "-m", manifest, "-p", right)
            assert not stock("minisign", "-V", "-m", manifest, "-p", wrong)
    assert (published / "minisign.pub").read_bytes() == right.read_bytes()


def test_the_old_passphrase_signs_no_release_any_more(rotated: Workbench) -> None:
    run(rotated, "release.import", directory=str(downloads()))
    with pytest.raises(PolicyRefused):
        sign(rotated)
    assert rotated.releases.staged(RELEASE) == {}


# --- what a rotation does -------------------------------------------------------------------------


def test_the_old_key_is_retired_and_its_file_stays(keyed: Workbench) -> None:
    old = active(keyed)
    data = rotate(keyed)
    registry = keyed.registry()
    assert active(keyed) == data["new"] != old
    assert registry.find(old).life is KeyState.RETIRED
    assert registry.find(old).reason == "scheduled rotation"
    assert key_files(keyed) == {old, data["new"]}
    assert events(keyed)[-2:] == ["key.rotated", "ceremony.ended"]
    facts = keyed.journal.entries()[-2].facts
    assert facts["command"] == "key rotate minisign --reason scheduled"
    assert (facts["old"], facts["new"]) == (old, data["new"])


def test_stock_tools_accept_the_published_statement_of_all_three_keys(
    keyed: Workbench, published: Path
) -> None:
    data = rotate(keyed)
    run(keyed, "key.publish", directory=str(published))
    text = (published / data["statement"]).read_bytes()
    signatures = parse_transition(text).signatures
    assert len(signatures) == 3
    for key_id, name in signatures.items():
        if name.endswith(".minisig"):
            key = published / f"minisign-{key_id}.pub"
            command = ("minisign", "-V", "-m", data["statement"], "-x", name, "-p", key)
            assert stock(*command, cwd=published)
        else:
            certificate = published / f"gpg-{key_id}.asc"
            assert stock("sqv", "--keyring", certificate, name, data["statement"], cwd=published)
    listed = data["texts"][REPOSITORY_FILES].split()
    # All that changed; the OpenPGP certificate is as it was published before.
    there = {f"keys/public/{path.name}" for path in published.iterdir()}
    assert set(listed) < there
    assert all("/gpg-" in name for name in there - set(listed))


def test_the_texts_to_paste_name_both_keys(keyed: Workbench) -> None:
    data = rotate(keyed)
    for name in (RELEASE_NOTE, SECURITY_PAGE):
        assert data["new"] in data["texts"][name]
        assert data["old"] in data["texts"][name]
    assert data["public_key"] in data["texts"][SITE_VALUES]
    stored = keyed.ceremonies.load(data["ceremony"])
    assert all(stored[name].decode() == text for name, text in data["texts"].items())


def test_no_passphrase_stands_in_anything_that_is_kept(rotated: Workbench) -> None:
    (ceremony,) = rotated.ceremonies.names()
    kept = b"".join(rotated.ceremonies.load(ceremony).values())
    for phrase in (NEW_PHRASE, *(secret.encode() for secret in ("weak minisign", "weak gpg"))):
        assert phrase not in kept
    transcript = parse_transcript(rotated.ceremonies.load(ceremony)[TRANSCRIPT_NAME])
    told = [step.answer for step in transcript.steps if step.id.startswith("passphrase")]
    assert told == ["(secret)"] * 3
    assert [s.id for s in transcript.steps if s.point_of_no_return] == ["rotate"]


def test_a_second_rotation_keeps_both_statements_published(
    rotated: Workbench, published: Path
) -> None:
    phrases = secrets(minisign=NEW_PHRASE, new=b"weak newest phrase")
    run(rotated, ROTATE, {"confirm": active(rotated), **phrases})
    run(rotated, "key.publish", directory=str(published))
    assert len(list(published.glob("transition-minisign-*.txt"))) == 2
    assert len(rotated.registry().of(Algorithm.MINISIGN)) == 3


def test_a_rehearsal_rotates_rehearsal_keys(tmp_path: Path, published: Path) -> None:
    with opened(keyed_vault(tmp_path / "vault", rehearsal=True)) as bench:
        data = rotate(bench)
        assert bench.registry().find(data["new"]).state is KeyState.REHEARSAL
        assert "REHEARSAL" in data["texts"][RELEASE_NOTE]
        run(bench, "key.publish", directory=str(published))
        assert b"REHEARSAL" in (published / data["statement"]).read_bytes()


def test_without_a_key_there_is_nothing_to_rotate(empty: Workbench) -> None:
    with pytest.raises(PolicyRefused, match="no active minisign key"):
        run(empty, ROTATE)


# --- the statement's guards -------------------------------------------------------------------


def statement_of(bench: Workbench) -> tuple[str, dict[str, bytes]]:
    files = published_statements(bench, bench.registry())
    (name,) = [name for name in files if name.endswith(".txt")]
    return name, files


def test_a_statement_that_lost_a_signature_is_not_published(
    rotated: Workbench, published: Path
) -> None:
    name, files = statement_of(rotated)
    for lost in set(files) - {name}:
        left = {n: data for n, data in files.items() if n != lost}
        with pytest.raises(CannotTell):
            verify_transition(left, name, rotated.registry(), rotated.verifiers)
    (ceremony,) = rotated.ceremonies.names()
    rotated.ceremonies.save(ceremony, {name: files[name].replace(b"scheduled", b"schedules")})
    with pytest.raises(SignerError):
        run(rotated, "key.publish", directory=str(published))
    assert list(published.iterdir()) == []


def test_any_changed_byte_of_a_statement_or_its_signatures_is_noticed(rotated: Workbench) -> None:
    name, files = statement_of(rotated)
    for changed, data in files.items():
        for at in range(0, len(data), 37):
            broken = data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]
            if changed != name and (b"omment" in _line(data, at) or data[at] in b"\n\r"):
                continue  # an untrusted comment proves nothing; line ends are not signed
            if changed.endswith(".asc"):
                continue  # armor has bytes that mean nothing; gpg's own tests cover the rest
            with pytest.raises(SignerError):
                verify_transition(
                    {**files, changed: broken}, name, rotated.registry(), rotated.verifiers
                )


def _line(data: bytes, at: int) -> bytes:
    return data[data.rfind(b"\n", 0, at) + 1 : (data.find(b"\n", at) + 1) or len(data)]


# --- killed, failed, discarded -------------------------------------------------------------------


def fresh() -> dict[str, Answer]:
    return dict(secrets(new=NEW_PHRASE))


def begin(bench: Workbench) -> Conversation[Any]:
    return catalogue.begin(bench, ROTATE, {})


def with_port(bench: Workbench, port: str, thing: object) -> Workbench:
    changes: dict[str, Any] = {port: thing}
    return dataclasses.replace(bench, **changes)


def walk(talk: Conversation[Any], until: str, answers: Mapping[str, Answer] | None = None) -> None:
    """Take every step before ``until``."""
    given = {**fresh(), **(answers or {})}
    while (step := talk.step) is not None and step.id != until:
        question = step.question(talk.state)
        default = "" if isinstance(question, Automatic) else question.default or ""
        given["confirm"] = talk.state.old
        talk.answer(given.get(question.name, default), Progress())


STEPS: Final = (
    *("begin", "second", "witness", "materials", "preconditions", "clock-first"),
    *("clock-second", "explain", "passphrase-minisign", "passphrase-gpg", "passphrase-new"),
    *("generate", "prove", "compare", "rotate", "transcript"),
)


@pytest.mark.parametrize("at", STEPS)
def test_killed_before_a_step_it_goes_on_there_and_asks_for_the_secrets_again(
    tmp_path: Path, at: str
) -> None:
    vault = keyed_vault(tmp_path / "vault")
    with opened(vault) as bench:
        old = active(bench)
        walk(begin(bench), at)
        made = key_files(bench) - {old}
    with opened(vault) as bench:  # as another process would
        talk = begin(bench)
        assert talk.resumed is (at != "begin")
        assert talk.step is not None
        before = STEPS.index(at)
        is_between = STEPS.index("passphrase-minisign") < before <= STEPS.index("rotate")
        assert talk.step.id == ("passphrase-minisign" if is_between else at)
        new = rotate(bench)["new"]
        assert key_files(bench) == {old, new}
        assert made <= {new}
        assert events(bench).count("key.rotated") == 1
        assert len(bench.ceremonies.names()) == 1


class Killed(BaseException):
    """What no handler of the program's own catches."""


@dataclasses.dataclass
class KillingPort:
    """Does the work of a port's method, then dies as the process would."""

    port: Any
    method: str

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.port, name)
        if name != self.method:
            return found

        def killed(*arguments: Any, **options: Any) -> Any:
            found(*arguments, **options)
            raise Killed

        return killed


WORK: Final = {
    "generated": ("minisign", "generate"),
    "statement stored": ("ceremonies", "save"),
    "journalled": ("journal", "append"),
    "registered": ("registry_store", "save"),
}


@pytest.mark.parametrize("moment", WORK)
def test_killed_between_the_work_and_its_saved_state_nothing_is_done_twice(
    tmp_path: Path, published: Path, moment: str
) -> None:
    vault = keyed_vault(tmp_path / "vault")
    port, method = WORK[moment]
    with opened(vault) as bench:
        old = active(bench)
        killing = KillingPort(getattr(bench, port), method)
        with pytest.raises(Killed):
            rotate(with_port(bench, port, killing))
        made = key_files(bench) - {old}
        assert len(made) == 1
    with opened(vault) as bench:
        data = rotate(bench)
        assert {data["new"]} == made
        assert key_files(bench) == {old, data["new"]}
        assert len(bench.registry().of(Algorithm.MINISIGN)) == 2
        run(bench, "key.publish", directory=str(published))
        assert (published / data["statement"]).exists()


def test_killed_at_its_very_end_it_rotates_no_second_time(tmp_path: Path) -> None:
    vault = keyed_vault(tmp_path / "vault")
    with opened(vault) as bench:
        walk(begin(bench), "no such step")
        new = active(bench)
    with opened(vault) as bench:
        assert run(bench, ROTATE).data["new"] == new
        assert events(bench).count("key.rotated") == 1


@pytest.mark.parametrize(
    ("port", "method"),
    [("minisign", "generate"), ("ceremonies", "save"), ("registry_store", "save")],
)
def test_a_failure_leaves_the_old_key_in_use_and_the_work_can_go_on(
    keyed: Workbench, port: str, method: str
) -> None:
    class Failing(KillingPort):
        def __getattr__(self, name: str) -> Any:
            if name != self.method:
                return getattr(self.port, name)

            def failed(*_: Any, **__: Any) -> Any:
                raise CannotTell("TEST/disk", "The disk is full.", "Make room.")

            return failed

    old = active(keyed)
    broken = with_port(keyed, port, Failing(getattr(keyed, port), method))
    with pytest.raises(CannotTell) as caught:
        rotate(broken)
    assert caught.value.unchanged is not None
    assert "old key is still the one that signs" in caught.value.unchanged
    assert active(keyed) == old
    assert rotate(keyed)["new"] == active(keyed) != old
    assert len(key_files(keyed)) == 2


def test_a_wrong_passphrase_makes_no_key(keyed: Workbench) -> None:
    for name in ("minisign", "gpg"):
        with pytest.raises(PolicyRefused, match="passphrase"):
            rotate(keyed, **{name: Secret(bytearray(b"not this one"))})
        assert len(key_files(keyed)) == 1


def test_after_a_crash_only_the_new_keys_own_passphrase_goes_on(tmp_path: Path) -> None:
    vault = keyed_vault(tmp_path / "vault")
    with opened(vault) as bench:
        killing = KillingPort(bench.minisign, "generate")
        with pytest.raises(Killed):
            rotate(dataclasses.replace(bench, minisign=killing))
    with opened(vault) as bench:
        with pytest.raises(PolicyRefused, match="passphrase"):
            rotate(bench, new=Secret(bytearray(b"another new one")))
        assert len(key_files(bench)) == 2
        rotate(bench)
        assert len(key_files(bench)) == 2


@pytest.mark.parametrize("at", ["generate", "prove", "compare", "rotate"])
def test_discarding_removes_the_unregistered_key_and_nothing_else(
    keyed: Workbench, published: Path, at: str
) -> None:
    old, serial = active(keyed), keyed.registry().serial
    talk = begin(keyed)
    walk(talk, at)
    talk.discard()
    assert key_files(keyed) == {old}
    assert (active(keyed), keyed.registry().serial) == (old, serial)
    assert keyed.ceremonies.names() == ()
    run(keyed, "key.publish", directory=str(published))
    assert list(published.glob("transition-*")) == []


def test_discarding_after_the_point_of_no_return_keeps_key_and_statement(
    keyed: Workbench, published: Path
) -> None:
    talk = begin(keyed)
    walk(talk, "transcript")
    new = active(keyed)
    assert not talk.can_go_back
    talk.discard()
    assert active(keyed) == new
    assert new in key_files(keyed)
    run(keyed, "key.publish", directory=str(published))
    assert len(list(published.glob("transition-minisign-*.txt"))) == 1


def test_a_discarded_crash_leaves_no_key_and_spares_those_it_did_not_make(
    tmp_path: Path,
) -> None:
    vault = keyed_vault(tmp_path / "vault")
    with opened(vault) as bench:
        bench.minisign.generate(Secret(bytearray(b"strange")))
        before = key_files(bench)
        with pytest.raises(Killed):
            rotate(dataclasses.replace(bench, minisign=KillingPort(bench.minisign, "generate")))
        assert len(key_files(bench)) == len(before) + 1
        begin(bench).discard()
        assert key_files(bench) == before


def test_walking_back_over_the_new_key_makes_no_second_one(keyed: Workbench) -> None:
    talk = begin(keyed)
    walk(talk, "compare")
    made = key_files(keyed)
    while talk.can_go_back:
        talk.back()
    new = rotate(keyed)["new"]
    assert key_files(keyed) == made
    assert new in made


def test_who_does_not_confirm_changes_nothing(keyed: Workbench) -> None:
    old = active(keyed)
    with pytest.raises(UsageError, match="not confirmed"):
        run(keyed, ROTATE, fresh())
    with pytest.raises(UsageError, match="does not answer"):
        rotate(keyed, confirm=old[:-1])
    assert active(keyed) == old
    assert keyed.ceremonies.names() == ()
