"""The OpenPGP key lives on, and so does everything it ever signed (KEY-4, POL-8)."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest

from pai_signer.adapters import gpg_commands as commands
from pai_signer.adapters.gpg_home import vault_home
from pai_signer.composition import sources, verifiers
from pai_signer.domain.openpgp import expires_on
from pai_signer.domain.openpgp_certificate import dearmored
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey
from pai_signer.domain.registry_rules import check_grows
from pai_signer.domain.reminders import AvoidedDays, good_expiry_day
from pai_signer.domain.secret import Secret
from pai_signer.errors import PolicyRefused, SignerError, UsageError
from pai_signer.ports import OpenPgpKeyInfo
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import NO, YES, Answer
from pai_signer.workflows.keys.key_dates import NOT_COMPARED, parse_day, proposed_day
from pai_signer.workflows.verify.verify_registry import verify_registry
from pai_signer.workflows.verify.verify_release import VerifyRequest, verify_release
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import (
    RELEASE,
    ShiftedClock,
    a_strangers_repository,
    downloads_copy,
    events,
    keyed_vault,
    opened,
    published,
    rename_release,
    run,
    secrets,
    sign,
)

MANIFEST = "SHA256SUMS"


def day(bench: Workbench, days: int) -> date:
    """A day that may be an expiry, some days from now; a key is born with 400."""
    return good_expiry_day((bench.clock.now() + timedelta(days=days)).date(), AvoidedDays())


def openpgp(bench: Workbench) -> RegisteredKey:
    key = bench.registry().signing_key(Algorithm.OPENPGP)
    assert key is not None
    return key


def extend(bench: Workbench, until: date, **others: bytes) -> None:
    answers = {"clock": YES, **secrets(**others)}
    run(bench, "key.extend", answers, until=until.isoformat())


def in_vault(vault: Path, bench: Workbench) -> set[date]:
    """The expiry days that the vault's own gpg knows."""
    key = openpgp(bench).id
    with vault_home(vault / "keys" / "gnupg") as home:
        found = commands.listed(home, key)
        return {k.expires_at.date() for k in (found.primary, *found.subkeys) if k.expires_at}


def publish(bench: Workbench, to: Path) -> Path:
    to.mkdir()
    run(bench, "key.publish", directory=str(to))
    return to


def judged(certificate: str, folder: Path, at: Path) -> dict[str, int]:
    """What gpgv and sqv say of the manifest's signature, with this certificate alone."""
    at.mkdir()
    armored, binary = at / "cert.asc", at / "cert.gpg"
    armored.write_text(certificate)
    binary.write_bytes(dearmored(certificate))
    signature, data = folder / f"{MANIFEST}.asc", folder / MANIFEST
    tools: dict[str, list[str | Path]] = {
        "gpgv": ["gpgv", "--keyring", binary, signature, data],
        "sqv": ["sqv", "--keyring", armored, signature, data],
    }
    return {
        name: subprocess.run(command, capture_output=True, check=False).returncode
        for name, command in tools.items()
    }


def next_release(bench: Workbench, at: Path, version: str) -> Path:
    """Another version, signed and exported under the keys as they are now."""
    source = rename_release(downloads_copy(at / "stick"), version, version.encode())
    (source / "practice.bundle").unlink()
    shutil.move(a_strangers_repository(at / "repository").full_bundle(), source)
    run(bench, "release.import", directory=str(source))
    sign(bench, f"v{version}", **{"waive.POL-5": "another history"})
    outcome = run(bench, "release.export", version=f"v{version}", directory=str(at))
    return Path(outcome.data["folder"])


def refused(bench: Workbench, vault: Path, until: date | str, **answers: Answer) -> SignerError:
    """It is refused; key, registry, journal are as before, and no secret is kept."""
    before = (in_vault(vault, bench), bench.registry_store.load(), events(bench))
    given: dict[str, Answer] = {"clock": YES, **secrets(), **answers}
    with pytest.raises(SignerError) as error:
        run(bench, "key.extend", given, until=str(until))
    assert (in_vault(vault, bench), bench.registry_store.load(), events(bench)) == before
    assert "gpg" not in bench.session
    return error.value


# --- the life of a key -------------------------------------------------------------------------


