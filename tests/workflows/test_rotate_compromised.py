"""Rotating away from a compromised key: in one ceremony, or after ``key revoke`` (KEY-5)."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from pai_signer.domain.ceremony import TRANSCRIPT_NAME, parse_transcript
from pai_signer.domain.compromise import notice_name
from pai_signer.domain.endorsement import endorsement_name
from pai_signer.domain.openpgp_certificate import key_revocation_codes
from pai_signer.domain.openpgp_signatures import RevocationReason
from pai_signer.domain.page import Mark
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, KeyState
from pai_signer.domain.secret import Secret
from pai_signer.domain.transition import parse_transition
from pai_signer.errors import PolicyRefused, SignerError, UsageError
from pai_signer.faces.workstation import WorkstationDesk
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import Answer, Automatic, Conversation
from pai_signer.workflows.keys.rotation import RELEASE_NOTE, REPOSITORY_FILES, SECURITY_PAGE
from pai_signer.workflows.overview import home_page
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import (
    PHRASES,
    RELEASE,
    WHY,
    ShiftedClock,
    Silent,
    downloads,
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
)
from tests.workflows.compromise import active, answers, opened_later, revoke
from tests.workflows.dying import Killed, KillingPort, with_port
from tests.workflows.rotating import GPG, MINISIGN, NEW_PHRASE, Rotating, stock

SYSTEMS: Final = pytest.mark.parametrize("system", [MINISIGN, GPG], ids=str)
LATER: Final = "0.3.0"


@pytest.fixture
def signed(tmp_path: Path) -> Iterator[Workbench]:
    with opened_later(signed_vault(tmp_path / "vault")) as bench:
        yield bench


def given(bench: Workbench, old: str, **others: Answer) -> dict[str, Answer]:
    """What flags say; the old key's own passphrase only for its revocation."""
    said = {**answers(bench, old[-16:]), **secrets(revoked=PHRASES["gpg"], new=NEW_PHRASE)}
    return {**said, **others}


def rotate_away(
    bench: Workbench, system: Rotating, old: str | None = None, /, **others: Answer
) -> dict[str, Any]:
    old = old or system.active(bench)
    certificate = {"certificate": str(c)} if (c := others.pop("certificate", "")) else {}
    entry, said = system.entry, given(bench, old, **others)
    return dict(run(bench, entry, said, reason="compromised", **certificate).data)


def other_system(system: Rotating) -> Rotating:
    return GPG if system is MINISIGN else MINISIGN


def verdict(bench: Workbench, folder: Path, keys: Path) -> dict[str, Any]:
    return dict(run(bench, "verify", directory=str(folder), keys=str(keys)).data)


# --- the whole story ------------------------------------------------------------------------


@SYSTEMS
def test_one_ceremony_ends_the_old_key_and_both_keys_that_are_left_vouch_for_history(
    tmp_path: Path, public: Path, system: Rotating
) -> None:
    release = published(tmp_path / "release")
    with opened_later(signed_vault(tmp_path / "vault")) as bench:
        old, other = system.active(bench), other_system(system).active(bench)
        serial = bench.registry().serial
        data = rotate_away(bench, system)
        registry, new = bench.registry(), data["new"]
        assert registry.find(old).state is KeyState.COMPROMISED
        assert (registry.find(old).superseded_by, registry.find(new).supersedes) == (new, old)
        assert registry.find(old).reason == "laptop stolen"
        assert registry.serial > serial
        assert events(bench)[-2:] == ["key.rotated", "ceremony.ended"]
        run(bench, "key.publish", directory=str(public))
        statement = parse_transition((public / data["statement"]).read_bytes())
        assert set(statement.signatures) == {new, other}
        assert statement.compromised
        for name in (notice_name(old), endorsement_name(old)):
            assert stock("minisign", "-Vm", name, "-p", "minisign.pub", cwd=public)
            gpg = f"gpg-{active(bench, Algorithm.OPENPGP)}.asc"
            assert stock("sqv", "--keyring", gpg, f"{name}.asc", name, cwd=public)
        assert new in (public / notice_name(old)).read_text().replace(" ", "")
        said = verdict(bench, release, public)
        shown = {key: any(key in signer for signer in said["endorsed_by"]) for key in (new, other)}
        assert shown == {new: True, other: True}
        assert any(old in key for key in said["counts_for_nothing"])
        assert not any(old in signer for signer in said["signed_by"])
        assert endorsement_name(old) in data["texts"][RELEASE_NOTE].replace("\n", " ")
        assert "compromised" in data["texts"][SECURITY_PAGE]
        listed = data["texts"][REPOSITORY_FILES].split()
        assert set(listed) <= {f"keys/public/{path.name}" for path in public.iterdir()}
        assert f"keys/public/{endorsement_name(old)}.minisig" in listed


