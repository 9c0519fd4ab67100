"""The registry changes in one way only: signed by all, verified, journalled, stored (KEY-2)."""

import hashlib
from collections.abc import Mapping
from datetime import timedelta

import msgspec
import pytest

from pai_signer.domain.registry import Algorithm, Registry, UnsignedRelease
from pai_signer.domain.registry_rules import expect_no_signature
from pai_signer.domain.secret import Secret
from pai_signer.errors import BadSignature, PolicyRefused, SignerError
from pai_signer.workflows.engine import Wipeable
from pai_signer.workflows.keys.sign_registry import sign_and_store
from pai_signer.workflows.verify.verify_registry import verify_registry
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import secrets

EVENT = "key.test"


def changed(bench: Workbench) -> Registry:
    release = UnsignedRelease(version="v0.1.0", reason="made before there were keys")
    return expect_no_signature(bench.registry(), release, now=bench.clock.now())


def hold(bench: Workbench, **others: bytes) -> None:
    for name, passphrase in secrets(**others).items():
        assert isinstance(passphrase, Secret)
        bench.session.hold(name, passphrase)


def refused(bench: Workbench, registry: Registry, code: str) -> SignerError:
    """It is refused, and vault, journal and session are as if nothing had been tried."""
    files, entries = bench.registry_store.load(), bench.journal.entries()
    with pytest.raises(SignerError) as error:
        sign_and_store(bench, registry, EVENT, {})
    assert error.value.code == code
    assert bench.registry_store.load() == files
    assert bench.journal.entries() == entries
    assert "minisign" not in bench.session
    assert "gpg" not in bench.session
    return error.value


def test_the_new_state_is_signed_by_every_key_and_journalled(keyed: Workbench) -> None:
    hold(keyed)
    registry = changed(keyed)
    sign_and_store(keyed, registry, EVENT, {"why": "a test"})
    files = keyed.registry_store.load()
    assert set(files) == {"registry.json", "registry.json.minisig", "registry.json.asc"}
    assert verify_registry(files, keyed.verifiers) == registry
    assert f"registry-{registry.serial}".encode() in files["registry.json.minisig"]
    newest = keyed.journal.entries()[-1]
    assert newest.event == EVENT
    assert newest.facts == {
        "why": "a test",
        "registry_serial": registry.serial,
        "registry_sha256": hashlib.sha256(files["registry.json"]).hexdigest(),
    }
    assert "minisign" not in keyed.session


def test_an_unlocked_key_signs_as_its_passphrase_does(keyed: Workbench) -> None:
    hold(keyed)
    key = keyed.registry().signing_key(Algorithm.MINISIGN)
    passphrase = secrets()["minisign"]
    assert key is not None
    assert isinstance(passphrase, Secret)
    keyed.session.hold("minisign", keyed.minisign.unlock(key.public_key, passphrase))
    registry = changed(keyed)
    sign_and_store(keyed, registry, EVENT, {})
    assert verify_registry(keyed.registry_store.load(), keyed.verifiers) == registry


@pytest.mark.parametrize("system", ["minisign", "gpg"])
def test_a_wrong_passphrase_changes_nothing(keyed: Workbench, system: str) -> None:
    hold(keyed, **{system: b"not the passphrase"})
    error = refused(keyed, changed(keyed), "KEY-1/wrong-passphrase")
    assert isinstance(error, PolicyRefused)


def test_what_could_not_follow_the_stored_state_is_never_signed(keyed: Workbench) -> None:
    hold(keyed)
    stored = keyed.registry()
    without_a_key = msgspec.structs.replace(
        stored, serial=stored.serial + 1, keys=stored.keys[:1], changed_at=keyed.clock.now()
    )
    error = refused(keyed, without_a_key, "KEY-2/not-a-successor")
    assert "is gone" in error.summary


def test_a_state_with_an_older_date_is_never_signed(keyed: Workbench) -> None:
    older = keyed.clock.now()
    ahead = msgspec.structs.replace(changed(keyed), changed_at=older + timedelta(hours=1))
    hold(keyed)
    sign_and_store(keyed, ahead, EVENT, {})
    hold(keyed)
    serial = ahead.serial + 1
    refused(
        keyed,
        msgspec.structs.replace(ahead, serial=serial, changed_at=older),
        "KEY-2/not-a-successor",
    )


def test_a_signature_that_does_not_verify_is_never_stored(
    keyed: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = keyed.openpgp.sign_detached

    def signs_something_else(data: bytes, fingerprint: str, passphrase: Secret) -> bytes:
        return real(data + b"\n", fingerprint, passphrase)

    monkeypatch.setattr(keyed.openpgp, "sign_detached", signs_something_else)
    hold(keyed)
    error = refused(keyed, changed(keyed), "SIG-5/bad-signature")
    assert isinstance(error, BadSignature)


class PowerCut(BaseException):
    """The machine went off."""


def test_evidence_comes_first(keyed: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The power goes off between journal and registry: there is an entry, and no change."""

    def save(files: Mapping[str, bytes]) -> None:
        raise PowerCut

    monkeypatch.setattr(keyed.registry_store, "save", save)
    before, registry = keyed.registry(), changed(keyed)
    hold(keyed)
    with pytest.raises(PowerCut):
        sign_and_store(keyed, registry, EVENT, {})
    assert keyed.registry() == before
    assert keyed.journal.entries()[-1].facts["registry_serial"] == registry.serial


def test_everything_held_is_wiped(keyed: Workbench) -> None:
    hold(keyed)
    held: list[Wipeable] = [keyed.session.take(name) for name in ("minisign", "gpg")]
    sign_and_store(keyed, changed(keyed), EVENT, {})
    assert all(isinstance(secret, Secret) and secret.is_empty for secret in held)
