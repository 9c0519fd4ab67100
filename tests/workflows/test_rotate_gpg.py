"""Rotation of the OpenPGP key: what either key signed stays good for every judge (KEY-4)."""

import shutil
from pathlib import Path
from typing import Any, Final

import pytest

from pai_signer.adapters import gpg_commands as commands
from pai_signer.adapters.gpg_home import throwaway_home, vault_home
from pai_signer.composition import sources, verifiers
from pai_signer.domain.ceremony import TRANSCRIPT_NAME, parse_transcript
from pai_signer.domain.openpgp_certificate import dearmored
from pai_signer.domain.openpgp_signatures import key_revocations, parse_signature_listing
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import KeyState, parse_registry
from pai_signer.domain.registry_rules import check_grows, check_successor
from pai_signer.domain.secret import Secret
from pai_signer.domain.transition import parse_transition
from pai_signer.domain.words import to_words
from pai_signer.errors import BadSignature, DigestMismatch, PolicyRefused
from pai_signer.workflows.engine import SecretText
from pai_signer.workflows.keys.key_dates import proposed_day
from pai_signer.workflows.keys.rotation import (
    RELEASE_NOTE,
    REPOSITORY_FILES,
    SECURITY_PAGE,
    SITE_VALUES,
)
from pai_signer.workflows.verify.verify_registry import verify_registry
from pai_signer.workflows.verify.verify_release import VerifyRequest, verify_release
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import (
    RELEASE,
    WHY,
    a_strangers_repository,
    downloads_copy,
    events,
    keyed_vault,
    opened,
    published,
    rename_release,
    run,
    secrets,
    signed_vault,
)
from tests.workflows.dying import Killed, KillingPort, with_port
from tests.workflows.rotating import GPG, MINISIGN, NEW_PHRASE, stock

LATER: Final = "0.3.0"


def home_of(tmp_path: Path) -> Path:
    return tmp_path / "vault" / "keys" / "gnupg"


def next_release(bench: Workbench, at: Path) -> Path:
    """A second release, tag and all, signed with the key as it is now."""
    source = rename_release(downloads_copy(at / "stick"), LATER, b"later")
    (source / "practice.bundle").unlink()
    shutil.move(a_strangers_repository(at / "repository").full_bundle(), source)
    run(bench, "release.import", directory=str(source), version=f"v{LATER}")
    answers = {"clock": "yes", "confirm": f"v{LATER}", **secrets(gpg=NEW_PHRASE)}
    waived = {"waive.POL-7": WHY, "waive.POL-5": "another history"}
    run(bench, "release.sign", answers, **waived, version=f"v{LATER}")
    exported = run(bench, "release.export", version=f"v{LATER}", directory=str(at))
    for image in source.glob("*.iso"):
        shutil.copy2(image, exported.data["folder"])
    return Path(exported.data["folder"])


def judged(certificate: Path, signature: Path, data: Path) -> dict[str, bool]:
    """What stock tools say with this published certificate alone."""
    binary = certificate.with_suffix(".gpg")
    binary.write_bytes(dearmored(certificate.read_text()))
    with throwaway_home(for_secrets=False) as home:
        here = ("gpg", "--homedir", home.path, "--batch", "--no-autostart")
        assert stock(*here, "--import", certificate)
        gpg = stock(*here, "--verify", signature, data)
    verdicts = {
        "gpg": gpg,
        "gpgv": stock("gpgv", "--keyring", binary, signature, data),
        "sqv": stock("sqv", "--keyring", certificate, signature, data),
    }
    binary.unlink()
    return verdicts


def certifiers(folder: Path, subject: str) -> set[str]:
    """Whose good certifications stand on the user ID, as ``gpg --check-sigs`` has it."""
    with throwaway_home(for_secrets=False) as judge:
        for certificate in folder.glob("gpg-*.asc"):
            judge.run(["--import", certificate])
        listing = judge.run(["--with-colons", "--check-sigs", subject]).stdout
    parts = parse_signature_listing(listing)
    assert key_revocations(parts, subject) == ()
    return {
        signature.fingerprint
        for part in parts
        for signature in part.signatures
        if part.record == "uid" and signature.is_good
    }


# --- the whole story ------------------------------------------------------------------------------