def test_everything_signed_before_verifies_after_two_extensions(
    signed: Workbench, tmp_path: Path
) -> None:
    releases = {RELEASE: published(tmp_path / "first")}
    first, second = day(signed, 500), day(signed, 700)
    earlier = [openpgp(signed)]
    extend(signed, first)
    earlier.append(openpgp(signed))
    releases["v0.3.0"] = next_release(signed, tmp_path / "second", "0.3.0")
    extend(signed, second)
    releases["v0.4.0"] = next_release(signed, tmp_path / "third", "0.4.0")

    assert in_vault(tmp_path / "vault", signed) == {second}
    key = openpgp(signed)
    assert expires_on(key.expires_at, second)
    keys = publish(signed, tmp_path / "keys")
    certificate = (keys / f"gpg-{key.id}.asc").read_text()
    for version, folder in releases.items():
        request = VerifyRequest(directory=folder, keys=keys)
        outcome = verify_release(request, sources(), verifiers(), Progress())
        assert outcome.data["version"] == version
        assert outcome.data["signatures_missing"] == []
        judges = judged(certificate, folder, tmp_path / f"judged-{version}")
        assert judges == {"gpgv": 0, "sqv": 0}, version

    for known in earlier:
        check_grows(known, certificate)


def test_what_the_vaults_gpg_forgot_stays_in_the_published_certificate(
    signed: Workbench, tmp_path: Path
) -> None:
    """A home that was restored, or cleaned by gpg, knows the newest self-signature alone."""
    first = published(tmp_path / "first")
    extend(signed, day(signed, 500))
    fingerprint, before = openpgp(signed).id, openpgp(signed)
    with vault_home(tmp_path / "vault" / "keys" / "gnupg") as home:
        least = ["--armor", "--export-options", "export-minimal", "--export", fingerprint]
        newest = home.run(least).stdout
        (home.path / "pubring.kbx").unlink()
        home.run(["--import"], stdin=newest)
    with pytest.raises(PolicyRefused):
        check_grows(before, newest.decode())  # it did forget
    extend(signed, day(signed, 700))
    certificate = openpgp(signed).public_key
    check_grows(before, certificate)
    assert judged(certificate, first, tmp_path / "judged") == {"gpgv": 0, "sqv": 0}


def test_an_extension_is_journalled_with_its_command(keyed: Workbench) -> None:
    before, until = openpgp(keyed), day(keyed, 500)
    extend(keyed, until)
    entry = keyed.journal.entries()[-1]
    assert entry.event == "key.extended"
    assert entry.facts["keys"] == [{"algorithm": "openpgp", "id": before.id}]
    assert entry.facts["until"] == until.isoformat()
    assert entry.facts["expired_before"] == f"{before.expires_at:%Y-%m-%d}"
    assert entry.facts["clock_compared"] is True
    assert entry.facts["command"] == f"key extend --until {until}"
    assert verify_registry(keyed.registry_store.load(), keyed.verifiers) == keyed.registry()
    assert keyed.registry().serial == entry.facts["registry_serial"]
    assert keyed.states.names() == ()


def test_flags_alone_take_the_proposed_day_and_say_that_no_clock_was_compared(
    tmp_path: Path,
) -> None:
    """A month after its birth, a key can be extended by a month."""
    vault = keyed_vault(tmp_path / "vault")
    with opened(vault, clock=ShiftedClock(timedelta(days=30))) as bench:
        proposed = proposed_day(bench)
        assert not AvoidedDays().holds(proposed)
        outcome = run(bench, "key.extend", secrets())
        assert outcome.data["expires"] == proposed.isoformat()
        assert outcome.data["clock_compared"] is False
        assert bench.journal.entries()[-1].facts["clock_compared"] is False
        assert in_vault(vault, bench) == {proposed}


# --- refusals -----------------------------------------------------------------------------------


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return tmp_path / "vault"  # where the fixture ``keyed`` has it


@pytest.mark.parametrize("system", ["minisign", "gpg"])
def test_a_wrong_passphrase_changes_nothing(keyed: Workbench, vault: Path, system: str) -> None:
    wrong = secrets(**{system: b"not the passphrase"})[system]
    error = refused(keyed, vault, day(keyed, 500), **{system: wrong})
    assert error.code == "KEY-1/wrong-passphrase"
    assert error.unchanged
    extend(keyed, day(keyed, 500))  # and it can be done right afterwards


@pytest.mark.parametrize("answer", [YES, NOT_COMPARED])
def test_a_clock_that_is_a_day_behind_is_refused(tmp_path: Path, vault: Path, answer: str) -> None:
    with opened(keyed_vault(vault), clock=ShiftedClock(timedelta(days=-1))) as bench:
        error = refused(bench, vault, day(bench, 500), clock=answer)
    assert error.code == "POL-8/clock"
    assert "before" in error.summary


def test_a_clock_that_the_watch_contradicts_is_refused(keyed: Workbench, vault: Path) -> None:
    assert refused(keyed, vault, day(keyed, 500), clock=NO).code == "POL-8/clock"


def test_a_clock_years_ahead_is_refused_where_nobody_compared_it(
    tmp_path: Path, vault: Path
) -> None:
    with opened(keyed_vault(vault), clock=ShiftedClock(timedelta(days=500))) as bench:
        error = refused(bench, vault, day(bench, 500), clock=NOT_COMPARED)
    assert error.code == "POL-8/clock"
    assert "nobody compared" in error.summary


