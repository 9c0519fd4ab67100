"""Generating and importing keys, and the registry that they enter (KEY-1, KEY-2)."""

import hashlib
import json
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pai_signer.composition import verifiers
from pai_signer.domain.minisig import parse_public_key, render_public_key_file
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, KeyState
from pai_signer.domain.secret import Secret
from pai_signer.errors import MediumError, PolicyRefused, SignerError, UntrustedKey
from pai_signer.faces.desk import Action
from pai_signer.faces.workstation import WorkstationDesk
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import Conversation, SecretText
from pai_signer.workflows.verify.verify_registry import verify_registry
from pai_signer.workflows.workbench import Workbench
from tests.keys import WEAK_PASSPHRASE, weak_minisign_key, weak_openpgp_key
from tests.workflows.bench import PHRASES, events, keyed_vault, opened, run, secrets


def secret_of(text: bytes) -> Secret:
    return Secret(bytearray(text))


def walk(conversation: Conversation[Any], until: str) -> None:
    """Answer with ``PHRASES`` and with what nobody says up to the step ``until``."""
    while conversation.step is not None and conversation.step.id != until:
        question = conversation.step.question(conversation.state)
        is_secret = isinstance(question, SecretText)
        answer = secret_of(PHRASES[question.name]) if is_secret else question.default or ""
        conversation.answer(answer, Progress())


