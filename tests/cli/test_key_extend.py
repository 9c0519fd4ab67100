"""``key extend`` from flags alone, as the maintainer's script runs it once a year (KEY-4)."""

from datetime import UTC, datetime, timedelta

import pytest

from pai_signer.domain.reminders import AvoidedDays, good_expiry_day
from pai_signer.errors import EXIT_REFUSED, EXIT_USAGE
from tests.cli.program import Program


@pytest.fixture
def until() -> str:
    """A good day, a hundred days after the key's first expiry."""
    wanted = (datetime.now(UTC) + timedelta(days=500)).date()
    return good_expiry_day(wanted, AvoidedDays()).isoformat()


def test_flags_alone_extend_the_key(keyed: Program, until: str) -> None:
    ended = keyed("key", "extend", "--until", until, passphrases=True, as_json=True)
    assert ended.json["expires"] == until
    assert ended.json["clock_compared"] is False
    assert f"until {until}" in keyed("key", "list").stdout
    assert "key.extended" in keyed("journal", "show").stdout


def test_a_day_that_is_none_is_a_usage_error(keyed: Program) -> None:
    ended = keyed("key", "extend", "--until", "soon", passphrases=True, code=EXIT_USAGE)
    assert "YYYY-MM-DD" in ended.stderr
    assert "key.extended" not in keyed("journal", "show").stdout


def test_a_wrong_passphrase_is_refused(keyed: Program, until: str) -> None:
    wrong = Program(keyed.vault, phrases={**keyed.phrases, "gpg": b"not the passphrase"})
    ended = wrong(
        "key", "extend", "--until", until, passphrases=True, as_json=True, code=EXIT_REFUSED
    )
    assert ended.json["error"]["code"] == "KEY-1/wrong-passphrase"
    assert ended.json["error"]["unchanged"]
    assert f"until {until}" not in keyed("key", "list").stdout