def test_releases_of_before_and_after_are_good_for_every_judge_with_the_published_keys(
    tmp_path: Path, public: Path
) -> None:
    first = published(tmp_path / "first")
    with opened(signed_vault(tmp_path / "vault")) as bench:
        before = bench.registry()
        old, minisign = GPG.active(bench), MINISIGN.active(bench)
        data = GPG.rotate(bench)
        new = data["new"]
        second = next_release(bench, tmp_path)
        run(bench, "key.publish", directory=str(public))
        files, after = bench.registry_store.load(), bench.registry()

    # Every release, by the program and by stock tools with one published certificate alone.
    releases = ((RELEASE, first, old, new), (f"v{LATER}", second, new, old))
    for version, folder, signer, other in releases:
        request = VerifyRequest(directory=folder, keys=public)
        outcome = verify_release(request, sources(), verifiers(), Progress())
        assert outcome.data["version"] == version
        assert outcome.data["signatures_missing"] == []
        signature, manifest = folder / "SHA256SUMS.asc", folder / "SHA256SUMS"
        right, wrong = (public / f"gpg-{key}.asc" for key in (signer, other))
        assert judged(right, signature, manifest) == {"gpg": True, "gpgv": True, "sqv": True}
        assert not any(judged(wrong, signature, manifest).values())

    # The published certificates: each certified by the other key, none revoked, nothing lost.
    for key, its_other in ((old, new), (new, old)):
        assert certifiers(public, key) == {key, its_other}
    check_grows(before.find(old), (public / f"gpg-{old}.asc").read_text())

    # The statement, by stock tools.
    text = public / data["statement"]
    signatures = parse_transition(text.read_bytes()).signatures
    assert set(signatures) == {old, new, minisign}
    for key_id, name in signatures.items():
        if name.endswith(".minisig"):
            key = public / f"minisign-{key_id}.pub"
            assert stock("minisign", "-V", "-m", text, "-x", public / name, "-p", key)
        else:
            verdicts = judged(public / f"gpg-{key_id}.asc", public / name, text)
            assert verdicts == {"gpg": True, "gpgv": True, "sqv": True}

    # The registry: a later state, signed by the new key.
    assert verify_registry(files, verifiers()) == after
    check_successor(before, after)
    assert parse_registry((public / "registry.json").read_bytes()) == after
    assert after.find(old).life is KeyState.RETIRED
    assert after.find(old).reason == "scheduled rotation"
    assert after.find(old).superseded_by == new
    assert judged(
        public / f"gpg-{new}.asc", public / "registry.json.asc", public / "registry.json"
    )["gpgv"]

    # What is to be committed is what changed.
    listed = set(data["texts"][REPOSITORY_FILES].split())
    there = {f"keys/public/{path.name}" for path in public.iterdir()}
    assert listed < there
    assert all("/minisign-" in name for name in there - listed)


@pytest.fixture
def rotated(keyed: Workbench) -> tuple[Workbench, dict[str, Any], str]:
    """A vault after the rotation, its outcome's data, and the fingerprint of the old key."""
    old = GPG.active(keyed)
    return keyed, GPG.rotate(keyed), old


def test_the_old_secret_stays_and_only_the_new_key_signs(
    rotated: tuple[Workbench, dict[str, Any], str], tmp_path: Path
) -> None:
    bench, data, old = rotated
    new = data["new"]
    assert GPG.in_vault(bench) == {old, new}
    assert bench.openpgp.is_whole(old)
    with vault_home(home_of(tmp_path)) as home:
        found = commands.listed(home, new)
    assert [key.flags for key in found.keys] == ["c", "s"]
    assert {key.expires_at.date() for key in found.keys if key.expires_at} == {proposed_day(bench)}
    assert GPG.active(bench) == new
    assert events(bench)[-2:] == ["key.rotated", "ceremony.ended"]
    facts = bench.journal.entries()[-2].facts
    assert facts["command"] == "key rotate gpg --reason scheduled"
    assert (facts["algorithm"], facts["old"], facts["new"]) == ("openpgp", old, new)
    assert facts["registry_serial"] == bench.registry().serial

    # The texts to paste name both keys, and what the site needs of the new one.
    for name in (RELEASE_NOTE, SECURITY_PAGE):
        digits = data["texts"][name].replace(" ", "")
        assert new in digits
        assert old in digits
    values = data["texts"][SITE_VALUES]
    assert f"release.json gpgFingerprint\n  {new}\n" in values
    assert f"gh variable set GPG_KEY_FINGERPRINT --body {new}\n" in values
    assert old not in values

    # Nothing secret in what is kept, and one point of no return.
    kept = bench.ceremonies.load(data["ceremony"])
    assert all(NEW_PHRASE not in content for content in kept.values())
    transcript = parse_transcript(kept[TRANSCRIPT_NAME])
    told = [step.answer for step in transcript.steps if step.id.startswith("passphrase")]
    assert told == ["(secret)"] * 3
    assert [s.id for s in transcript.steps if s.point_of_no_return] == ["rotate"]


