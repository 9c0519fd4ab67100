"""``upload.sh`` against a bare remote and a ``gh`` that keeps releases (EXP-1).

It verifies before anything is asked, changes nothing where something is wrong, never deletes or
overwrites, and can be run again from wherever it stopped.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.online import Online, bash, online_side
from tests.cli.program import Program
from tests.repository import stock_signer
from tests.workflows.bench import RELEASE, downloads, signed_vault

IMAGES = ("pai-0.2.0-amd64.iso", "pai-0.2.0-arm64.iso")


@pytest.fixture
def online(tmp_path: Path, folder: Path) -> Online:
    for name in IMAGES:
        (folder / name).unlink()
    bundle = next(downloads().glob("*.bundle"))
    exported = folder.rename(folder.with_name(f"pai-{RELEASE}"))
    return online_side(tmp_path / "online side", exported, bundle)


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    to = tmp_path / "the artifacts"
    to.mkdir()
    for name in IMAGES:
        shutil.copy(downloads() / name, to)
    return to


@contextmanager
def a_short_folder() -> Iterator[Path]:
    """The agent's socket has to fit into 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="pai-") as folder:
        yield Path(folder)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_shellcheck_finds_nothing(folder: Path) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("apt-get install shellcheck")
    bash("shellcheck", folder / "upload.sh", cwd=folder)


def test_all_of_it_and_again(online: Online, artifacts: Path) -> None:
    """Asked once for each kind of change; a second run finds everything done."""
    done = online.upload("--artifacts", artifacts, answers="y\n" * 6)
    assert done.stdout.count("[y/N]") == 6
    assert RELEASE in bash("git", "tag", cwd=online.remote)
    release = online.site / "releases" / RELEASE
    own = {"UPLOAD.md", "upload.sh", "reminders.ics", f"{RELEASE}.bundle"}
    signed = {p.name for p in online.folder.iterdir() if p.is_file()} - own
    assert {p.name for p in (release / "assets").iterdir()} == signed | set(IMAGES)
    assert (release / "draft").read_text() == "false\n"
    (certificate,) = (online.folder / "keys").glob("gpg-*.asc")
    assert online.calls()[-1] == (
        f"variable set GPG_KEY_FINGERPRINT --body {certificate.stem.removeprefix('gpg-')}"
    )
    sums = (online.back / "live.sha256").read_text().splitlines()
    assert {line[66:] for line in sums} == signed | set(IMAGES)
    assert f"refs/tags/{RELEASE}\n" in (online.back / "live.tag").read_text()
    before, changed = online.state(), online.calls()
    again = online.upload("--artifacts", artifacts, code=0)
    assert "[y/N]" not in again.stdout
    assert online.state() == before
    assert online.calls() == changed
    assert not [call for call in online.calls("release") if "clobber" in call or "delete" in call]


def test_what_it_brings_back_is_confirmed(signed: Program, online: Online, artifacts: Path) -> None:
    """From the site back to the workstation (EXP-5): 0, then 5 and 4 once it is spoilt."""
    online.upload("--artifacts", artifacts, "--yes")
    confirm = ("release", "confirm", RELEASE)
    said = signed(*confirm, online.folder.parent, as_json=True).json
    assert said["verdict"] == "same"
    assert said["source"].endswith("-live")
    (online.back / "live.tag").unlink()
    assert "EXP-5/not-whole" in signed(*confirm, online.back, code=5).stderr
    (online.site / "releases" / RELEASE / "assets" / IMAGES[0]).write_bytes(b"somebody else's")
    online.upload("--yes")
    ended = signed(*confirm, online.back, code=4)
    assert "EXP-5/differs" in ended.stderr
    assert f"{IMAGES[0]}: it is not the file that was signed" in " ".join(ended.stdout.split())


def test_no_answer_is_a_no(online: Online) -> None:
    before = online.state()
    done = online.upload(code=6)
    assert "You did not say yes to: push the tag" in done.stderr
    assert online.state() == before


@pytest.mark.parametrize("name", ["SHA256SUMS", "pai-0.2.0-amd64.iso.minisig", "v0.2.0.bundle"])
def test_a_flipped_byte_stops_before_anything_is_asked(online: Online, name: str) -> None:
    before = online.state()
    flip(online.folder / name)
    done = online.upload("--yes", code=4)
    assert f"{name}: FAILED" in done.stdout
    assert online.state() == before
    assert online.calls("release") == []


