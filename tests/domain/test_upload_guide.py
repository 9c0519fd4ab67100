"""``UPLOAD.md``: exact commands, warnings where they belong (EXP-1)."""

from dataclasses import replace
from datetime import UTC, datetime

from pai_signer.composition import built_in_profile
from pai_signer.domain.profile import parse_profile
from pai_signer.domain.registry import Algorithm, KeyState, RegisteredKey, Registry
from pai_signer.domain.upload_guide import UploadFacts, render_upload_guide

PROFILE = parse_profile(built_in_profile())
BORN = datetime(2026, 1, 1, tzinfo=UTC)
REGISTRY = Registry(
    project="PAI",
    serial=1,
    changed_at=BORN,
    keys=(
        RegisteredKey(
            algorithm=Algorithm.MINISIGN,
            id="ABC",
            public_key="RWline",
            state=KeyState.ACTIVE,
            created_at=BORN,
        ),
        RegisteredKey(
            algorithm=Algorithm.OPENPGP,
            id="F" * 40,
            public_key="armor",
            state=KeyState.ACTIVE,
            created_at=BORN,
        ),
    ),
)
FACTS = UploadFacts(
    version="v1.0.0",
    files=["SHA256SUMS", "SHA256SUMS.asc", "v1.0.0.bundle"],
    artifact_sizes={"pai-1.0.0-amd64.iso": 1000},
    commit="c" * 40,
    bundle="v1.0.0.bundle",
    has_manifest=True,
    rehearsal=False,
)


def guide(**changes: object) -> str:
    return render_upload_guide(replace(FACTS, **changes), PROFILE, REGISTRY)  # type: ignore[arg-type]


def test_the_same_facts_give_the_same_bytes() -> None:
    assert guide() == guide()


def test_sections_are_numbered_without_a_gap() -> None:
    for text in (guide(), guide(bundle=None), guide(has_manifest=False)):
        numbers = [line.split()[1] for line in text.splitlines() if line.startswith("## ")]
        assert numbers == [f"{n}." for n in range(1, len(numbers) + 1)]


def test_a_tag_alone_is_verified_by_its_receipt_and_uploads_nothing() -> None:
    text = guide(has_manifest=False)
    assert "minisign -Vm receipt-tag.json -P RWline" in text
    assert "gpg --verify receipt-tag.json.asc receipt-tag.json" in text
    assert "gh release upload" not in text
    assert "git push origin refs/tags/v1.0.0" in text


def test_a_manifest_alone_pushes_no_tag() -> None:
    text = guide(bundle=None, commit=None)
    assert "git push" not in text
    assert "None" not in text


def test_the_bundle_is_never_uploaded() -> None:
    upload = guide().split("gh release upload")[1].split("```")[0]
    assert "SHA256SUMS.asc" in upload
    assert ".bundle" not in upload


def test_an_asset_at_the_limit_is_warned_of_and_one_below_is_not() -> None:
    limit = PROFILE.upload.asset_limit_bytes
    assert "WARNING: big.iso" in guide(artifact_sizes={"big.iso": limit})
    assert "WARNING" not in guide(artifact_sizes={"big.iso": limit - 1})


def test_a_rehearsal_says_not_to_publish() -> None:
    assert "REHEARSAL" in guide(rehearsal=True)
    assert "REHEARSAL" not in guide()


def test_the_sites_values_are_the_active_keys() -> None:
    text = guide()
    assert f"gh variable set GPG_KEY_FINGERPRINT --body {'F' * 40}" in text
    assert "`RWline`" in text
