"""The restore card: plain, narrow, and about the keys that the backup holds (CUS-1).

That its commands work is shown by ``tests/cli/test_restore_by_hand.py``, which types them.
"""

import msgspec
import pytest

from pai_signer.domain.custody import MAX_CUSTODIAN_LENGTH
from pai_signer.domain.registry import Algorithm, KeyState, RegisteredKey
from pai_signer.domain.restore_card import WIDTH, render_restore_card
from tests.domain.test_backup import FACTS, facts

MINISIGN, OPENPGP = (
    RegisteredKey(
        algorithm=key.algorithm,
        id=key.id,
        public_key="RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",
        state=KeyState.ACTIVE,
        created_at=FACTS.made_at,
        user_id="Zoë <zoe@example.org>" if key.algorithm is Algorithm.OPENPGP else "",
    )
    for key in FACTS.keys
)
BOTH = (MINISIGN, OPENPGP)


def card() -> str:
    return render_restore_card(
        FACTS, BOTH, signed_by=BOTH, revocations=True, ask=("Bob", "anna weiß", "Mia")
    )


def commands(text: str) -> list[str]:
    """Every line that is to be typed: indented by four spaces."""
    return [line[4:] for line in text.splitlines() if line.startswith("    ")]


def test_it_is_plain_ascii_under_79_columns() -> None:
    long_name = "Ł" * MAX_CUSTODIAN_LENGTH
    hostile = render_restore_card(
        facts(custodian=long_name, project="P" * 100),
        BOTH,
        signed_by=BOTH,
        revocations=True,
        ask=[long_name + "x", "ünï cödé"],
    )
    for text in (card(), hostile):
        assert text.isascii()
        assert text.endswith("\n")
        assert all(line == "" or line.isprintable() for line in text.split("\n"))
        assert max(map(len, text.splitlines())) <= WIDTH < 79


def test_it_says_whose_it_is_which_keys_it_holds_and_whom_to_ask() -> None:
    text = card()
    assert "  custodian    Anna Wei\\xdf\n" in text
    assert "  who to ask   Bob, Mia\n" in text  # not Anna herself
    assert "  backup set   14, of 2026-03-02 UTC\n" in text
    assert f"  minisign key {MINISIGN.id}\n  {MINISIGN.public_key}\n" in text
    assert "  FFFF FFFF FFFF FFFF FFFF  FFFF FFFF FFFF FFFF FFFF\n  Zo\\xeb <zoe" in text
    for name in ("minisign.key", "gpg-secret.asc", "revocations.gpg"):
        assert f"  {name}" in text
    assert "WHAT THIS CARD DOES NOT NEED\nThe program" in text
    assert "REHEARSAL" not in text


def test_a_rehearsal_says_so_at_the_top() -> None:
    text = render_restore_card(
        facts(rehearsal=True), BOTH, signed_by=BOTH, revocations=False, ask=()
    )
    assert text.splitlines()[1].startswith("REHEARSAL")
    assert "nobody else was known" in text
    assert "revocations" not in text


def test_no_command_of_the_card_is_this_program() -> None:
    known = ("sha256sum", "minisign", "gpg", "openssl", "tar")
    typed = commands(card())
    assert not any("pai-signer" in line or "python" in line for line in typed)
    for tool in known:
        assert any(line.startswith(f"{tool} ") for line in typed)


def test_sections_are_numbered_through_whatever_is_left_out() -> None:
    for keys, revocations, count in (
        (BOTH, True, 7),
        ((MINISIGN,), False, 5),
        ((OPENPGP,), True, 5),
    ):
        of_keys = tuple(key for key in FACTS.keys if key.id in {k.id for k in keys})
        text = render_restore_card(
            facts(keys=of_keys), keys, signed_by=BOTH, revocations=revocations, ask=()
        )
        numbers = [line[0] for line in text.splitlines() if line[:1].isdigit()]
        assert numbers == [str(n) for n in range(1, count + 1)]


def test_a_card_of_one_key_knows_nothing_of_the_other() -> None:
    """In a rotation: a new minisign key, in a set that the old one signs."""
    old = msgspec.structs.replace(
        MINISIGN, id="1", public_key="RWQAAAAAAAAAADmlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
    )
    minisign_only = render_restore_card(
        facts(keys=FACTS.keys[:1]),
        (MINISIGN,),
        signed_by=(old, OPENPGP),
        revocations=False,
        ask=(),
    )
    typed = commands(minisign_only)
    assert not any("gpg" in line for line in typed)
    assert (
        f"    -P {old.public_key}"
        in typed[: typed.index("minisign -S -s minisign.key -m SHA256SUMS")]
    )
    gpg_only = render_restore_card(
        facts(keys=FACTS.keys[1:]), (OPENPGP,), signed_by=(MINISIGN,), revocations=False, ask=()
    )
    assert not any("minisign.key" in line for line in commands(gpg_only))
    assert not any("MANIFEST.txt.asc" in line for line in commands(gpg_only))


def test_a_card_of_other_keys_is_not_made() -> None:
    with pytest.raises(ValueError):
        render_restore_card(FACTS, (MINISIGN,), signed_by=BOTH, revocations=False, ask=())