def test_a_compromised_openpgp_key_certifies_nobody_and_is_revoked_everywhere(
    signed: Workbench, public: Path
) -> None:
    old = GPG.active(signed)
    data = rotate_away(signed, GPG)
    registry = signed.registry()
    codes = key_revocation_codes(registry.find(old).public_key)
    assert codes == (RevocationReason.COMPROMISED.value,)
    with pytest.raises(PolicyRefused, match="revoked"):
        signed.openpgp.prove(old, Secret(bytearray(PHRASES["gpg"])))
    signed.openpgp.prove(data["new"], Secret(bytearray(NEW_PHRASE)))
    assert "apply" in [step.id for step in signed_steps(signed, data["ceremony"])]


def signed_steps(bench: Workbench, ceremony: str) -> tuple[Any, ...]:
    return parse_transcript(bench.ceremonies.load(ceremony)[TRANSCRIPT_NAME]).steps


@SYSTEMS
def test_after_key_revoke_the_new_key_takes_the_place_and_signs_the_same_list(
    tmp_path: Path, public: Path, system: Rotating
) -> None:
    with opened_later(signed_vault(tmp_path / "vault")) as bench:
        old = system.active(bench)
        revoke(bench, old)
        run(bench, "key.publish", directory=str(public))
        name, suffix = endorsement_name(old), ".minisig" if system is MINISIGN else ".asc"
        before = (public / name).read_bytes()
        assert not (public / f"{name}{suffix}").exists()
        with pytest.raises(PolicyRefused) as refused:
            run(bench, system.entry, given(bench, old), reason="scheduled")
        assert "--reason compromised" in refused.value.hint
        data = rotate_away(bench, system, old)
        assert bench.registry().find(old).superseded_by == data["new"]
        run(bench, "key.publish", directory=str(public))
        assert (public / name).read_bytes() == before
        assert (public / f"{name}{suffix}").exists()
        # Neither the last moment of trust nor the reason was asked again.
        asked = {step.id for step in signed_steps(bench, data["ceremony"])}
        assert not asked & {"trusted-until", "why", "prepare", "apply"}
        assert verdict(bench, published(tmp_path / "release"), public)["endorsed_by"]


def test_releases_of_before_and_after_are_good_and_the_old_key_makes_no_third(
    tmp_path: Path, public: Path
) -> None:
    old_release = published(tmp_path / "old")
    with opened_later(signed_vault(tmp_path / "vault")) as bench:
        old = MINISIGN.active(bench)
        new = rotate_away(bench, MINISIGN)["new"]
        later = rename_release(downloads_copy(tmp_path / "later"), LATER, b"later")
        run(bench, "release.import", directory=str(later), version=f"v{LATER}")
        said = {"clock": "yes", "confirm": f"v{LATER}", **secrets(minisign=NEW_PHRASE)}
        arguments = {"waive.POL-7": WHY, "version": f"v{LATER}", "what": "manifest"}
        run(bench, "release.sign", said, **arguments)
        made = run(bench, "release.export", version=f"v{LATER}", directory=str(tmp_path)).data
        new_release = Path(made["folder"])
        for image in later.glob("*.iso"):
            shutil.copy2(image, new_release)
        run(bench, "key.publish", directory=str(public))
        for folder in (old_release, new_release):
            said_of = verdict(bench, folder, public)
            assert said_of["verdict"] == "good"
        assert (said_of["endorsed_by"], said_of["counts_for_nothing"]) == ([], [])
        assert any(new in signer for signer in said_of["signed_by"])
        assert stock("minisign", "-Vm", new_release / "SHA256SUMS", "-p", public / "minisign.pub")
        wrong = public / f"minisign-{old}.pub"
        assert not stock("minisign", "-Vm", new_release / "SHA256SUMS", "-p", wrong)


