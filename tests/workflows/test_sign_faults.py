"""A fault, a cancel or a crash while signing leaves nothing and takes nothing away (SIG-6)."""

import json
from pathlib import Path

import pytest

from pai_signer.errors import Cancelled, MediumError, UsageError
from pai_signer.workflows.release.settle import settle_unfinished
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import RELEASE, events, run, sign
from tests.workflows.signing import breaking, nothing_is_signed, split


def _only_visit_ended(bench: Workbench) -> None:
    """Nothing unfinished, nothing staged, no tag, and the journal whole."""
    assert bench.history().unfinished == ()
    assert nothing_is_signed(bench)
    assert events(bench)[-2:] == ["release.signing", "release.discarded"]
    sign(bench)  # and it can be signed as if nothing had happened


FAULTS = [
    ("openpgp", "sign_detached", MediumError("X/x", "gpg broke", "."), False),
    ("tags", "write_tag", MediumError("X/x", "git broke", "."), False),
    ("tags", "write_tag", MediumError("X/x", "git broke late", "."), True),
    ("tags", "bundle_tag", MediumError("X/x", "git broke", "."), False),
    ("releases", "stage", MediumError("X/x", "disk full", "."), False),
    ("releases", "stage", MediumError("X/x", "fsync failed", "."), True),
    ("releases", "stage", KeyboardInterrupt(), True),
    ("openpgp", "sign_detached", KeyboardInterrupt(), False),
    ("openpgp", "sign_detached", Cancelled("X/x", "cancelled", "."), False),
]


@pytest.mark.parametrize(("port", "method", "error", "after"), FAULTS)
def test_a_fault_while_signing_leaves_nothing_behind(
    imported: Workbench, port: str, method: str, error: BaseException, after: bool
) -> None:
    with breaking(imported, port, method, error, after=after), pytest.raises(type(error)):
        sign(imported)
    imported.session.wipe()
    _only_visit_ended(imported)


def test_a_fault_in_the_second_visit_takes_nothing_of_the_first_away(
    keyed: Workbench, tmp_path: Path
) -> None:
    tag, artifacts = split(tmp_path)
    run(keyed, "release.import", directory=str(tag), version=RELEASE)
    sign(keyed)
    first = keyed.releases.staged(RELEASE)
    run(keyed, "release.import", directory=str(artifacts))
    error = MediumError("X/x", "fsync failed", ".")
    with breaking(keyed, "releases", "stage", error, after=True), pytest.raises(MediumError):
        sign(keyed)
    assert keyed.releases.staged(RELEASE) == first
    history = keyed.history().find(RELEASE)
    assert history is not None
    assert history.tag_oid is not None


def test_a_take_back_that_fails_is_settled_at_the_next_start(imported: Workbench) -> None:
    with (
        breaking(imported, "tags", "bundle_tag", MediumError("X/x", "git broke", ".")),
        breaking(imported, "releases", "unstage", MediumError("X/y", "disk broke", ".")),
        pytest.raises(MediumError, match="git broke") as first,
    ):
        sign(imported)
    assert first.value.unchanged == "What was made so far is settled when the program starts again."
    assert len(imported.history().unfinished) == 1
    assert settle_unfinished(imported)
    _only_visit_ended(imported)


def test_a_saved_signing_of_what_is_signed_by_now_is_forgotten(signed: Workbench) -> None:
    signed.states.save(f"sign-release.{RELEASE}", json.dumps({"left": "by a crash"}).encode())
    with pytest.raises(UsageError):
        sign(signed)
    assert signed.states.names() == ()
