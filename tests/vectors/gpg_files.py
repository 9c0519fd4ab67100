"""What gpg made for the program, recorded: for every other release of gpg to use.

``python -m tests.vectors.gpg_files`` writes ``tests/vectors/gpg/VERSION`` anew, by the gpg of
the machine that it runs on. Keys are WEAK TEST KEYS: the passphrases stand in the tests.
"""

import shutil
from pathlib import Path
from typing import Final

from pai_signer.adapters.gpg_backup import OpenPgpBackups
from pai_signer.adapters.gpg_home import GpgHome, vault_home
from pai_signer.adapters.process import run
from tests.adapters.gpg.homes import CLOCK, DATA, NEW
from tests.adapters.gpg.old_keys import BIRTH, SIGNED, at, export, made
from tests.keys import WEAK_USER_ID, weak_passphrase, weaken_openpgp

RECORDED: Final = Path(__file__).parent / "gpg"
EXPIRES: Final = "2069-06-01"
REVOKED_BECAUSE: Final = "recorded"
#: What a vault needs of its home; the rest is written at each start.
HOME_FILES: Final = ("pubring.kbx", "private-keys-v1.d/*.key")


def write(folder: Path) -> None:
    """One vault's home, and what left it: certificate, signature, revocation and backup."""
    home = folder / "home"
    with vault_home(home) as opened:
        fingerprint = _generated(opened)
        subkey = f"{_subkey(opened, fingerprint)}!"
        sign = ("--armor", "--local-user", subkey, "--detach-sign", "--output", "-")
        (folder / "signature.asc").write_bytes(at(opened, SIGNED, *sign, stdin=DATA).stdout)
        (folder / "certificate.asc").write_text(export(opened, fingerprint))
        (folder / "superseded.asc").write_bytes(_revocation(opened, fingerprint))
    backups = OpenPgpBackups(home, CLOCK)
    copy = backups.wrap(fingerprint, weak_passphrase(), weak_passphrase(NEW))
    (folder / "gpg-secret.asc").write_bytes(copy)
    (folder / "encrypted.gpg").write_bytes(backups.encrypt(DATA, weak_passphrase(NEW)))
    wanted = {path for pattern in HOME_FILES for path in home.glob(pattern)}
    for path in [path for path in home.rglob("*") if path.is_file() and path not in wanted]:
        path.unlink()


def _generated(opened: GpgHome) -> str:
    arguments = ("--quick-gen-key", WEAK_USER_ID, "ed25519", "cert", EXPIRES)
    return made(at(opened, BIRTH, *arguments))


def _subkey(opened: GpgHome, fingerprint: str) -> str:
    return made(at(opened, BIRTH, "--quick-add-key", fingerprint, "ed25519", "sign", EXPIRES))


def _revocation(opened: GpgHome, fingerprint: str) -> bytes:
    # Sure? Superseded; the text, up to an empty line; sure?
    answers = f"y\n2\n{REVOKED_BECAUSE}\n\ny\n".encode()
    asked = ("--no-batch", "--command-fd", "0", "--armor", "--gen-revoke", fingerprint)
    return at(opened, SIGNED, *asked, stdin=answers).stdout


def main() -> None:
    weaken_openpgp()
    first_line = run("gpg", ["--version"], timeout_s=10).stdout.split(b"\n")[0]
    folder = RECORDED / first_line.decode().split()[-1]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write(folder)
    print(folder)


if __name__ == "__main__":
    main()
