"""Revocation certificates made at birth leave the vault, and do what their card says (KEY-1)."""

import shutil
from pathlib import Path

import pytest

from pai_signer.domain.registry import Algorithm
from pai_signer.errors import FormatError, PolicyRefused, UsageError
from pai_signer.workflows.keys.export_revocations import CARD
from pai_signer.workflows.overview import home_page
from pai_signer.workflows.workbench import Workbench
from tests.keys import weak_minisign_key, weak_passphrase
from tests.workflows.bench import PHRASES, events, run, secrets
from tests.workflows.rotating import stock


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    folder = tmp_path / "medium"
    folder.mkdir()
    return folder


def fingerprint(bench: Workbench) -> str:
    (key,) = bench.registry().of(Algorithm.OPENPGP)
    return key.id


def home_text(bench: Workbench) -> str:
    return "\n".join(f"{line.label} {line.text}" for line in home_page(bench).lines)


def test_they_are_written_with_a_card_journalled_and_home_stops_asking(
    keyed: Workbench, medium: Path
) -> None:
    assert "revocations made, not carried out yet" in home_text(keyed)
    data = run(keyed, "key.revocations", directory=str(medium)).data
    (folder,) = medium.iterdir()
    assert data["folders"] == [str(folder)]
    kept = keyed.revocations.load(fingerprint(keyed))
    assert {path.name for path in folder.iterdir()} == {*kept, CARD}
    assert all((folder / name).read_bytes() == block for name, block in kept.items())
    entry = keyed.journal.entries()[-1]
    assert (entry.event, entry.facts["key"]) == ("revocations.exported", fingerprint(keyed))
    assert "not carried out" not in home_text(keyed)
    # The same again is no conflict; nothing was changed by the first.
    run(keyed, "key.revocations", directory=str(medium))


def test_the_card_can_be_read_in_ten_years(keyed: Workbench, medium: Path) -> None:
    run(keyed, "key.revocations", directory=str(medium))
    (card,) = medium.rglob(CARD)
    text = card.read_text("ascii")
    assert all(len(line) < 80 for line in text.splitlines())
    for part in (
        fingerprint(keyed),
        "compromised.asc: SOMEBODY ELSE HAS OR MAY HAVE THE KEY",
        "superseded.asc: THE KEY IS LOST, AND NOBODY ELSE HAS IT",
        "gpg --import FILE",
        "strict verifiers (sqv) reject all that the key has signed since",
        "pai-signer key revoke",
    ):
        assert part in " ".join(text.split()) or part in text


@pytest.mark.parametrize(("name", "code"), [("compromised.asc", "02"), ("superseded.asc", "01")])
def test_stock_tools_do_with_them_what_the_card_says(
    keyed: Workbench, medium: Path, tmp_path: Path, name: str, code: str
) -> None:
    """Signed after birth: sqv rejects it under either; gpg calls the key revoked."""
    key = fingerprint(keyed)
    signature = keyed.openpgp.sign_detached(b"data\n", key, weak_passphrase(PHRASES["gpg"]))
    (tmp_path / "data").write_bytes(b"data\n")
    (tmp_path / "data.asc").write_bytes(signature)
    run(keyed, "key.publish", directory=str(tmp_path))
    run(keyed, "key.revocations", directory=str(medium))
    (chosen,) = medium.rglob(name)
    public = tmp_path / f"gpg-{key}.asc"
    assert stock("sqv", "--keyring", public, tmp_path / "data.asc", tmp_path / "data")
    home = tmp_path / "h"
    home.mkdir(mode=0o700)
    gpg = ("gpg", "--homedir", str(home), "--batch", "--no-autostart")
    assert stock(*gpg, "--import", public)
    assert stock(*gpg, "--import", chosen)
    assert stock(*gpg, "--armor", "--output", tmp_path / "revoked.asc", "--export", key)
    verify = (tmp_path / "data.asc", tmp_path / "data")
    assert not stock("sqv", "--keyring", tmp_path / "revoked.asc", *verify)
    packets = keyed.openpgp_life.check_revocation(key, chosen.read_bytes())
    assert f"{packets.reason.value:02}" == code


def test_a_changed_certificate_is_not_carried_out(keyed: Workbench, medium: Path) -> None:
    key = fingerprint(keyed)
    block = keyed.revocations.load(key)["superseded.asc"]
    before = events(keyed)
    keyed.revocations.save(key, {"superseded.asc": block[:-60] + block[-59:]})
    with pytest.raises((FormatError, PolicyRefused)):
        run(keyed, "key.revocations", directory=str(medium))
    assert list(medium.iterdir()) == []
    assert events(keyed) == before


def test_other_content_on_the_medium_is_never_overwritten(keyed: Workbench, medium: Path) -> None:
    run(keyed, "key.revocations", directory=str(medium))
    (card,) = medium.rglob(CARD)
    card.write_text("mine")
    before = events(keyed)
    with pytest.raises(PolicyRefused) as error:
        run(keyed, "key.revocations", directory=str(medium))
    assert error.value.code == "EXP-2/other-content"
    assert card.read_text() == "mine"
    assert events(keyed) == before


def test_without_an_openpgp_key_there_are_none(
    empty: Workbench, medium: Path, tmp_path: Path
) -> None:
    (tmp_path / "old.key").write_bytes(weak_minisign_key().key_file)
    given = {"minisign": weak_passphrase()}
    run(empty, "key.import.minisign", given, file=str(tmp_path / "old.key"))
    with pytest.raises(UsageError, match="no revocation certificates"):
        run(empty, "key.revocations", directory=str(medium))


def test_a_rotation_makes_them_for_the_new_key_too(keyed: Workbench) -> None:
    old = fingerprint(keyed)
    answers = {"confirm": old[-16:], **secrets(new=b"weak new phrase")}
    new = run(keyed, "key.rotate.gpg", answers).data["new"]
    assert set(keyed.revocations.names()) == {old, new}
    assert "revocations made, not carried out yet" in home_text(keyed)


def test_the_folder_of_the_vault_is_private(keyed: Workbench, tmp_path: Path) -> None:
    folder = tmp_path / "vault" / "revocations"
    assert folder.stat().st_mode & 0o077 == 0
    shutil.rmtree(folder)
    with pytest.raises(UsageError):
        run(keyed, "key.revocations", directory=str(tmp_path))
