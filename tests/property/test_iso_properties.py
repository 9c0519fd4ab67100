"""Hostile image bytes become findings: nothing is raised, looped over or read past."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pai_signer.domain.artifact import Finding, FindingLevel
from pai_signer.domain.iso import inspect_iso

IPXE = Path("/usr/lib/ipxe/ipxe.iso").read_bytes()

#: Where the structures are that a parser follows: MBR, GPT, descriptors, catalog, root folder.
INTERESTING = st.one_of(
    st.integers(440, 700),
    st.integers(16 * 2048, 16 * 2048 + 200),
    st.integers(17 * 2048, 17 * 2048 + 80),
    st.integers(33 * 2048, 33 * 2048 + 128),
    st.integers(20 * 2048, 30 * 2048),
)


def inspect(image: bytes) -> tuple[Finding, ...]:
    reads = []

    def read(at: int, count: int) -> bytes:
        assert at >= 0
        assert at + count <= len(image)
        reads.append(count)
        return image[at : at + count]

    found = inspect_iso(read, len(image), "amd64")
    assert sum(reads) <= 3 << 20
    assert found
    for finding in found:
        assert finding.text.isprintable()
        assert "\n" not in finding.text
    return found


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(INTERESTING, st.binary(min_size=1, max_size=8)), max_size=6))
def test_a_damaged_image_gives_findings(damage: list[tuple[int, bytes]]) -> None:
    image = bytearray(IPXE)
    for at, data in damage:
        image[at : at + len(data)] = data
    inspect(bytes(image))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, len(IPXE) - 1))
def test_every_cut_is_bad(length: int) -> None:
    assert any(finding.level is FindingLevel.BAD for finding in inspect(IPXE[:length]))


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=1, max_size=5000).filter(any))
def test_everything_appended_but_zeros_is_bad(extra: bytes) -> None:
    assert any(finding.level is FindingLevel.BAD for finding in inspect(IPXE + extra))


@given(st.binary(max_size=100))
def test_noise_is_not_an_image(data: bytes) -> None:
    assert [finding.level for finding in inspect(data)] == [FindingLevel.BAD]