def test_a_day_that_is_not_later_is_refused(keyed: Workbench, vault: Path) -> None:
    assert refused(keyed, vault, day(keyed, 300)).code == "KEY-4/not-later"


def test_a_day_too_far_away_is_refused(keyed: Workbench, vault: Path) -> None:
    assert refused(keyed, vault, day(keyed, 2000)).code == "KEY-4/too-far"


def test_a_holiday_is_refused_with_the_last_good_day_before_it(
    keyed: Workbench, vault: Path
) -> None:
    year = keyed.clock.now().year + 1
    error = refused(keyed, vault, date(year, 12, 31))
    assert error.code == "KEY-4/avoided-day"
    assert str(good_expiry_day(date(year, 12, 31), AvoidedDays())) in error.hint


@pytest.mark.parametrize(
    "text", ["20271217", "2027-W50-5", "2027-12-32", "17.12.2027", "+2y", "2027-12-1", " "]
)
def test_only_a_plain_calendar_day_is_a_day(text: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_day(text)
    assert error.value.code == "KEY-4/date"


def test_there_has_to_be_a_key(empty: Workbench) -> None:
    with pytest.raises(PolicyRefused) as error:
        run(empty, "key.extend")
    assert error.value.code == "POL-6/no-key"
    assert events(empty) == ["vault.created"]


# --- crashes ------------------------------------------------------------------------------------


class PowerCut(BaseException):
    """The machine went off."""


def cut(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, owner: object, name: str, until: date
) -> None:
    """Play until ``name`` is called, which is when the power goes off."""

    def off(*_arguments: object) -> None:
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, off)
        with pytest.raises(PowerCut):
            extend(bench, until)


@pytest.mark.parametrize("where", ["merge", "registry", "save"])
def test_a_killed_extension_goes_on_where_it_stood(
    keyed: Workbench, vault: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Killed after gpg set the date, between the two steps, and before the registry is stored."""
    until, before, serial = day(keyed, 500), keyed.registry_store.load(), keyed.registry().serial
    owner, name = {
        "merge": (keyed.openpgp_life, "merged_certificate"),
        "registry": (keyed.openpgp, "sign_detached"),
        "save": (keyed.registry_store, "save"),
    }[where]
    cut(keyed, monkeypatch, owner, name, until)
    assert in_vault(vault, keyed) == {until}
    assert keyed.registry_store.load() == before
    with opened_again(vault) as bench:
        calls: list[date] = []
        real = bench.openpgp_life.extend

        def counted(key: str, day: date, passphrase: Secret) -> OpenPgpKeyInfo:
            calls.append(day)
            return real(key, day, passphrase)

        monkeypatch.setattr(bench.openpgp_life, "extend", counted)
        extend(bench, until)
        assert calls == ([until] if where == "merge" else [])
        assert expires_on(openpgp(bench).expires_at, until)
        assert verify_registry(bench.registry_store.load(), bench.verifiers)
        assert bench.registry().serial == serial + 1
        assert bench.states.names() == ()


def test_a_kill_after_the_registry_was_stored_does_not_store_it_again(
    keyed: Workbench, vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = day(keyed, 500)
    save = keyed.registry_store.save

    def save_then_off(files: Mapping[str, bytes]) -> None:
        save(files)
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(keyed.registry_store, "save", save_then_off)
        with pytest.raises(PowerCut):
            extend(keyed, until)
    stored = keyed.registry_store.load()
    with opened_again(vault) as bench:
        extend(bench, until)
        assert bench.registry_store.load() == stored
        assert events(bench).count("key.extended") == 1
        assert bench.states.names() == ()


def test_an_extension_that_is_given_up_half_way_is_journalled_and_can_be_done_again(
    keyed: Workbench, vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = day(keyed, 500)
    cut(keyed, monkeypatch, keyed.openpgp, "sign_detached", until)
    with opened_again(vault) as bench:
        catalogue.begin(bench, "key.extend", {"until": str(until)}).discard()
        assert events(bench)[-1] == "key.extension-discarded"
        assert bench.states.names() == ()
        extend(bench, until)
        assert expires_on(openpgp(bench).expires_at, until)


def test_nothing_is_journalled_where_nothing_was_set(keyed: Workbench, vault: Path) -> None:
    before = events(keyed)
    catalogue.begin(keyed, "key.extend", {}).discard()
    assert events(keyed) == before


@contextmanager
def opened_again(vault: Path) -> Iterator[Workbench]:
    """The vault after the power came back: the lock of the dead process is nobody's."""
    (vault / "vault.lock").rename(vault / "vault.lock.dead")
    with opened(vault) as bench:
        yield bench