def minisign_files(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "vault" / "keys" / "minisign"
    return sorted(folder.iterdir()) if folder.exists() else []


def test_both_keys_are_made_registered_and_sign_the_registry(empty: Workbench) -> None:
    outcome = run(empty, "key.generate", secrets())
    registry = verify_registry(empty.registry_store.load(), verifiers())
    assert registry.serial == outcome.data["registry_serial"]
    assert {key.algorithm for key in registry.keys} == set(Algorithm)
    assert {key.state for key in registry.keys} == {KeyState.ACTIVE}
    assert events(empty)[-2:] == ["key.generated", "ceremony.ended"]
    entry = empty.journal.entries()[-2]
    data = empty.registry_store.load()["registry.json"]
    assert entry.facts["registry_sha256"] == hashlib.sha256(data).hexdigest()
    assert "minisign" not in empty.session


def test_stock_tools_accept_the_registrys_signatures(empty: Workbench, tmp_path: Path) -> None:
    run(empty, "key.generate", secrets())
    run(empty, "key.publish", directory=str(tmp_path))
    subprocess.run(
        ["minisign", "-Vm", "registry.json", "-p", "minisign.pub"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    (certificate,) = tmp_path.glob("gpg-*.asc")
    subprocess.run(
        ["sqv", "--keyring", certificate, "registry.json.asc", "registry.json"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )


def generation_in_the_app(bench: Workbench) -> Action:
    (action,) = (a for a in WorkstationDesk(bench, ExitStack()).actions() if a.id == "key.generate")
    return action


def test_one_after_the_other_and_each_signs_the_new_state(empty: Workbench) -> None:
    """The app offers both, then the one that is missing, then none."""
    action = generation_in_the_app(empty)
    assert (action.unavailable_because, action.arguments) == ("", {})
    run(empty, "key.generate", secrets(), only="minisign")
    action = generation_in_the_app(empty)
    assert (action.label, action.unavailable_because) == ("Generate an OpenPGP key", "")
    assert action.arguments == {"only": "gpg"}
    assert set(empty.registry_store.load()) == {"registry.json", "registry.json.minisig"}
    run(empty, "key.generate", secrets(), only="gpg")
    files = empty.registry_store.load()
    assert set(files) == {"registry.json", "registry.json.minisig", "registry.json.asc"}
    assert verify_registry(files, verifiers()).serial == 2
    assert generation_in_the_app(empty).unavailable_because == "there are keys already"


def test_a_second_active_key_is_refused(keyed: Workbench) -> None:
    before = keyed.registry_store.load()
    for only in ({}, {"only": "minisign"}, {"only": "gpg"}):
        with pytest.raises(PolicyRefused) as error:
            run(keyed, "key.generate", secrets(), **only)
        assert error.value.code == "KEY-2/already-active"
    for entry in ("key.import.minisign", "key.import.gpg"):
        with pytest.raises(PolicyRefused):
            run(keyed, entry, secrets(), file="/nonexistent")
    assert keyed.registry_store.load() == before


def test_discarding_removes_keys_that_were_never_registered(
    empty: Workbench, tmp_path: Path
) -> None:
    conversation = catalogue.begin(empty, "key.generate", {})
    walk(conversation, "register")
    assert minisign_files(tmp_path)
    (openpgp,) = [k for k in conversation.state.added if k.algorithm is Algorithm.OPENPGP]
    made = {key.algorithm.value: [key.id] for key in conversation.state.added}
    conversation.discard()
    assert minisign_files(tmp_path) == []
    # A crash may have left the entry of their birth without a registry that knows them.
    last = empty.journal.entries()[-1]
    assert (last.event, last.facts["removed"]) == ("key.birth-discarded", made)
    with pytest.raises(SignerError):
        empty.openpgp.prove(openpgp.id, secret_of(PHRASES["gpg"]))
    assert empty.registry().keys == ()
    run(empty, "key.generate", secrets())


def test_discarding_never_removes_a_key_that_is_registered(
    empty: Workbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The crash came right after the registry was stored: the saved state does not know."""
    conversation = catalogue.begin(empty, "key.generate", {})
    walk(conversation, "register")
    with monkeypatch.context() as patch:
        patch.setattr(Conversation, "_save", lambda self: None)
        conversation.answer("", Progress())
    resumed = catalogue.begin(empty, "key.generate", {})
    assert resumed.resumed
    resumed.discard()
    assert minisign_files(tmp_path)
    for algorithm in Algorithm:
        key = empty.registry().signing_key(algorithm)
        assert key is not None
        if algorithm is Algorithm.OPENPGP:
            empty.openpgp.prove(key.id, secret_of(PHRASES["gpg"]))
        else:
            empty.minisign.unlock(key.public_key, secret_of(PHRASES["minisign"])).wipe()


def test_a_crash_right_after_the_registry_was_stored_is_resumed_to_its_end(
    empty: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = catalogue.begin(empty, "key.generate", {})
    walk(conversation, "register")
    with monkeypatch.context() as patch:
        patch.setattr(Conversation, "_save", lambda self: None)
        conversation.answer("", Progress())
    run(empty, "key.generate", secrets())
    assert empty.registry().serial == 2  # one for each key, none added twice
    assert empty.states.names() == ()
    verify_registry(empty.registry_store.load(), verifiers())


def test_a_registered_key_always_has_its_entry(
    empty: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_files: Mapping[str, bytes]) -> None:
        raise MediumError("EXP-2/full", "The disk is full.", "Make room.")

    with monkeypatch.context() as patch:
        patch.setattr(empty.registry_store, "save", full)
        with pytest.raises(MediumError):
            run(empty, "key.generate", secrets())
    assert empty.registry().keys == ()
    run(empty, "key.generate", secrets())
    assert events(empty)[-2] == "key.generated"
    assert len(empty.registry().keys) == 2


def test_after_a_crash_the_passphrase_of_the_new_key_is_asked_once_and_checked(
    empty: Workbench,
) -> None:
    conversation = catalogue.begin(empty, "key.generate", {})
    walk(conversation, "register")
    resumed = catalogue.begin(empty, "key.generate", {})
    assert resumed.step is not None
    question = resumed.step.question(resumed.state)
    assert isinstance(question, SecretText)
    assert not question.twice
    assert "just added" in question.prompt
    with pytest.raises(PolicyRefused, match="does not open"):
        resumed.answer(secret_of(b"not it"), Progress())
    assert empty.registry().keys == ()
    walk(resumed, "never")
    assert len(empty.registry().keys) == 2


def test_an_empty_passphrase_is_refused_and_asked_again(empty: Workbench) -> None:
    conversation = catalogue.begin(empty, "key.generate", {"only": "minisign"})
    walk(conversation, "passphrase-minisign")
    conversation.answer(secret_of(b""), Progress())
    with pytest.raises(PolicyRefused, match="empty"):
        conversation.answer("", Progress())
    assert conversation.step is not None
    assert conversation.step.id == "passphrase-minisign"


# --- import -----------------------------------------------------------------------------------


def test_a_minisign_key_is_imported_and_proved(empty: Workbench, tmp_path: Path) -> None:
    key = weak_minisign_key()
    (tmp_path / "old.key").write_bytes(key.key_file)
    answers = secrets(minisign=WEAK_PASSPHRASE)
    run(empty, "key.import.minisign", answers, file=str(tmp_path / "old.key"))
    (registered,) = empty.registry().keys
    assert registered.public_key == key.public_key
    assert events(empty)[-2] == "key.imported"


def test_an_openpgp_key_is_imported_and_proved(empty: Workbench, tmp_path: Path) -> None:
    (tmp_path / "old.asc").write_bytes(weak_openpgp_key().secret_export)
    answers = secrets(gpg=WEAK_PASSPHRASE)
    run(empty, "key.import.gpg", answers, file=str(tmp_path / "old.asc"))
    (registered,) = empty.registry().keys
    assert registered.id == weak_openpgp_key().info.fingerprint


@pytest.mark.parametrize("system", ["minisign", "gpg"])
def test_a_wrong_passphrase_takes_nothing_in_and_is_asked_again(
    empty: Workbench, tmp_path: Path, system: str
) -> None:
    content = {"minisign": weak_minisign_key().key_file, "gpg": weak_openpgp_key().secret_export}
    (tmp_path / "old").write_bytes(content[system])
    conversation = catalogue.begin(empty, f"key.import.{system}", {"file": str(tmp_path / "old")})
    walk(conversation, f"passphrase-{system}")
    conversation.answer(secret_of(b"not it"), Progress())
    with pytest.raises(PolicyRefused) as error:
        conversation.answer("", Progress())
    assert error.value.code == "KEY-1/wrong-passphrase"
    assert empty.registry().keys == ()
    assert minisign_files(tmp_path) == []
    assert conversation.step is not None
    assert conversation.step.id == f"passphrase-{system}"
    conversation.answer(secret_of(WEAK_PASSPHRASE), Progress())
    walk(conversation, "no such step")
    assert len(empty.registry().keys) == 1


@pytest.mark.parametrize("content", [b"", b"no key", b"\0" * 4096, b"x" * (2 << 20)])
@pytest.mark.parametrize("system", ["minisign", "gpg"])
def test_what_is_no_key_is_refused(
    empty: Workbench, tmp_path: Path, system: str, content: bytes
) -> None:
    (tmp_path / "junk").write_bytes(content)
    with pytest.raises(SignerError):
        run(empty, f"key.import.{system}", secrets(), file=str(tmp_path / "junk"))
    assert empty.registry().keys == ()


def test_a_public_key_is_no_secret_key(empty: Workbench, tmp_path: Path) -> None:
    public = render_public_key_file(parse_public_key(weak_minisign_key().public_key))
    (tmp_path / "public").write_bytes(public)
    with pytest.raises(SignerError):
        run(empty, "key.import.minisign", secrets(), file=str(tmp_path / "public"))


# --- rehearsal (FACE-5) ---------------------------------------------------------------------


def test_keys_of_a_rehearsal_say_so_and_are_rejected_in_production(tmp_path: Path) -> None:
    with opened(keyed_vault(tmp_path / "vault", rehearsal=True)) as bench:
        registry = bench.registry()
        assert {key.state for key in registry.keys} == {KeyState.REHEARSAL}
        (openpgp,) = registry.of(Algorithm.OPENPGP)
        assert openpgp.user_id.startswith("REHEARSAL ")
        files = bench.registry_store.load()
    assert b"REHEARSAL" in files["registry.json.minisig"]
    verify_registry(files, verifiers(), accept_rehearsal=True)
    with pytest.raises(UntrustedKey) as error:
        verify_registry(files, verifiers())
    assert error.value.code == "FACE-5/rehearsal"


def test_no_state_of_a_generation_holds_a_passphrase(empty: Workbench) -> None:
    conversation = catalogue.begin(empty, "key.generate", {})
    walk(conversation, "register")
    for name in empty.states.names():
        saved = empty.states.load(name) or b""
        json.loads(saved)
        assert not any(phrase in saved for phrase in PHRASES.values())