def test_earlier_statements_stay_published_when_a_key_that_signed_them_is_compromised(
    signed: Workbench, public: Path
) -> None:
    MINISIGN.rotate(signed)
    first = GPG.active(signed)
    rotate_away(signed, GPG, minisign=Secret(bytearray(NEW_PHRASE)))
    run(signed, "key.publish", directory=str(public))
    statements = sorted(path.name for path in public.glob("transition-*.txt"))
    assert len(statements) == 2
    planned = next(name for name in statements if "minisign" in name)
    assert first in parse_transition((public / planned).read_bytes()).signatures


def test_both_systems_one_after_the_other_every_list_is_kept_and_signed_by_who_is_left(
    signed: Workbench, public: Path, tmp_path: Path
) -> None:
    one, two = MINISIGN.active(signed), GPG.active(signed)
    rotate_away(signed, MINISIGN)
    rotate_away(signed, GPG, minisign=Secret(bytearray(NEW_PHRASE)), endorse="2")
    run(signed, "key.publish", directory=str(public))
    assert {p.name for p in public.glob("endorsement-*.json")} == {
        endorsement_name(one),
        endorsement_name(two),
    }
    said = verdict(signed, published(tmp_path / "release"), public)
    assert said["signed_by"] == []
    assert len(said["endorsed_by"]) == 2
    assert len(said["counts_for_nothing"]) == 2
    assert "endorsed manifest, the tag is endorsed" in said["text"]


# --- refused --------------------------------------------------------------------------------


def test_a_plain_new_key_is_refused_while_a_compromised_one_awaits_its_successor(
    signed: Workbench,
) -> None:
    revoke(signed, MINISIGN.active(signed))
    before = signed.registry()
    for entry, arguments in (
        ("key.generate", {"only": "minisign"}),
        ("key.import.minisign", {"file": "/nowhere"}),
    ):
        with pytest.raises(PolicyRefused) as refused:
            run(signed, entry, secrets(), **arguments)
        assert refused.value.code == "KEY-5/awaits-successor"
    assert signed.registry() == before


def test_the_only_key_is_not_rotated_away_from(tmp_path: Path) -> None:
    with opened_later(keyed_vault(tmp_path / "vault")) as bench:
        revoke(bench, MINISIGN.active(bench))
        with pytest.raises(PolicyRefused) as refused:
            rotate_away(bench, GPG)
        assert refused.value.code == "KEY-5/nobody-left-to-sign"


@SYSTEMS
def test_wrong_answers_make_no_key_and_end_none(tmp_path: Path, system: Rotating) -> None:
    with opened_later(signed_vault(tmp_path / "vault")) as bench:
        before, known = bench.registry(), system.in_vault(bench)
        for others in (
            {"trusted-until": "2020-01-01 00:00"},
            {"endorse": "7"},
            {"confirm": "no"},
        ):
            with pytest.raises(SignerError):
                rotate_away(bench, system, **others)
            assert bench.registry() == before
        catalogue.begin(bench, system.entry, {"reason": "compromised"}).discard()
        assert system.in_vault(bench) == known
        assert bench.ceremonies.names() == ()


def test_a_certificate_is_for_a_compromised_openpgp_key(signed: Workbench, tmp_path: Path) -> None:
    (tmp_path / "x.asc").write_text("x")
    for system, reason in ((MINISIGN, "compromised"), (GPG, "scheduled")):
        with pytest.raises(UsageError) as refused:
            run(
                signed,
                system.entry,
                given(signed, system.active(signed)),
                reason=reason,
                certificate=str(tmp_path / "x.asc"),
            )
        assert refused.value.code == "KEY-5/certificate"


