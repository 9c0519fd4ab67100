"""The traps of gpg with copies of a secret key (CUS-1, CUS-2)."""

from typing import Final

from tests.traps.table import Guard, Trap

_PROOF: Final = "adapters/gpg_proof.py"
_PROVING_CHANGED_KEYS: Final = "adapters/gpg/test_proving_changed_keys.py"
_PROVING_COPIES: Final = "adapters/gpg/test_proving_copies.py"
_WRAPPING: Final = "adapters/gpg/test_wrapping.py"

GPG_BACKUP: Final = (
    Trap(
        "a backup with a flipped secret byte imports with success; a subkey signs without it",
        (
            f"{_PROVING_COPIES}::test_one_damaged_part_is_found_though_gpg_imports_it",
            f"{_PROVING_CHANGED_KEYS}::test_each_signing_subkey_signs_and_the_others_open",
            f"{_PROVING_COPIES}::test_a_part_with_the_secret_of_another_key_is_found",
        ),
        (
            Guard(_PROOF, "    if refused:\n", "    if False:\n"),
            Guard(_PROOF, "        _check_all_open(home, export, passphrase)\n", ""),
            Guard(_PROOF, "    if after != before + 1:\n", "    if False:\n"),
        ),
    ),
    Trap(
        "an old backup restores as expired",
        (
            f"{_PROVING_CHANGED_KEYS}::test_a_copy_whose_certificate_expired_since_is_stale_not_wrong",
        ),
        (
            Guard(
                _PROOF,
                "    _check_restores(backup, signing, challenge, passphrase, clock)\n",
                "",
            ),
        ),
    ),
    Trap(
        "a changed passphrase can leave a part under the old one, and gpg says SUCCESS",
        (
            f"{_WRAPPING}::test_gpg_asks_for_old_and_new_without_saying_which",
            f"{_WRAPPING}::test_an_export_that_the_old_passphrase_opens_is_noticed",
            f"{_WRAPPING}::test_a_part_that_kept_the_old_passphrase_is_noticed",
        ),
        (Guard(_PROOF, "        _expect_wrong(use, wrong)\n", "        pass\n"),),
    ),
    Trap(
        "a key that is weakly hashed or open is imported without a word",
        (
            f"{_PROVING_COPIES}::test_an_open_or_weakly_hashed_copy_is_refused",
            "domain/test_openpgp_secret.py::test_a_weak_protection_is_refused",
            "domain/test_openpgp_secret.py::test_an_open_key_is_refused_as_such",
        ),
        (
            Guard("domain/openpgp_secret.py", "    if usage == _OPEN:\n", "    if False:\n"),
            Guard(
                "domain/openpgp_secret.py",
                "    if kind != _ITERATED or count_bytes < S2K_COUNT_BYTES:\n",
                "    if False:\n",
            ),
        ),
    ),
)
