"""``UPLOAD.md`` and ``upload.sh``: one plan, exact commands, warnings in their place (EXP-1)."""

import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from pai_signer.composition import built_in_profile
from pai_signer.domain.profile import Profile, parse_profile
from pai_signer.domain.registry import Algorithm, KeyState, RegisteredKey, Registry
from pai_signer.domain.upload_guide import render_upload_guide
from pai_signer.domain.upload_plan import UploadFacts, UploadPlan, plan_upload
from pai_signer.domain.upload_script import render_upload_script

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
SHA = "a" * 64
FACTS = UploadFacts(
    version="v1.0.0",
    files=dict.fromkeys(["SHA256SUMS", "SHA256SUMS.asc", "receipt.json", "v1.0.0.bundle"], SHA),
    artifact_sizes={"pai-1.0.0-amd64.iso": 1000},
    signers={"SHA256SUMS": ("ABC", "F" * 40), "receipt.json": ("ABC", "F" * 40)},
    commit="c" * 40,
    tag_oid="d" * 40,
    tag_signer="F" * 40,
)
TAG_ALONE = {
    "files": dict.fromkeys(["receipt-tag.json", "v1.0.0.bundle"], SHA),
    "signers": {"receipt-tag.json": ("ABC", "F" * 40)},
    "artifact_sizes": {},
    "has_manifest": False,
}
MANIFEST_ALONE = {"commit": None, "tag_oid": None, "tag_signer": None}


def plan(registry: Registry = REGISTRY, profile: Profile = PROFILE, **changes: Any) -> UploadPlan:
    return plan_upload(replace(FACTS, **changes), profile, registry)


def guide(**changes: Any) -> str:
    return render_upload_guide(plan(**changes))


def script(**changes: Any) -> str:
    return render_upload_script(plan(**changes))


@pytest.mark.parametrize("changes", [{}, TAG_ALONE, MANIFEST_ALONE], ids=["all", "tag", "manifest"])
def test_guide_and_script_have_the_same_commands_in_the_same_order(
    changes: dict[str, Any],
) -> None:
    commands = [c.text for section in plan(**changes).sections for c in section.commands]
    in_guide = "\n".join(
        line
        for block in guide(**changes).split("```sh\n")[2:]
        for line in block.split("```")[0].splitlines()
        if not line.startswith("# unless")
    )
    assert in_guide == "\n".join(commands)
    # In the script what is indented is its own; the plan's commands stand at the margin.
    body = script(**changes).partition("Verify first")[2].partition("\n  code=")[2]
    kept = [line for line in body.splitlines()[2:] if line and not line.startswith(" ")]
    assert "\n".join(kept).removesuffix('\n}\nmain "$@"') == "\n".join(commands)


def test_the_same_facts_give_the_same_bytes() -> None:
    assert guide() == guide()
    assert script() == script()


def test_sections_are_numbered_without_a_gap() -> None:
    for text in (guide(), guide(**MANIFEST_ALONE), guide(**TAG_ALONE)):
        numbers = re.findall(r"^## (\d+)\. ", text, re.MULTILINE)
        assert numbers == [str(n) for n in range(1, len(numbers) + 1)]


def test_a_tag_alone_is_verified_by_its_receipt_and_uploads_nothing() -> None:
    text = guide(**TAG_ALONE)
    assert 'minisign -VQm receipt-tag.json -p "$keys"/minisign-ABC.pub' in text
    assert "--verify receipt-tag.json.asc receipt-tag.json" in text
    assert "gh release" not in text
    assert "git push origin refs/tags/v1.0.0" in text


def test_a_manifest_alone_pushes_no_tag() -> None:
    for text in (guide(**MANIFEST_ALONE), script(**MANIFEST_ALONE)):
        assert "git push" not in text
        assert "None" not in text


def test_the_bundle_is_never_uploaded_and_nothing_is_ever_replaced() -> None:
    for text in (guide(), script()):
        uploads = re.findall(r"^gh release upload .*$", text, re.MULTILINE)
        assert 'gh release upload v1.0.0 "$folder"/SHA256SUMS.asc' in uploads
        assert not [line for line in uploads if ".bundle" in line]
        for word in ("clobber", "--force", "release delete", "push -f", "push --delete"):
            assert word not in text