def test_a_prepared_certificate_stands_in_for_the_lost_passphrase(
    signed: Workbench, tmp_path: Path
) -> None:
    old = GPG.active(signed)
    made = signed.openpgp_life.make_revocation(
        old, RevocationReason.COMPROMISED, "", Secret(bytearray(PHRASES["gpg"]))
    )
    path = tmp_path / "revocation.asc"
    path.write_bytes(made.block)
    said = given(signed, old)
    del said["revoked"], said["gpg"]
    run(signed, GPG.entry, said, reason="compromised", certificate=str(path))
    assert key_revocation_codes(signed.registry().find(old).public_key) == (2,)


# --- killed ---------------------------------------------------------------------------------


def walk(bench: Workbench, system: Rotating, before: str) -> Conversation[Any]:
    talk = catalogue.begin(bench, system.entry, {"reason": "compromised"})
    said = given(bench, system.active(bench))
    while (step := talk.step) is not None and step.id != before:
        question = step.question(talk.state)
        default = "" if isinstance(question, Automatic) else question.default or ""
        talk.answer(said.get(question.name, default), Progress())
    return talk


STEPS: Final = ("prepare", "read-lists", "rotate", "apply")


@pytest.mark.parametrize("at", STEPS)
def test_killed_before_a_step_it_goes_on_and_makes_no_second_key(tmp_path: Path, at: str) -> None:
    vault = signed_vault(tmp_path / "vault")
    with opened_later(vault) as bench:
        old = GPG.active(bench)
        walk(bench, GPG, at)
        made = GPG.in_vault(bench) - {old}
    with opened_later(vault) as bench:  # as another process would
        data = rotate_away(bench, GPG, old)
        assert GPG.in_vault(bench) == {old, data["new"]}
        assert made <= {data["new"]}
        assert events(bench).count("key.rotated") == 1
        assert key_revocation_codes(bench.registry().find(old).public_key) == (2,)


WORK: Final = {
    "papers stored": ("ceremonies", "save"),
    "journalled": ("journal", "append"),
    "registered": ("registry_store", "save"),
}


@pytest.mark.parametrize("moment", WORK)
def test_killed_between_the_work_and_its_saved_state_it_is_done_once(
    tmp_path: Path, public: Path, moment: str
) -> None:
    vault = signed_vault(tmp_path / "vault")
    port, method = WORK[moment]
    with opened_later(vault) as bench:
        old = MINISIGN.active(bench)
        walk(bench, MINISIGN, "rotate")
        dying = with_port(bench, port, KillingPort(getattr(bench, port), method))
        with pytest.raises(Killed):
            rotate_away(dying, MINISIGN, old)
    with opened_later(vault) as bench:
        data = rotate_away(bench, MINISIGN, old)
        assert MINISIGN.in_vault(bench) == {old, data["new"]}
        run(bench, "key.publish", directory=str(public))
        assert (public / f"{endorsement_name(old)}.minisig").exists()


def test_discarded_before_the_point_of_no_return_the_old_key_signs_on(signed: Workbench) -> None:
    old, before = GPG.active(signed), signed.registry()
    walk(signed, GPG, "rotate").discard()
    assert signed.registry() == before
    assert GPG.in_vault(signed) == {old}
    signed.openpgp.prove(old, Secret(bytearray(PHRASES["gpg"])))


def test_discarded_after_it_the_key_is_revoked_in_the_vault_too(signed: Workbench) -> None:
    old = GPG.active(signed)
    walk(signed, GPG, "apply").discard()
    with pytest.raises(PolicyRefused, match="revoked"):
        signed.openpgp.prove(old, Secret(bytearray(PHRASES["gpg"])))


# --- what can be chosen -----------------------------------------------------------------------


def why_not(bench: Workbench, entry: str, **arguments: str) -> str:
    actions = WorkstationDesk(bench, ExitStack()).actions()
    found = (a.unavailable_because for a in actions if (a.id, a.arguments) == (entry, arguments))
    return next(found)