def test_a_flipped_byte_in_an_artifact(online: Online, artifacts: Path) -> None:
    before = online.state()
    flip(artifacts / IMAGES[0])
    done = online.upload("--artifacts", artifacts, "--yes", code=4)
    assert f"{IMAGES[0]}: FAILED" in done.stdout
    assert "not those that were signed" in done.stderr
    assert online.state() == before


@pytest.mark.parametrize("system", ["minisign", "gpg"])
def test_the_keys_of_the_repository_decide_not_those_of_the_stick(
    online: Online, system: str, tmp_path: Path
) -> None:
    """Another key lies in the repository under the name of the one that signed."""
    keys = online.clone / "keys" / "public"
    if system == "minisign":
        (public,) = keys.glob("minisign-*.pub")
        bash("minisign", "-GWf", "-p", tmp_path / "p", "-s", tmp_path / "s", cwd=tmp_path)
        shutil.copy(tmp_path / "p", public)
    else:
        (certificate,) = keys.glob("gpg-*.asc")
        with a_short_folder() as short, stock_signer(short / "home") as other:
            certificate.write_bytes(other.gpg("--armor", "--export").stdout)
    before = online.state()
    online.upload("--yes", code=4)
    assert online.state() == before


def test_a_key_that_the_repository_knows_as_revoked_is_refused(
    online: Online, tmp_path: Path
) -> None:
    """Stock gpg and git end with 0 for a good signature by a revoked key."""
    vault = signed_vault(tmp_path / "vault")
    (certificate,) = (online.clone / "keys" / "public").glob("gpg-*.asc")
    revocation = next(vault.glob("revocations/*/compromised.asc"))
    with a_short_folder() as short, stock_signer(short / "home") as gpg:
        gpg.gpg("--import", certificate, revocation)
        fingerprint = certificate.stem.removeprefix("gpg-")
        certificate.write_bytes(gpg.gpg("--armor", "--export", fingerprint).stdout)
    before = online.state()
    done = online.upload("--yes", code=4)
    assert "GOODSIG" in done.stderr
    assert online.state() == before


def test_the_keys_of_the_stick_are_never_taken_without_telling(online: Online) -> None:
    shutil.rmtree(online.clone / "keys")
    done = online.upload("--yes", code=5)
    assert "There are no published keys" in done.stderr
    done = online.upload("--keys", online.folder / "keys", code=6)
    assert "WARNING: these keys come from the same folder" in done.stdout
    done = online.upload("--keys", online.folder / "keys", "--verify-only", answers="y\n")
    assert "Verified; nothing was changed" in done.stdout


@pytest.mark.parametrize("where", ["remote", "clone"])
def test_another_tag_of_that_name_is_never_overwritten(online: Online, where: str) -> None:
    bash("git", "tag", RELEASE, cwd=online.home / {"remote": "remote.git"}.get(where, where))
    before = online.state()
    done = online.upload("--yes", code=4)
    assert f"The {where} has another tag" in done.stderr
    assert online.state() == before
    assert online.calls() == []


def test_an_asset_with_other_content_is_never_overwritten(online: Online) -> None:
    assets = online.site / "releases" / RELEASE / "assets"
    assets.mkdir(parents=True)
    (assets.parent / "draft").write_text("false\n")
    (assets / "SHA256SUMS.asc").write_text("CI's own")
    done = online.upload("--yes", code=4)
    assert "SHA256SUMS.asc is there already, with other content" in done.stderr
    assert (assets / "SHA256SUMS.asc").read_text() == "CI's own"


@pytest.mark.parametrize("how", ["another image", "one more image", "another side file's name"])
def test_a_draft_that_holds_what_nobody_signed_is_not_published(
    online: Online, artifacts: Path, how: str
) -> None:
    """CI was taken over: what it put into the draft stays unseen by the public (T3)."""
    assets = online.site / "releases" / RELEASE / "assets"
    assets.mkdir(parents=True)
    (assets.parent / "draft").write_text("true\n")
    names = {"another image": IMAGES[0], "one more image": "pai-0.2.0-riscv64.iso"}
    (assets / names.get(how, "pai-0.2.0-riscv64.iso.sha256")).write_bytes(b"evil")
    done = online.upload("--artifacts", artifacts, "--yes", code=4)
    assert "the draft holds what nobody signed" in done.stderr
    assert (assets.parent / "draft").read_text() == "true\n"
    assert online.calls("release edit") == []


