"""Revoking a key: notice, list, registry and certificate, signed by who can still sign (KEY-5)."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from pai_signer.domain.ceremony import TRANSCRIPT_NAME, parse_transcript
from pai_signer.domain.compromise import notice_name
from pai_signer.domain.endorsement import endorsement_name, parse_endorsement
from pai_signer.domain.openpgp_certificate import dearmored, key_revocation_codes
from pai_signer.domain.openpgp_signatures import RevocationReason
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, KeyState
from pai_signer.domain.secret import Secret
from pai_signer.errors import CannotTell, FormatError, PolicyRefused, SignerError, UsageError
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import Automatic, Conversation
from pai_signer.workflows.keys.ending_key import REVOCATION
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import (
    PHRASES,
    RELEASE,
    downloads,
    events,
    keyed_vault,
    run,
    secrets,
    sign,
    signed_vault,
)
from tests.workflows.compromise import (
    REVOKE,
    answers,
    minisign,
    opened_later,
    openpgp,
    revoke,
    until,
)
from tests.workflows.dying import FailingPort, Killed, KillingPort, with_port
from tests.workflows.rotating import stock


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[Workbench]:
    with opened_later(keyed_vault(tmp_path / "vault")) as bench:
        yield bench


@pytest.fixture
def signed(tmp_path: Path) -> Iterator[Workbench]:
    with opened_later(signed_vault(tmp_path / "vault")) as bench:
        yield bench


def vault_state(bench: Workbench) -> tuple[Any, ...]:
    """All that a refusal must leave as it was."""
    return (bench.registry(), bench.ceremonies.names(), events(bench))


# --- compromised ----------------------------------------------------------------------------


def test_a_compromised_minisign_key_leaves_notice_list_and_registry_signed_by_the_other(
    signed: Workbench, public: Path
) -> None:
    key_id, other = minisign(signed), openpgp(signed)
    said = until(signed)
    data = revoke(signed, key_id, **{"trusted-until": said})
    registry = signed.registry()
    key = registry.find(key_id)
    assert (key.state, key.reason) == (KeyState.COMPROMISED, "laptop stolen")
    assert f"{key.do_not_trust_after:%Y-%m-%d %H:%M}" == said
    assert registry.signing_key(Algorithm.MINISIGN) is None
    assert events(signed)[-2:] == ["key.revoked", "ceremony.ended"]
    run(signed, "key.publish", directory=str(public))
    names = (notice_name(key_id), endorsement_name(key_id))
    for name in names:
        certificate = f"gpg-{other}.asc"
        assert stock("sqv", "--keyring", certificate, f"{name}.asc", name, cwd=public)
        assert not (public / f"{name}.minisig").exists()
        assert name in data["papers"]
    (release,) = parse_endorsement((public / names[1]).read_bytes()).releases
    assert release.version == RELEASE
    assert release.signed_by == (key_id, other)
    assert not (public / "minisign.pub").exists()


def test_a_compromised_openpgp_key_is_revoked_hard_in_registry_vault_and_stock_tools(
    signed: Workbench, public: Path
) -> None:
    key_id = openpgp(signed)
    run(signed, "key.publish", directory=str(public))
    for name in ("registry.json", "registry.json.asc"):
        shutil.copy(public / name, public / name.replace("registry.json", "old"))
    old = ("sqv", "--keyring", f"gpg-{key_id}.asc", "old.asc", "old")
    assert stock(*old, cwd=public)
    revoke(signed, key_id)
    certificate = signed.registry().find(key_id).public_key
    assert key_revocation_codes(certificate) == (RevocationReason.COMPROMISED.value,)
    with pytest.raises(PolicyRefused) as refused:
        signed.openpgp.sign_detached(b"x", key_id, Secret(bytearray(PHRASES["gpg"])))
    assert refused.value.code == "POL-6/revoked"
    run(signed, "key.publish", directory=str(public))
    assert not stock(*old, cwd=public)
    name = notice_name(key_id)
    assert stock("minisign", "-Vm", name, "-p", "minisign.pub", cwd=public)
    assert not (public / f"{name}.asc").exists()


def test_a_prepared_certificate_revokes_where_the_passphrase_is_lost(
    signed: Workbench, tmp_path: Path
) -> None:
    key_id = openpgp(signed)
    made = signed.openpgp_life.make_revocation(
        key_id, RevocationReason.COMPROMISED, "made at birth", Secret(bytearray(PHRASES["gpg"]))
    )
    path = tmp_path / "revocation-compromised.asc"
    path.write_bytes(made.block)
    given = {**answers(signed, key_id), "minisign": secrets()["minisign"]}
    for name in ("gpg", "revoked"):
        del given[name]
    run(signed, REVOKE, given, id=key_id, reason="compromised", certificate=str(path))
    assert key_revocation_codes(signed.registry().find(key_id).public_key) == (2,)


def test_a_certificate_for_another_reason_or_key_revokes_nothing(
    keyed: Workbench, tmp_path: Path
) -> None:
    key_id, path = openpgp(keyed), tmp_path / "revocation.asc"
    soft = keyed.openpgp_life.make_revocation(
        key_id, RevocationReason.SUPERSEDED, "", Secret(bytearray(PHRASES["gpg"]))
    )
    before = keyed.registry()
    for data, error in ((soft.block, PolicyRefused), (b"no block", FormatError)):
        path.write_bytes(data)
        with pytest.raises(error):
            revoke(keyed, key_id, certificate=str(path))
        assert keyed.registry() == before
    for reason, key in (("retired", key_id), ("compromised", minisign(keyed))):
        with pytest.raises(UsageError) as refused:
            revoke(keyed, key, reason, certificate=str(path))
        assert refused.value.code == "KEY-5/certificate"


def test_a_retired_key_can_turn_out_to_be_compromised(keyed: Workbench, public: Path) -> None:
    old = minisign(keyed)
    run(keyed, "key.rotate.minisign", {"confirm": old, **secrets(new=b"weak new phrase")})
    revoke(keyed, old, minisign=Secret(bytearray(b"weak new phrase")))
    key = keyed.registry().find(old)
    assert (key.life, key.superseded_by) == (KeyState.COMPROMISED, minisign(keyed))
    run(keyed, "key.publish", directory=str(public))
    # The statement of the old rotation is still published, and notice and list have two signers.
    assert len(list(public.glob("transition-*.txt"))) == 1
    for name in (notice_name(old), endorsement_name(old)):
        assert (public / f"{name}.asc").exists()
        assert stock("minisign", "-Vm", name, "-p", "minisign.pub", cwd=public)
    assert (
        keyed.registry().find(minisign(keyed)).public_key in (public / notice_name(old)).read_text()
    )


# --- soft reasons ---------------------------------------------------------------------------


def test_retiring_the_openpgp_key_keeps_old_signatures_good_everywhere(
    signed: Workbench, public: Path, folder: Path
) -> None:
    key_id = openpgp(signed)
    revoke(signed, key_id, "retired")
    key = signed.registry().find(key_id)
    assert key.life is KeyState.RETIRED
    assert key_revocation_codes(key.public_key) == (RevocationReason.RETIRED.value,)
    run(signed, "key.publish", directory=str(public))
    verdict = run(signed, "verify", directory=str(folder), keys=str(public)).data
    assert verdict["verdict"] == "good"
    assert f"OpenPGP {key_id} (retired)" in verdict["signed_by"]
    signature = ("SHA256SUMS.asc", "SHA256SUMS")
    certificate = public / f"gpg-{key_id}.asc"
    assert stock("sqv", "--keyring", certificate, *signature, cwd=folder)
    keyring = public / "dearmored.gpg"
    keyring.write_bytes(dearmored(certificate.read_text()))
    assert stock("gpgv", "--keyring", keyring, *signature, cwd=folder)


def test_retiring_the_minisign_key_leaves_one_system(keyed: Workbench) -> None:
    key_id = minisign(keyed)
    revoke(keyed, key_id, "retired")
    assert keyed.registry().find(key_id).life is KeyState.RETIRED
    assert keyed.registry().signing_key(Algorithm.MINISIGN) is None
    with pytest.raises(PolicyRefused) as refused:
        revoke(keyed, key_id, "retired")
    assert refused.value.code == "KEY-5/nothing-to-revoke"
    revoke(keyed, key_id, "compromised")
    assert keyed.registry().find(key_id).life is KeyState.COMPROMISED


def test_a_soft_revocation_is_not_taken_after_its_key_signed_again(signed: Workbench) -> None:
    key_id = openpgp(signed)
    talk = begin(signed, key_id, "retired")
    walk(signed, talk, "revoke")
    signed.journal.append("release.signing", {"keys": [key_id]})
    with pytest.raises(PolicyRefused) as refused:
        talk.answer(key_id, Progress())
    assert refused.value.code == "KEY-5/signed-since"
    assert signed.registry().find(key_id).life is KeyState.ACTIVE


# --- refused --------------------------------------------------------------------------------


def test_what_cannot_be_revoked_says_why_and_changes_nothing(keyed: Workbench) -> None:
    one, two = minisign(keyed), openpgp(keyed)
    before = vault_state(keyed)
    with pytest.raises(SignerError) as refused:
        revoke(keyed, "FF" * 20)
    assert refused.value.code == "KEY-2/unknown-key"
    with pytest.raises(PolicyRefused) as superseded:
        revoke(keyed, two, "superseded")
    assert superseded.value.code == "KEY-5/no-successor"
    assert vault_state(keyed) == before
    revoke(keyed, one)
    before = vault_state(keyed)
    with pytest.raises(PolicyRefused) as twice:
        revoke(keyed, one)
    assert twice.value.code == "KEY-5/revoked-already"
    with pytest.raises(PolicyRefused) as alone:
        revoke(keyed, two)
    assert alone.value.code == "KEY-5/nobody-left-to-sign"
    assert "key rotate minisign" in alone.value.hint
    assert vault_state(keyed) == before


WRONG: Final = (
    ({"trusted-until": "yesterday"}, "KEY-5/time-typed"),
    ({"trusted-until": "2020-01-01 00:00"}, "KEY-5/do-not-trust-after"),
    ({"trusted-until": "2099-01-01 00:00"}, "KEY-5/do-not-trust-after"),
    ({"why": "gestohlen f\u00fcr immer"}, "KEY-5/why"),
    ({"why": "x" * 201}, "KEY-5/why"),
    ({"endorse": "0"}, "FACE-1/endorse"),
    ({"confirm": "no"}, "FACE-1/confirm"),
)


def test_a_wrong_answer_or_none_revokes_nothing(signed: Workbench) -> None:
    key_id, before = openpgp(signed), signed.registry()
    for others, code in WRONG:
        with pytest.raises(SignerError) as refused:
            revoke(signed, key_id, **others)
        assert refused.value.code == code
        assert refused.value.unchanged
        assert signed.registry() == before
        assert "key.revoked" not in events(signed)
    # Nothing was done to the key either: it signs.
    signed.openpgp.prove(key_id, Secret(bytearray(PHRASES["gpg"])))
    begin(signed, key_id).discard()
    for missing in ("trusted-until", "endorse", "confirm"):
        given = answers(signed, key_id)
        del given[missing]
        with pytest.raises(UsageError):
            run(signed, REVOKE, given, id=key_id, reason="compromised")
        assert signed.registry() == before


def test_a_wrong_passphrase_revokes_nothing(signed: Workbench) -> None:
    key_id, before = openpgp(signed), signed.registry()
    for name in ("revoked", "minisign"):
        with pytest.raises(PolicyRefused, match="passphrase"):
            revoke(signed, key_id, **{name: Secret(bytearray(b"not this one"))})
        assert signed.registry() == before


# --- the transcript -------------------------------------------------------------------------


def test_the_transcript_tells_all_but_secrets(signed: Workbench) -> None:
    key_id = openpgp(signed)
    data = revoke(signed, key_id, second="Ben", witness="Wim", verdict="accept")
    kept = signed.ceremonies.load(data["ceremony"])
    transcript = parse_transcript(kept[TRANSCRIPT_NAME])
    said = {step.id: step.answer for step in transcript.steps}
    assert said["revoke"] == key_id
    assert said["prepare"] == said["passphrase-minisign"] == "(secret)"
    assert said["read-lists"] == "1"
    assert [s.id for s in transcript.steps if s.point_of_no_return] == ["revoke", "apply"]
    everything = b"".join(kept.values())
    for phrase in PHRASES.values():
        assert phrase not in everything


# --- killed, failed, discarded --------------------------------------------------------------


def begin(bench: Workbench, key_id: str, reason: str = "compromised") -> Conversation[Any]:
    return catalogue.begin(bench, REVOKE, {"id": key_id, "reason": reason})


def walk(bench: Workbench, talk: Conversation[Any], before: str) -> None:
    """Take every step before ``before``."""
    given = answers(bench, talk.state.key)
    while (step := talk.step) is not None and step.id != before:
        question = step.question(talk.state)
        default = "" if isinstance(question, Automatic) else question.default or ""
        talk.answer(given.get(question.name, default), Progress())


STEPS: Final = (
    *("begin", "trusted-until", "prepare", "read-lists"),
    *("revoke", "apply", "transcript"),
)


@pytest.mark.parametrize("at", STEPS)
def test_killed_before_a_step_it_goes_on_there_and_revokes_once(tmp_path: Path, at: str) -> None:
    vault = signed_vault(tmp_path / "vault")
    with opened_later(vault) as bench:
        key_id = openpgp(bench)
        walk(bench, begin(bench, key_id), at)
    with opened_later(vault) as bench:  # as another process would
        talk = begin(bench, key_id)
        assert talk.resumed is (at != "begin")
        assert talk.step is not None
        assert talk.step.id == ("passphrase-minisign" if at == "revoke" else at)
        data = revoke(bench, key_id)
        assert bench.registry().find(key_id).state is KeyState.COMPROMISED
        assert events(bench).count("key.revoked") == 1
        assert len(bench.ceremonies.names()) == 1
        assert len(key_revocation_codes(bench.registry().find(key_id).public_key)) == 1
        assert data["registry_serial"] == bench.registry().serial


WORK: Final = {
    "revocation stored": ("ceremonies", "save", 1),
    "lists stored": ("ceremonies", "save", 2),
    "papers stored": ("ceremonies", "save", 3),
    "journalled": ("journal", "append", 1),
    "registered": ("registry_store", "save", 1),
    "applied": ("openpgp_life", "apply_revocation", 1),
}


@pytest.mark.parametrize("moment", WORK)
def test_killed_between_the_work_and_its_saved_state_it_is_done_once(
    tmp_path: Path, public: Path, moment: str
) -> None:
    vault = signed_vault(tmp_path / "vault")
    port, method, calls = WORK[moment]
    with opened_later(vault) as bench:
        key_id = openpgp(bench)
        dying = KillingPort(getattr(bench, port), method, calls)
        with pytest.raises(Killed):
            revoke(with_port(bench, port, dying), key_id)
    with opened_later(vault) as bench:
        revoke(bench, key_id)
        registry = bench.registry()
        assert registry.find(key_id).state is KeyState.COMPROMISED
        assert len(key_revocation_codes(registry.find(key_id).public_key)) == 1
        assert len(bench.ceremonies.names()) == 1
        run(bench, "key.publish", directory=str(public))
        assert (public / endorsement_name(key_id)).exists()


@pytest.mark.parametrize(
    ("port", "method"), [("ceremonies", "save"), ("registry_store", "save"), ("journal", "append")]
)
def test_a_failure_leaves_the_key_in_use_and_the_work_can_go_on(
    signed: Workbench, port: str, method: str
) -> None:
    key_id, before = openpgp(signed), signed.registry()
    broken = with_port(signed, port, FailingPort(getattr(signed, port), method))
    with pytest.raises(CannotTell) as caught:
        revoke(broken, key_id)
    assert caught.value.unchanged is not None
    assert "no key was revoked" in caught.value.unchanged
    assert signed.registry() == before
    revoke(signed, key_id)
    assert signed.registry().find(key_id).state is KeyState.COMPROMISED


@pytest.mark.parametrize("at", ["explain", "revoke"])
def test_discarded_before_the_point_of_no_return_nothing_is_left(
    signed: Workbench, at: str
) -> None:
    key_id, before = openpgp(signed), vault_state(signed)
    talk = begin(signed, key_id)
    walk(signed, talk, at)
    talk.discard()
    assert vault_state(signed) == before
    signed.openpgp.prove(key_id, Secret(bytearray(PHRASES["gpg"])))


def test_discarded_after_it_what_was_registered_stands(signed: Workbench, public: Path) -> None:
    key_id = openpgp(signed)
    talk = begin(signed, key_id)
    walk(signed, talk, "apply")
    assert not talk.can_go_back
    talk.discard()
    with pytest.raises(PolicyRefused, match="revoked"):
        signed.openpgp.prove(key_id, Secret(bytearray(PHRASES["gpg"])))
    run(signed, "key.publish", directory=str(public))
    assert (public / notice_name(key_id)).exists()
    [ceremony] = signed.ceremonies.names()
    transcript = signed.ceremonies.load(ceremony)["transcript.txt"].decode()
    assert "given up behind its point of no return" in transcript


def test_discarded_between_journal_and_registry_the_journal_says_so(
    tmp_path: Path, public: Path
) -> None:
    vault = signed_vault(tmp_path / "vault")
    with opened_later(vault) as bench:
        key_id, before = minisign(bench), bench.registry()
        dying = with_port(bench, "journal", KillingPort(bench.journal, "append"))
        with pytest.raises(Killed):
            revoke(dying, key_id)
        begin(bench, key_id).discard()
        assert bench.registry() == before
        assert events(bench)[-2:] == ["key.revoked", "key.revocation-discarded"]
        # What is published is what is registered: nothing of it.
        run(bench, "key.publish", directory=str(public))
        assert list(public.glob("do-not-trust-*")) == []


def test_a_release_that_was_signed_after_the_list_was_read_sends_back_to_it(
    tmp_path: Path,
) -> None:
    vault = keyed_vault(tmp_path / "vault")
    with opened_later(vault) as bench:
        key_id = minisign(bench)
        walk(bench, begin(bench, key_id), "revoke")
        run(bench, "release.import", directory=str(downloads()))
        sign(bench)
        before = bench.registry()
        with pytest.raises(PolicyRefused) as refused:
            revoke(bench, key_id)
        assert refused.value.code == "KEY-5/list-outdated"
        assert bench.registry() == before
        begin(bench, key_id).discard()
        revoke(bench, key_id)
        assert bench.registry().find(key_id).state is KeyState.COMPROMISED


def test_a_list_that_was_changed_in_the_vault_is_not_signed(tmp_path: Path) -> None:
    vault = signed_vault(tmp_path / "vault")
    with opened_later(vault) as bench:
        key_id = minisign(bench)
        talk = begin(bench, key_id)
        walk(bench, talk, "revoke")
        name = endorsement_name(key_id)
        read = bench.ceremonies.load(talk.state.ceremony)[name]
        digest = hashlib.sha256(b"other").hexdigest()
        manifest = parse_endorsement(read).releases[0].manifest_sha256 or ""
        changed = read.replace(manifest.encode(), digest.encode())
        bench.ceremonies.save(talk.state.ceremony, {name: changed})
        before = bench.registry()
        with pytest.raises(SignerError) as refused:
            talk.answer(key_id, Progress())
        assert refused.value.code == "KEY-5/list-changed"
        assert bench.registry() == before


def test_papers_that_were_changed_in_the_vault_are_not_published(
    signed: Workbench, public: Path
) -> None:
    key_id = minisign(signed)
    data = revoke(signed, key_id)
    name = notice_name(key_id)
    kept = signed.ceremonies.load(data["ceremony"])
    signed.ceremonies.save(data["ceremony"], {name: kept[name] + b"\n"})
    with pytest.raises(SignerError) as refused:
        run(signed, "key.publish", directory=str(public))
    assert refused.value.code == "KEY-5/paper-changed"
    assert list(public.iterdir()) == []
    signed.ceremonies.delete(data["ceremony"])
    with pytest.raises(SignerError):
        run(signed, "key.publish", directory=str(public))


def test_a_rehearsal_plays_it_with_practice_keys(tmp_path: Path, public: Path) -> None:
    with opened_later(keyed_vault(tmp_path / "vault", rehearsal=True)) as bench:
        key_id = minisign(bench)
        revoke(bench, key_id)
        key = bench.registry().find(key_id)
        assert (key.state, key.life) == (KeyState.REHEARSAL, KeyState.COMPROMISED)
        run(bench, "key.publish", directory=str(public))
        assert b"REHEARSAL" in (public / notice_name(key_id)).read_bytes()


def test_the_app_asks_for_key_and_reason(signed: Workbench) -> None:
    key_id = minisign(signed)
    given = {**answers(signed, key_id), "key": key_id, "reason": "compromised"}
    assert run(signed, REVOKE, given).data["key"] == key_id
    assert REVOCATION not in signed.ceremonies.load(signed.ceremonies.names()[0])