def test_the_commands_of_the_security_page_work_in_the_published_folder(
    rotated: tuple[Workbench, dict[str, Any], str], public: Path
) -> None:
    bench, data, _ = rotated
    run(bench, "key.publish", directory=str(public))
    block = data["texts"][SECURITY_PAGE].partition("```sh\n")[2].partition("```")[0]
    lines = block.splitlines()
    assert len(lines) == 5
    for line in lines:
        assert stock("sh", "-ec", line, cwd=public), line
    statement = public / data["statement"]
    statement.write_bytes(statement.read_bytes().replace(b"planned", b"Planned"))
    for line in lines[2:]:
        assert not stock("sh", "-ec", line, cwd=public), line


def test_after_both_rotations_and_an_extension_every_statement_is_published(
    rotated: tuple[Workbench, dict[str, Any], str], public: Path
) -> None:
    """The OpenPGP key that signed one statement is retired by the other."""
    bench, data, old = rotated
    MINISIGN.rotate(bench, **secrets(gpg=NEW_PHRASE, new=b"weak newest phrase"))
    run(bench, "key.publish", directory=str(public))
    assert len(list(public.glob("transition-*.txt"))) == 2
    assert certifiers(public, data["new"]) == {data["new"], old}


# --- the new key's proof and comparison -----------------------------------------------------------


def test_the_fingerprint_is_compared_in_groups_or_words_and_another_one_is_refused(
    keyed: Workbench,
) -> None:
    old = GPG.active(keyed)
    talk = GPG.walk(keyed, "compare")
    assert talk.step is not None
    new = talk.state.new.id
    (page,) = talk.step.pages(talk.state)
    shown = [line.text for line in page.lines]
    assert new.lower() in "".join(shown).replace(" ", "")
    words = to_words(bytes.fromhex(new))
    assert " ".join(words) in " ".join(shown)
    for wrong in (old, new[:-2], " ".join(words[:-1])):
        with pytest.raises((DigestMismatch, BadSignature)):
            talk.answer(wrong, Progress())
    assert talk.step.id == "compare"
    talk.answer(" ".join(words), Progress())
    (comparison,) = talk.state.comparisons
    assert "".join(comparison.groups) == new.lower()
    talk.discard()
    assert GPG.in_vault(keyed) == {old}


def test_a_new_key_whose_primary_does_not_prove_is_never_registered(keyed: Workbench) -> None:
    old = GPG.active(keyed)

    class Unproved:
        def __getattr__(self, name: str) -> Any:
            return getattr(keyed.openpgp_life, name)

        def prove_primary(self, fingerprint: str, passphrase: Secret) -> None:
            if fingerprint != old:
                raise PolicyRefused("KEY-1/unprotected", "Any passphrase opens it.", "Stop.")
            keyed.openpgp_life.prove_primary(fingerprint, passphrase)

    before = keyed.registry_store.load()
    with pytest.raises(PolicyRefused, match="Any passphrase"):
        GPG.rotate(with_port(keyed, "openpgp_life", Unproved()))
    assert keyed.registry_store.load() == before
    assert GPG.active(keyed) == old


# --- what a crash left ----------------------------------------------------------------------------


def test_a_key_whose_making_was_cut_short_is_replaced_and_its_phrase_typed_twice(
    tmp_path: Path,
) -> None:
    """Killed while its secrets were stored: it never was of use, and nothing of it stays."""
    vault = keyed_vault(tmp_path / "vault")
    folder = home_of(tmp_path) / "private-keys-v1.d"
    with opened(vault) as bench:
        old = GPG.active(bench)
        secret_files = set(folder.iterdir())
        with pytest.raises(Killed):
            GPG.rotate(with_port(bench, "openpgp", KillingPort(bench.openpgp, "generate")))
        (cut_short,) = GPG.in_vault(bench) - {old}
        min(set(folder.iterdir()) - secret_files).unlink()
    with opened(vault) as bench:
        talk = GPG.walk(bench, "passphrase-new")
        assert talk.step is not None
        question = talk.step.question(talk.state)
        assert isinstance(question, SecretText)
        assert question.twice
        new = GPG.rotate(bench)["new"]
        assert new != cut_short
        assert GPG.in_vault(bench) == {old, new}
        assert len(set(folder.iterdir())) == len(secret_files) + 2
