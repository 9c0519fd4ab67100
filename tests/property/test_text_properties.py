"""The sanitiser's promises, for any text at all (SEC-3)."""

from hypothesis import given
from hypothesis import strategies as st

from pai_signer.domain.text import is_safe, safe_text

TEXTS = st.text(st.characters())  # with lone surrogates, as undecodable names have them


@given(TEXTS)
def test_the_result_is_printable_and_safe(text: str) -> None:
    shown = safe_text(text)
    assert shown.isprintable()
    assert is_safe(shown)
    shown.encode()  # no surrogate is left: it can be written anywhere


@given(TEXTS)
def test_sanitising_twice_changes_nothing(text: str) -> None:
    assert safe_text(safe_text(text)) == safe_text(text)


@given(TEXTS, st.integers(0, 40))
def test_the_limit_holds_and_what_fits_is_whole(text: str, limit: int) -> None:
    whole, cut = safe_text(text, limit=10**9), safe_text(text, limit=limit)
    if len(whole) <= limit:
        assert cut == whole
    else:
        assert cut.endswith("[...]")
        assert whole.startswith(cut.removesuffix("[...]"))
        assert len(cut) <= limit + len("[...]")


@given(st.binary())
def test_undecodable_bytes_are_shown_not_lost(data: bytes) -> None:
    shown = safe_text(data.decode("utf-8", "surrogateescape"), limit=10**9)
    assert is_safe(shown)
    assert len(shown) >= len(data.decode("utf-8", "ignore"))


@given(TEXTS)
def test_safe_means_unchanged(text: str) -> None:
    assert is_safe(text) == (safe_text(text, limit=10**9) == text)