def test_an_asset_at_the_limit_is_warned_of_and_not_uploaded() -> None:
    limit = PROFILE.upload.asset_limit_bytes
    for render in (guide, script):
        at_limit = render(artifact_sizes={"big.iso": limit})
        assert "WARNING: big.iso has 2,147,483,648 bytes" in at_limit
        assert 'upload v1.0.0 "$artifacts"/big.iso' not in at_limit
        below = render(artifact_sizes={"big.iso": limit - 1})
        assert "WARNING: big.iso" not in below
        assert 'upload v1.0.0 "$artifacts"/big.iso' in below


def test_a_rehearsal_says_not_to_publish_and_the_script_refuses() -> None:
    assert "REHEARSAL" in guide(rehearsal=True)
    assert "project:REHEARSAL PAI" in guide(rehearsal=True)
    assert "stop 3 'This is a REHEARSAL" in script(rehearsal=True)
    assert "REHEARSAL" not in guide() + script()


def test_the_sites_values_are_those_of_the_active_keys_and_of_the_profile() -> None:
    assert f"gh variable set GPG_KEY_FINGERPRINT --body {'F' * 40}" in guide()
    assert f'in `release.json`: `"gpgFingerprint": "{"F" * 40}"`' in guide()
    assert "`RWline`" in guide()
    names = {"fingerprint_variable": "", "fingerprint_file": ""}
    without = structs.replace(PROFILE, upload=structs.replace(PROFILE.upload, **names))
    assert "gh variable" not in guide(profile=without)
    assert "release.json" not in guide(profile=without)


def test_a_signature_by_a_compromised_key_counts_for_nothing() -> None:
    """The other one still does; where none is left, both say not to publish."""
    minisign, openpgp = REGISTRY.keys
    fallen = structs.replace(minisign, state=KeyState.COMPROMISED)
    registry = structs.replace(REGISTRY, keys=(fallen, openpgp))
    text = guide(registry=registry)
    assert "minisign -VQm" not in text
    assert "--verify SHA256SUMS.asc SHA256SUMS" in text
    assert "STOP" not in text
    both = (fallen, structs.replace(openpgp, state=KeyState.COMPROMISED))
    registry = structs.replace(REGISTRY, keys=both)
    assert "STOP: no key that still counts has signed SHA256SUMS." in guide(registry=registry)
    assert "stop 3 'No key that still counts has signed the tag v1.0.0" in script(registry=registry)


def test_a_retired_key_may_have_expired_since() -> None:
    minisign, openpgp = REGISTRY.keys
    retired = structs.replace(openpgp, state=KeyState.RETIRED)
    text = guide(registry=structs.replace(REGISTRY, keys=(minisign, retired)))
    assert r"\(GOODSIG\|EXPKEYSIG\|REVKEYSIG\) " in text
    assert "EXPKEYSIG" not in guide()


@pytest.mark.parametrize(
    "name",
    [
        "it's",
        "$(touch pwned)",
        "`touch pwned`",
        "a\\tb\\'",
        '"; touch pwned; "',
        "!!",
        "-x",
        "%s\\n",
    ],
)
def test_a_hostile_project_name_is_one_argument(name: str, tmp_path: Path) -> None:
    """The name reaches the tools as it is, and runs nothing."""
    profile = structs.replace(PROFILE, project=structs.replace(PROFILE.project, name=name))
    text = script(profile=profile, **MANIFEST_ALONE)
    (create,) = re.findall(r"^gh release create .*$", text, re.MULTILINE)
    greps = re.findall(r"\| (grep -Fx \$.*)$", text, re.MULTILINE)
    told = re.findall(r"^  say 'Done.*$", text, re.MULTILINE)
    shown = 'show() { printf \'[%s]\' "$@"; echo; }; gh() { show "$@"; }; grep() { show "$@"; }'
    lines = "\n".join([shown, 'say() { show "$@"; }', create, *greps, *told])
    done = subprocess.run(
        ["bash", "-eu", "-c", lines], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert f"[--title][{name} v1.0.0][--notes][]" in done.stdout
    assert f"[-Fx][project:{name}\tversion:v1.0.0\tfile:SHA256SUMS]" in done.stdout
    assert f"[Done: {name} v1.0.0.]" in done.stdout
    assert list(tmp_path.iterdir()) == []
    checked = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=True)
    assert checked.stderr == ""
