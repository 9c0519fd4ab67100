"""A compromise from flags alone: ``key revoke``, ``key rotate``, ``key drill`` (KEY-5)."""

import dataclasses
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.cli.program import Program

NEW_PHRASE = b"weak new phrase"
DESPITE = ("--despite", "a test machine")


def key_of(program: Program, algorithm: str) -> str:
    keys = program("key", "list", as_json=True).json["keys"]
    return str(next(key["id"] for key in keys if key["algorithm"] == algorithm))


def aged(program: Program) -> str:
    """A minute that began after the keys of the vault were made, as it is typed."""
    keys = program("key", "list", as_json=True).json["keys"]
    newest = max(datetime.fromisoformat(key["created_at"]) for key in keys)
    while (typed := datetime.now(UTC).replace(second=0, microsecond=0)) < newest:
        time.sleep(1)
    return f"{typed:%Y-%m-%d %H:%M}"


def test_flags_alone_revoke_publish_verify_and_rotate(
    signed: Program, folder: Path, tmp_path: Path
) -> None:
    key_id = key_of(signed, "minisign")
    revoking = dataclasses.replace(signed, phrases={"gpg": signed.phrases["gpg"]})
    asked = ("--trusted-until", aged(signed), "--why", "laptop stolen", "--endorse", "1")
    revoke = ("key", "revoke", key_id, "--reason", "compromised", *DESPITE, *asked)
    refused = revoking(*revoke, passphrases=True, code=2)
    assert f"--confirm {key_id}" in refused.text
    data = revoking(*revoke, "--confirm", key_id, passphrases=True, as_json=True).json
    assert (data["key"], data["state"]) == (key_id, "compromised")
    public = tmp_path / "public"
    public.mkdir()
    signed("key", "publish", public)
    assert signed("key", "list").text.count("key rotate minisign --reason compromised") == 1
    verdict = signed("verify", folder, "--keys", public, as_json=True).json
    assert verdict["counts_for_nothing"] == [f"minisign {key_id}"]
    assert len(verdict["endorsed_by"]) == 1
    assert "counts for nothing" in verdict["text"]
    for path in public.glob("endorsement-*"):
        path.unlink()
    for path in folder.glob("*.asc"):
        path.unlink()
    wrong = signed("verify", folder, "--keys", public, as_json=True, code=4).json
    assert wrong["error"]["code"] == "KEY-5/compromised"
    again = revoking(*revoke, "--confirm", key_id, passphrases=True, code=3)
    assert "KEY-5/revoked-already" in again.text
    rotating = dataclasses.replace(revoking, phrases={**revoking.phrases, "new": NEW_PHRASE})
    rotate = ("key", "rotate", "minisign", "--reason", "compromised", *DESPITE, "--endorse", "1")
    new = rotating(*rotate, "--confirm", key_id[-16:], passphrases=True, as_json=True).json["new"]
    signed("key", "publish", public)
    verdict = signed("verify", folder, "--keys", public, as_json=True).json
    assert any(new in signer for signer in verdict["endorsed_by"])
    assert "left to do" not in signed("key", "list").text


def test_an_openpgp_key_is_revoked_with_its_own_passphrase(signed: Program) -> None:
    key_id = key_of(signed, "openpgp")
    phrases = {"minisign": signed.phrases["minisign"], "revoked": signed.phrases["gpg"]}
    revoking = dataclasses.replace(signed, phrases=phrases)
    ended = revoking(
        *("key", "revoke", key_id, "--reason", "retired", *DESPITE, "--confirm", key_id),
        passphrases=True,
    )
    assert "sqv: good, if the signature was made before the revocation" in ended.stdout
    assert "key generate --only gpg" in ended.stdout
    shown = signed("key", "show", key_id, as_json=True).json
    assert (shown["state"], shown["left_to_do"]) == ("retired", [])


def test_the_script_of_a_revocation_is_printed_and_nothing_is_begun(keyed: Program) -> None:
    text = keyed("key", "revoke", "--script").stdout
    assert "CEREMONY SCRIPT" in text
    assert "Ours alone until (UTC)" in text
    assert text.count("POINT OF NO RETURN") >= 1
    assert not (keyed.vault / "ceremonies").exists()
    away = keyed("key", "rotate", "gpg", "--reason", "compromised", "--script").stdout
    assert "Read what stays good" in away
    usual = keyed("key", "rotate", "gpg", "--script").stdout
    assert "Read what stays good" not in usual


def test_by_prompts_it_asks_for_key_and_reason_and_says_what_cannot_be_chosen(
    signed: Program,
) -> None:
    revoking = dataclasses.replace(signed, phrases={"gpg": signed.phrases["gpg"]})
    lines = ("", "", "", "", "a test machine", "", "", "1", "3", "", "", "")
    ended = revoking("key", "revoke", passphrases=True, script="\n".join(lines) + "\n", code=None)
    assert "Which key is to be revoked?" in ended.text
    assert "Nothing has taken the place of" in ended.text
    assert "There is no way back. Type the ID of the key that is revoked as retired" in ended.text
    assert ended.code not in (0, 1)
    assert "key.revoked" not in signed("journal", "show").text


def test_the_drill_is_shown_and_written_to_a_medium(keyed: Program, tmp_path: Path) -> None:
    shown = keyed("key", "drill").stdout
    assert "IF A SIGNING KEY IS COMPROMISED" in shown
    assert f"key revoke {key_of(keyed, 'minisign')} --reason compromised" in " ".join(shown.split())
    data = keyed("key", "drill", tmp_path, as_json=True).json
    assert Path(data["file"]).read_text() == data["pack"]
    assert Path(data["file"]).parent.parent == tmp_path
    assert keyed("key", "drill", tmp_path, as_json=True).json["file"] == data["file"]
    assert keyed("journal", "show").text.count("key.drill") == 3
