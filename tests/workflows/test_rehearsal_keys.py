"""A key of a rehearsal is never registered as a real one, whatever way it comes (KEY-2, FACE-5)."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from pai_signer.adapters.gpg_home import vault_home
from pai_signer.domain.registry import Algorithm, KeyState
from pai_signer.domain.reminders import AvoidedDays, good_expiry_day
from pai_signer.domain.secret import Secret
from pai_signer.errors import SignerError
from pai_signer.workflows.engine import Answer
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import PHRASES, events, keyed_vault, opened, run, secrets

NEW_PHRASE: Final = b"weak new phrase"


@pytest.fixture
def practice(tmp_path: Path) -> Path:
    return keyed_vault(tmp_path / "practice", rehearsal=True)


@pytest.fixture
def exported(practice: Path, tmp_path: Path) -> dict[str, Path]:
    """The rehearsal's secret keys as files, as somebody might carry them over."""
    (minisign,) = (practice / "keys" / "minisign").iterdir()
    gpg = tmp_path / "practice-gpg.asc"
    with vault_home(practice / "keys" / "gnupg") as home:
        done = home.run(
            ["--armor", "--export-secret-keys"], passphrase=Secret(bytearray(PHRASES["gpg"]))
        )
    gpg.write_bytes(done.stdout)
    return {"minisign": minisign, "gpg": gpg}


def of_system(system: str) -> dict[str, Answer]:
    return {system: secrets()[system]}


@pytest.mark.parametrize("system", ["minisign", "gpg"])
def test_it_is_not_imported_into_a_real_vault(
    empty: Workbench, exported: dict[str, Path], system: str
) -> None:
    with pytest.raises(SignerError) as error:
        run(empty, f"key.import.{system}", of_system(system), file=str(exported[system]))
    assert "rehearsal" in error.value.summary
    assert error.value.exit_code in {3, 4}
    assert empty.registry().keys == ()
    assert events(empty) == ["vault.created"]


def test_its_file_in_a_real_vault_opens_for_nothing(
    keyed: Workbench, practice: Path, tmp_path: Path
) -> None:
    """Put there while a rotation looks for the key that a crash had left."""
    (file,) = (practice / "keys" / "minisign").iterdir()
    shutil.copy(file, tmp_path / "vault" / "keys" / "minisign")
    with pytest.raises(SignerError) as error:
        keyed.minisign.adopt(file.stem, Secret(bytearray(PHRASES["minisign"])))
    assert error.value.code == "KEY-2/rehearsal"


def test_a_rehearsal_takes_its_own_keys_and_real_ones_play_along(
    practice: Path, exported: dict[str, Path], tmp_path: Path
) -> None:
    with opened(practice) as bench:
        active = bench.registry().signing_key(Algorithm.MINISIGN)
        assert active is not None
        answers = {"confirm": active.id, **secrets(new=NEW_PHRASE)}
        run(bench, "key.rotate.minisign", answers)
        assert {key.state for key in bench.registry().keys} == {KeyState.REHEARSAL}
        for path in (practice / "keys" / "minisign").iterdir():
            assert path.read_bytes().startswith(b"untrusted comment: REHEARSAL ")


@pytest.fixture
def relabelled(practice: Path) -> Iterator[Workbench]:
    """A rehearsal's vault that somebody calls a real one in ``vault.json``."""
    path = practice / "vault.json"
    text = path.read_text()
    assert '"rehearsal": true' in text
    path.write_text(text.replace('"rehearsal": true', '"rehearsal": false'))
    with opened(practice) as bench:
        yield bench


@pytest.mark.parametrize("entry", ["key.rotate.minisign", "key.publish", "key.extend"])
def test_calling_the_vault_a_real_one_makes_no_real_key(
    relabelled: Workbench, entry: str, tmp_path: Path
) -> None:
    """Registry and key files say what they are, whatever the vault is called."""
    before = relabelled.registry_store.load()
    active = relabelled.registry().signing_key(Algorithm.MINISIGN)
    assert active is not None
    out = tmp_path / "out"
    out.mkdir()
    answers = {"clock": "yes", "confirm": active.id, **secrets(new=NEW_PHRASE)}
    day = (relabelled.clock.now() + timedelta(days=500)).date()
    arguments = {
        "key.publish": {"directory": str(out)},
        "key.extend": {"until": good_expiry_day(day, AvoidedDays()).isoformat()},
    }.get(entry, {})
    with pytest.raises(SignerError) as error:
        run(relabelled, entry, answers, **arguments)
    assert "rehearsal" in error.value.summary
    assert relabelled.registry_store.load() == before
    assert list(out.iterdir()) == []
