"""A passphrase is wiped where it lies, and never turns into text (SEC-2)."""

import copy
import pickle
import traceback

import pytest

from pai_signer.domain.secret import Secret, joined_lines

CANARY = b"correct horse battery staple"


def test_wiping_reaches_everybody_who_holds_the_buffer() -> None:
    buffer = bytearray(CANARY)
    view = memoryview(bytearray(CANARY))
    secret = Secret(buffer)
    revealed = secret.reveal()
    assert revealed is buffer
    secret.wipe()
    secret.wipe()
    assert buffer == b""
    assert revealed == b""
    assert secret.is_empty
    view.release()


def test_wiping_overwrites_the_bytes_before_it_forgets_them() -> None:
    """A buffer of its own class sees the order of what is done to it."""
    seen: list[bytes] = []

    class Watched(bytearray):
        def clear(self) -> None:
            seen.append(bytes(self))
            super().clear()

    Secret(Watched(CANARY)).wipe()
    assert seen == [bytes(len(CANARY))]


def test_the_end_of_the_block_wipes_also_after_an_error() -> None:
    with Secret(bytearray(CANARY)) as secret:
        assert not secret.is_empty
    assert secret.is_empty
    failing = Secret(bytearray(CANARY))
    with pytest.raises(ZeroDivisionError), failing:
        _ = 1 // 0
    assert failing.is_empty


def test_no_text_form_shows_the_value() -> None:
    secret = Secret(bytearray(CANARY))
    assert repr(secret) == "Secret(...)"
    assert repr([secret]) == "[Secret(...)]"
    assert f"{secret!r}" == "Secret(...)"
    for render in (str, "{}".format, "%s".__mod__, lambda s: f"{s}", lambda s: f"{s:>40}"):
        with pytest.raises(TypeError) as caught:
            render(secret)
        assert "correct" not in "".join(traceback.format_exception(caught.value))


def test_it_can_be_neither_pickled_nor_copied() -> None:
    secret = Secret(bytearray(CANARY))
    for take in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            take(secret)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError):
            pickle.dumps([secret], protocol=protocol)


def test_it_has_no_attribute_dictionary_that_a_dump_would_list() -> None:
    with pytest.raises(TypeError):
        vars(Secret(bytearray(CANARY)))


def test_two_secrets_compare_by_content() -> None:
    one = Secret(bytearray(CANARY))
    assert one.same_as(Secret(bytearray(CANARY)))
    assert not one.same_as(Secret(bytearray(CANARY + b"!")))
    assert not one.same_as(Secret(bytearray()))
    assert one != Secret(bytearray(CANARY))  # no accidental comparison with ==


def test_joined_lines_are_one_secret_of_their_own() -> None:
    one, two = Secret(bytearray(CANARY)), Secret(bytearray(b"two"))
    with joined_lines(one, two) as joined:
        assert joined.reveal() == CANARY + b"\ntwo\n"
        buffer = joined.reveal()
    assert not buffer
    assert one.reveal() == CANARY
    assert joined_lines().is_empty
