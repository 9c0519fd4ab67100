"""The signed tag: written once, exported in a bundle, taken back (SIG-4, POL-5, EXP-1).

git itself judges it, as it stands in the mirror and as it comes out of the bundle.
"""

from pathlib import Path

import pytest

from pai_signer.adapters.git import GitMirror
from pai_signer.domain.tag_bundle import parse_tag_bundle
from pai_signer.errors import FormatError, PolicyRefused
from tests.adapters.git.mirrors import signed_tag
from tests.repository import Repository, StockSigner, git, make_repository


def test_git_verify_tag_and_fsck_accept_the_written_tag(
    mirror: GitMirror, vault: Path, work: Repository, signer: StockSigner
) -> None:
    mirror.take_bundle(work.full_bundle())
    tag = signed_tag(work.head, signer)
    oid = mirror.write_tag(tag, "v1.0.0")
    stock = vault / "repo.git"
    assert git(stock, "cat-file", "tag", "v1.0.0").stdout == tag
    verified = git(stock, "verify-tag", "--raw", "v1.0.0", environment=signer.environment)
    assert b"GOODSIG" in verified.stderr
    git(stock, "fsck", "--strict")
    assert mirror.describe_commit(work.head, "v1.0.0", None).existing_tag_oid == oid
    assert mirror.write_tag(tag, "v1.0.0") == oid


def test_the_exported_bundle_brings_the_tag_into_a_clone(
    mirror: GitMirror, work: Repository, signer: StockSigner, tmp_path: Path
) -> None:
    mirror.take_bundle(work.full_bundle())
    tag = signed_tag(work.head, signer)
    oid = mirror.write_tag(tag, "v1.0.0")
    bundle = mirror.bundle_tag("v1.0.0")
    found = parse_tag_bundle(bundle)
    assert (found.prerequisite_oid, found.tag_oid, found.tag_object) == (work.head, oid, tag)
    assert len(bundle) < 1000
    exported = tmp_path / "tag.bundle"
    exported.write_bytes(bundle)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", work.path, clone)
    git(clone, "fetch", "-q", exported, "refs/tags/*:refs/tags/*")
    verified = git(clone, "verify-tag", "--raw", "v1.0.0", environment=signer.environment)
    assert b"GOODSIG" in verified.stderr
    assert git(clone, "rev-parse", "v1.0.0^{commit}").stdout.decode().strip() == work.head
    empty = make_repository(tmp_path / "empty", commits=1)
    refused = git(empty.path, "bundle", "verify", exported, check=False)
    assert refused.returncode != 0
    assert work.head.encode() in refused.stderr


def test_a_taken_tag_name_is_never_overwritten(
    mirror: GitMirror, work: Repository, signer: StockSigner
) -> None:
    mirror.take_bundle(work.full_bundle())
    first = signed_tag(work.head, signer)
    oid = mirror.write_tag(first, "v1.0.0")
    other = signed_tag(work.git("rev-parse", "HEAD~1"), signer)
    with pytest.raises(PolicyRefused, match="POL-5/tag-taken"):
        mirror.write_tag(other, "v1.0.0")
    assert parse_tag_bundle(mirror.bundle_tag("v1.0.0")).tag_oid == oid


def test_a_tag_that_the_bundle_brings_takes_the_name(mirror: GitMirror, work: Repository) -> None:
    work.git("tag", "-a", "-m", "x", "v1.0.0")
    mirror.take_bundle(work.bundle("t.bundle", "HEAD", "main", "v1.0.0"))
    commit = mirror.describe_commit(work.head, "v1.0.0", None)
    assert commit.existing_tag_oid == work.git("rev-parse", "v1.0.0")


def test_another_releases_tag_is_not_written_under_this_name(
    mirror: GitMirror, work: Repository, signer: StockSigner
) -> None:
    mirror.take_bundle(work.full_bundle())
    with pytest.raises(FormatError, match="SIG-4/other-name"):
        mirror.write_tag(signed_tag(work.head, signer, "v1.0.0"), "v2.0.0")
    with pytest.raises(PolicyRefused, match="EXP-1/no-tag"):
        mirror.bundle_tag("v2.0.0")


def test_a_tag_ref_that_was_swapped_is_not_exported(
    mirror: GitMirror, vault: Path, work: Repository, signer: StockSigner
) -> None:
    mirror.take_bundle(work.full_bundle())
    oid = mirror.write_tag(signed_tag(work.head, signer), "v1.0.0")
    git(vault / "repo.git", "update-ref", "refs/tags/v2.0.0", oid)
    with pytest.raises(FormatError, match="SIG-4/other-name"):
        mirror.bundle_tag("v2.0.0")


def test_a_tag_of_an_unknown_or_other_object_is_refused(
    mirror: GitMirror, work: Repository, signer: StockSigner
) -> None:
    mirror.take_bundle(work.full_bundle())
    for target in ("f" * 40, work.git("rev-parse", "HEAD^{tree}")):
        with pytest.raises(PolicyRefused, match="POL-5/not-a-commit"):
            mirror.write_tag(signed_tag(target, signer), "v1.0.0")


def test_a_tag_can_be_taken_back_and_only_that_one(
    mirror: GitMirror, work: Repository, signer: StockSigner
) -> None:
    mirror.take_bundle(work.full_bundle())
    mirror.write_tag(signed_tag(work.head, signer), "v1.0.0")
    mirror.write_tag(signed_tag(work.head, signer, "v1.0.0-rc.1"), "v1.0.0-rc.1")
    mirror.delete_tag("v1.0.0")
    mirror.delete_tag("v1.0.0")
    assert mirror.describe_commit(work.head, "v1.0.0", None).existing_tag_oid is None
    assert mirror.describe_commit(work.head, "v1.0.0-rc.1", None).existing_tag_oid
    with pytest.raises(FormatError, match="SIG-4/tag-name"):
        mirror.delete_tag("../heads/main")