def test_the_app_offers_both_rotations_and_says_which_cannot_be_chosen(tmp_path: Path) -> None:
    away = {"reason": "compromised"}
    vault = keyed_vault(tmp_path / "vault")
    with opened_later(vault) as bench:
        for system in (MINISIGN, GPG):
            assert why_not(bench, system.entry, **away) == ""
        revoke(bench, MINISIGN.active(bench))
        assert why_not(bench, MINISIGN.entry) == "there is no minisign key yet"
        assert why_not(bench, MINISIGN.entry, **away) == ""
        assert "only key that can sign" in why_not(bench, GPG.entry, **away)
        assert "awaits its successor" in why_not(bench, "key.import.minisign")
    with opened(vault, clock=ShiftedClock(timedelta(days=401))) as bench:
        assert "extend it first" in why_not(bench, MINISIGN.entry, **away)


def test_without_keys_nothing_of_it_can_be_chosen(empty: Workbench) -> None:
    for system in (MINISIGN, GPG):
        assert why_not(empty, system.entry, reason="compromised")
    assert why_not(empty, "key.revoke")
    assert why_not(empty, "key.drill")


def test_no_release_is_signed_while_a_system_has_no_key(signed: Workbench, tmp_path: Path) -> None:
    revoke(signed, MINISIGN.active(signed))
    later = rename_release(downloads_copy(tmp_path / "later"), LATER, b"later")
    run(signed, "release.import", directory=str(later), version=f"v{LATER}")
    said = {"clock": "yes", "confirm": f"v{LATER}", **secrets()}
    with pytest.raises(PolicyRefused, match="POL-6"):
        run(signed, "release.sign", said, **{"waive.POL-7": WHY, "version": f"v{LATER}"})
    assert signed.releases.staged(f"v{LATER}") == {}


def test_a_release_after_the_last_moment_of_trust_is_marked_on_its_page(tmp_path: Path) -> None:
    """It stays endorsed, for the journal proves it; but whoever reads shall look twice."""
    for vault, mark in (
        (signed_vault(tmp_path / "before"), Mark.NONE),
        (keyed_vault(tmp_path / "after"), Mark.WARN),
    ):
        with opened_later(vault) as bench:
            if mark is Mark.WARN:  # now, which is an hour after that moment
                run(bench, "release.import", directory=str(downloads()))
                sign(bench)
            key_id, speaker = MINISIGN.active(bench), Silent()
            said = answers(bench, key_id)
            run(bench, "key.revoke", said, speaker, id=key_id, reason="compromised")
        (page,) = [page for page in speaker.shown if page.title == f"{RELEASE} (1 of 1)"]
        assert page.lines[0].mark is mark


# --- what is left to do (KEY-6) -------------------------------------------------------------


def duties(bench: Workbench) -> list[str]:
    return [line.text for line in home_page(bench).lines if line.label == "compromised"]


def test_home_and_key_list_say_what_is_left_to_do_until_nothing_is(
    signed: Workbench, public: Path
) -> None:
    old = MINISIGN.active(signed)
    assert duties(signed) == []
    revoke(signed, old)
    assert duties(signed) == [
        f"{old[-16:]}: not published since: key publish DIR",
        f"{old[-16:]}: no new key yet: key rotate minisign --reason compromised",
    ]
    run(signed, "key.publish", directory=str(public))
    assert duties(signed) == [
        f"{old[-16:]}: no new key yet: key rotate minisign --reason compromised"
    ]
    rotate_away(signed, MINISIGN, old)
    assert duties(signed) == [f"{old[-16:]}: not published since: key publish DIR"]
    run(signed, "key.publish", directory=str(public))
    assert duties(signed) == []
    (shown,) = [k for k in run(signed, "key.list").data["keys"] if k["id"] == old]
    assert (shown["state"], shown["left_to_do"]) == ("compromised", [])
    assert shown["do_not_trust_after"]
    page = run(signed, "key.show", id=old).pages[0]
    labels = [line.label for line in page.lines]
    assert {"in it since", "ours until", "stays good", "new key"} <= set(labels)
