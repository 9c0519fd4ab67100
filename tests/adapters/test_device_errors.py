"""What a failing device is said to have done, and what to do then (EXP-2, FACE-4)."""

import errno
import os

import pytest

from pai_signer.adapters.device_errors import explained
from pai_signer.errors import MediumError


@pytest.mark.parametrize(
    ("number", "code"), [(errno.EINTR, "EXP-2/interrupted"), (errno.EIO, "EXP-2/gone")]
)
def test_an_error_when_a_file_is_closed_says_that_the_end_of_it_may_be_lost(
    number: int, code: str
) -> None:
    with pytest.raises(MediumError) as failed, explained("close SHA256SUMS"):
        raise OSError(number, os.strerror(number))
    assert failed.value.code == code
    assert failed.value.summary.startswith("Could not close SHA256SUMS: ")
    assert "What was written last may not be on" in failed.value.hint
    assert "start this step anew" in failed.value.hint.lower()