@pytest.mark.parametrize("end", ["\n", ""], ids=["whole", "without its last newline"])
def test_a_manifest_that_ci_exchanged_vouches_for_nothing(
    online: Online, artifacts: Path, end: str
) -> None:
    """A list whose end swallows the next line could hide the line that checks itself (T3)."""
    exchanged = online.site / "exchanged"
    exchanged.mkdir()
    image = (artifacts / IMAGES[0]).read_bytes() + b"evil"
    (exchanged / IMAGES[0]).write_bytes(image)
    lines = [f"{hashlib.sha256(image).hexdigest()}  {IMAGES[0]}", f"{'0' * 64}  x"]
    (exchanged / "SHA256SUMS").write_text("\n".join(lines) + end)
    done = online.upload("--artifacts", artifacts, "--yes", code=4)
    assert "the draft holds what nobody signed" in done.stderr
    assert online.calls("release edit") == []


def test_a_draft_with_cis_own_good_files_is_published(online: Online, artifacts: Path) -> None:
    assets = online.site / "releases" / RELEASE / "assets"
    assets.mkdir(parents=True)
    (assets.parent / "draft").write_text("true\n")
    for name in IMAGES:
        shutil.copy(artifacts / name, assets)
        (assets / f"{name}.sha256").write_text("CI's digest\n")
    assert not online.upload("--yes").stderr.count("STOPPED")
    assert (assets.parent / "draft").read_text() == "false\n"


@pytest.mark.parametrize(
    "call", ["release view", "release create", "upload v0.2.0", "receipt.json", "edit", "variable"]
)
def test_a_failing_gh_stops_it_and_the_next_run_goes_on(online: Online, call: str) -> None:
    (online.site / "fail").write_text(call)
    done = online.upload("--yes", code=5)
    assert "STOPPED" in done.stderr
    (online.site / "fail").unlink()
    online.upload("--yes")
    uploads = online.calls("release upload")
    assert (online.site / "releases" / RELEASE / "draft").read_text() == "false\n"
    assert len(uploads) - len(set(uploads)) == (1 if "upload" in call or "json" in call else 0)


def test_a_release_that_ci_made_is_filled_and_not_made_again(online: Online) -> None:
    assets = online.site / "releases" / RELEASE / "assets"
    assets.mkdir(parents=True)
    (assets.parent / "draft").write_text("false\n")
    shutil.copy(online.folder / "SHA256SUMS", assets)
    online.upload("--yes")
    assert online.calls("release create", "release edit") == []
    assert f"{online.folder}/SHA256SUMS" not in " ".join(online.calls("release upload")).split()


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--nonsense",), "no option"), (("--keys",), "wants a folder"), (("--help",), "usage:")],
)
def test_the_arguments(online: Online, options: tuple[str, ...], said: str) -> None:
    done = online.upload(*options, code=0 if options == ("--help",) else 2)
    assert said in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["a#b", "a*b", "a?b", "a[b", "a\\b"])
def test_a_folder_that_gh_would_misread_is_refused(online: Online, name: str) -> None:
    """For ``gh release upload`` what stands behind '#' is a label, and '*' a pattern."""
    moved = Online(online.home, online.folder.rename(online.folder.with_name(name)))
    assert "gh would misread the path" in moved.upload("--yes", code=2).stderr
    assert online.calls("release") == []


@pytest.mark.parametrize("name", ["a b", "it's", '"$(touch pwned)"', "-x", "a;b&c", "\u00e9"])
def test_a_folder_of_any_other_name_is_served(online: Online, name: str) -> None:
    moved = Online(online.home, online.folder.rename(online.folder.with_name(name)))
    moved.upload("--yes")
    assert (moved.back / "live.sha256").exists()
    assert not list(online.home.rglob("pwned"))


def test_a_script_that_was_cut_off_does_nothing(online: Online) -> None:
    script = online.folder / "upload.sh"
    text = script.read_text()
    before = online.state()
    for part in (1 / 3, 2 / 3, 0.99):
        script.write_text(text[: int(len(text) * part)])
        done = online.upload("--yes", code=2)
        assert "Verify first" not in done.stdout
    script.write_text(text.removesuffix('main "$@"\n'))
    online.upload("--yes")
    assert online.state() == before
