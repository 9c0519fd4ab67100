"""Whatever the bytes, the manifest parsers answer or refuse; they never do a third thing."""

from hypothesis import given
from hypothesis import strategies as st

from pai_signer.domain.manifest import (
    is_sha256,
    parse_foreign_manifest,
    parse_manifest,
    render_manifest,
)
from pai_signer.domain.names import find_twins, why_unsafe
from pai_signer.errors import FormatError

names = st.from_regex(r"[A-Za-z0-9._+-]{1,30}", fullmatch=True).filter(
    lambda name: why_unsafe(name) is None
)
digests = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
manifests = st.dictionaries(names, digests, min_size=1, max_size=8).filter(
    lambda entries: not find_twins(entries)
)
line_noise = st.lists(
    st.one_of(
        st.binary(max_size=80),
        st.builds(
            lambda d, gap, n: f"{d}{gap}{n}".encode("utf-8", "replace"),
            digests,
            st.sampled_from(["  ", " *", " ", "\t"]),
            st.text(max_size=12),
        ),
        st.builds(lambda n, d: f"SHA256 ({n}) = {d}".encode(), names, digests),
    ),
    max_size=6,
).map(b"\n".join)


@given(manifests)
def test_what_is_written_reads_back_the_same_both_ways(entries: dict[str, str]) -> None:
    data = render_manifest(entries)
    assert parse_manifest(data) == entries
    foreign = parse_foreign_manifest(data)
    assert foreign.digests == entries
    assert foreign.leniencies == ()


@given(manifests, st.data())
def test_changing_any_one_byte_is_never_read_as_the_same(
    entries: dict[str, str], data: st.DataObject
) -> None:
    good = bytearray(render_manifest(entries))
    position = data.draw(st.integers(0, len(good) - 1))
    good[position] ^= data.draw(st.integers(1, 255))
    try:
        assert parse_manifest(bytes(good)) != entries
    except FormatError:
        return


@given(st.one_of(line_noise, st.binary(max_size=400)))
def test_noise_is_refused_or_gives_safe_names_and_true_digests(data: bytes) -> None:
    try:
        found = parse_foreign_manifest(data)
    except FormatError:
        return
    assert found.digests
    assert not find_twins(found.digests)
    for name, digest in found.digests.items():
        assert why_unsafe(name) is None
        assert is_sha256(digest)
    # What needs no forgiveness has the canonical lines, in whatever order.
    if not found.leniencies:
        assert sorted(data.splitlines()) == sorted(render_manifest(found.digests).splitlines())


@given(st.binary(max_size=300))
def test_strict_reading_accepts_canonical_bytes_only(data: bytes) -> None:
    try:
        entries = parse_manifest(data)
    except FormatError:
        return
    assert render_manifest(entries) == data
