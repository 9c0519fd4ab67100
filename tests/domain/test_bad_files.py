"""Several hundred bad files with one fault each, and the one refusal of each (a closed set)."""

from pathlib import Path
from typing import Final

import pytest

from pai_signer.domain.artifact import Finding, FindingLevel
from pai_signer.errors import (
    EXIT_CANNOT_TELL,
    EXIT_REFUSED,
    EXIT_USAGE,
    EXIT_WRONG,
    FormatError,
    SignerError,
)
from tests.fuzzing.engine import Target
from tests.fuzzing.targets import targets
from tests.vectors.bad_files import BAD, FAULTS, good, made
from tests.vectors.faults import Fault

pytestmark = pytest.mark.usefixtures("stock_strength")

TARGETS: Final = {target.name: target for target in targets()}
#: No file may do more harm to a disk than this.
MAX_BYTES: Final = 128 << 10


def refusal(target: Target, data: bytes) -> SignerError:
    """What the parser says to it; of an image, its BAD findings in the words of an error."""
    if target.name == "iso":
        found = bad_findings(target.parse(data))
        assert found
        return FormatError("IMP-5/iso", " | ".join(found), "look")
    with pytest.raises(SignerError) as caught:
        target.parse(data)
    return caught.value


def bad_findings(answer: tuple[Finding, ...]) -> list[str]:
    return [finding.text for finding in answer if finding.level is FindingLevel.BAD]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.path)
def test_a_bad_file_is_refused_for_its_fault(fault: Fault) -> None:
    data, target = (BAD / fault.path).read_bytes(), TARGETS[fault.format]
    assert data == made(fault), "python -m tests.vectors.bad_files"
    assert data != good(fault)
    assert len(data) <= MAX_BYTES
    error = refusal(target, data)
    assert (type(error), error.code) == (fault.family, fault.code), error
    assert fault.why
    assert fault.why in error.summary
    assert error.hint
    assert all(text.isprintable() for text in (error.code, error.summary, error.hint))


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.name)
def test_without_its_fault_each_is_accepted(target: Target) -> None:
    for seed in target.seeds:
        answer = target.parse(seed)
        assert target.name != "iso" or bad_findings(answer) == []


def test_the_set_is_closed() -> None:
    paths = [fault.path for fault in FAULTS]
    assert len(paths) == len(set(paths)) >= 150
    lying = {str(file.relative_to(BAD)) for file in BAD.rglob("*") if file.is_file()}
    assert lying == {*paths, "PROVENANCE.md"}
    assert not [file for file in BAD.rglob("*") if Path(file).is_symlink()]
    assert {fault.format for fault in FAULTS} == set(TARGETS)
    families = {fault.family.exit_code for fault in FAULTS}
    assert families == {EXIT_USAGE, EXIT_REFUSED, EXIT_WRONG, EXIT_CANNOT_TELL}
