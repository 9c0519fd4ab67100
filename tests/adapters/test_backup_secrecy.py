"""The passphrase of a copy: once in memory while it is used, and nowhere afterwards (SEC-2)."""

import os
import subprocess
import sys
from pathlib import Path

from tests.keys import install_weak_openpgp_key
from tests.watching import copies_in_memory

CHILD = """
import sys
from pathlib import Path
from pai_signer.adapters.backup_keys import VaultBackupKeys
from pai_signer.adapters.gpg_backup import OpenPgpBackups
from pai_signer.adapters.minisign_backup import MinisignBackups
from pai_signer.adapters.minisign_secret import KeyFiles
from pai_signer.domain.secret import Secret
from tests.keys import WEAK_SCRYPT_LIMITS, RealClock, weak_minisign_keys, weak_passphrase
typed = bytearray(24)
sys.stdin.buffer.raw.readinto(typed)
secret = Secret(typed)
folder, fingerprint, certificate = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
keys = weak_minisign_keys(folder / "minisign")
line = keys.generate(weak_passphrase())
backups = VaultBackupKeys(
    MinisignBackups(keys, KeyFiles(WEAK_SCRYPT_LIMITS)),
    OpenPgpBackups(folder / "gnupg", RealClock()),
)
copy = backups.wrap_minisign(line, weak_passphrase(), secret)
backups.prove_minisign(copy, secret, line, b"challenge", "comment")
copy = backups.wrap_openpgp(fingerprint, weak_passphrase(), secret)
backups.prove_openpgp(copy, certificate, fingerprint, secret, b"challenge")
assert backups.decrypt(backups.encrypt(b"data", secret), secret) == b"data"
print("held", flush=True)
sys.stdin.buffer.raw.readinto(bytearray(1))
secret.wipe()
print("wiped", flush=True)
sys.stdin.buffer.raw.readinto(bytearray(1))
"""


def test_a_copys_passphrase_stands_in_memory_once_and_after_wiping_nowhere(
    tmp_path: Path,
) -> None:
    info = install_weak_openpgp_key(tmp_path / "gnupg")
    canary = os.urandom(12).hex().encode()
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, tmp_path, info.fingerprint, info.certificate],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(canary)
        assert child.stdout.readline() == b"held\n"
        assert copies_in_memory(child.pid, canary) == 1
        child.stdin.write(b"\n")
        assert child.stdout.readline() == b"wiped\n"
        assert copies_in_memory(child.pid, canary) == 0
        # No home and no agent is left that could hold it; no file of the vault does.
        assert list(Path("/dev/shm").glob(f"pai-{child.pid}-*")) == []
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert len(files) > 4
        assert [path for path in files if canary in path.read_bytes()] == []
        child.stdin.write(b"\n")
    assert child.returncode == 0
