"""The traps of minisign and py-minisign (KEY-1, KEY-2, SIG-2, SIG-5)."""

from typing import Final

from tests.traps.table import Guard, Trap

_MINISIGN: Final = "adapters/minisign_secret.py"
_MINISIG: Final = "domain/minisig.py"
_GENERATING: Final = "adapters/gpg/test_generating.py"
_KEYS: Final = "adapters/test_minisign.py"

MINISIGN: Final = (
    Trap(
        "py-minisign encrypts with interactive scrypt limits, stock minisign with sensitive ones",
        (
            f"{_KEYS}::test_default_limits_are_stock_minisigns_sensitive_ones",
            f"{_KEYS}::test_limits_that_the_library_did_not_write_are_noticed",
            f"{_KEYS}::test_the_library_default_limits_would_be_refused",
            f"{_KEYS}::test_stock_minisign_signs_with_our_key_and_we_with_its_key_at_full_strength",
        ),
        (
            Guard(_MINISIGN, "            opslimit=self.limits.ops,\n", ""),
            Guard(
                _MINISIGN, "if parse_secret_key_header(key_file) != SecretKeyHeader(", "if () == ("
            ),
            Guard(_MINISIGN, "if not limits.at_least(self.limits):", "if False:"),
            Guard(_MINISIG, "ops=33_554_432", "ops=1_048_576"),
        ),
    ),
    Trap(
        "decryption needs 1 GiB of memory; a creator that has less weakens the key silently",
        (f"{_KEYS}::test_too_little_memory_is_told_before_it_is_taken",),
        (
            Guard(
                _MINISIGN,
                "if self._memory_available() < limits.memory_bytes + _MEMORY_MARGIN_BYTES:",
                "if False:",
            ),
        ),
    ),
    Trap(
        "stock minisign shows the key ID as a little-endian number in upper hex",
        (
            "domain/test_minisig.py::test_key_id_is_a_little_endian_number_in_upper_hex",
            f"{_KEYS}::test_stock_minisign_reads_our_public_key_file_and_shows_the_same_id",
        ),
        (
            Guard(
                _MINISIG, "int.from_bytes(key_id, 'little'):X", "int.from_bytes(key_id, 'big'):X"
            ),
            Guard(_MINISIG, "key_id, 'little'):X", "key_id, 'little'):016x"),
        ),
    ),
    Trap(
        "the key ID is random: whole public keys are compared",
        (
            f"{_KEYS}::test_unlock_compares_whole_public_keys_not_ids",
            f"{_KEYS}::test_verifier_refuses_another_key_even_under_the_same_id",
            "domain/test_transition.py::"
            "test_a_statement_about_another_public_key_under_the_same_id_is_not_believed",
        ),
        (
            Guard(_MINISIGN, "if public_line(secret_key) != public_key:", "if False:"),
            Guard(
                "domain/transition.py",
                "    if told != known:",
                "    if (told.old.id, told.new.id) != (known.old.id, known.new.id):",
            ),
        ),
    ),
    Trap(
        "an unencrypted key skips the checksum: a flipped bit signs, and verification fails",
        (
            f"{_KEYS}::test_import_refuses_a_stock_key_without_passphrase",
            f"{_KEYS}::test_import_refuses_an_open_key_that_claims_to_be_encrypted",
            f"{_KEYS}::test_each_flipped_bit_of_the_encrypted_part_is_noticed",
            f"{_KEYS}::test_signature_that_does_not_verify_is_never_returned",
        ),
        (
            Guard(_MINISIGN, "if not header.is_encrypted:", "if False:"),
            Guard(_MINISIGN, "if not secret_key.is_encrypted():", "if False:"),
            Guard(
                _MINISIGN,
                "minisign.PublicKey.from_base64(self._public_key).verify(blake2b_512, signature)",
                "pass",
            ),
        ),
    ),
    Trap(
        "a digest in hand is signed as it is, and only then called prehashed",
        (
            f"{_KEYS}::test_stock_minisign_accepts_a_signature_made_from_the_digest_alone",
            f"{_KEYS}::test_signature_file_is_stock_form",
        ),
        (
            Guard(_MINISIGN, "blake2b_512, prehash=False,", "blake2b_512, prehash=True,"),
            Guard(
                _MINISIGN, "SignatureAlgorithm.PREHASHED_ED_DSA", "signature._signature_algorithm"
            ),
        ),
    ),
    Trap(
        "the default trusted comment bakes in the clock; ours names project, version, file",
        (
            "domain/test_minisig.py::"
            "test_trusted_comment_names_project_version_and_file_without_a_clock",
            f"{_KEYS}::test_signature_file_is_stock_form",
        ),
        (
            Guard(_MINISIGN, "prehash=False, trusted_comment=trusted_comment", "prehash=False"),
            Guard(
                _MINISIG, 'return f"project:{project}\\tversion', 'return f"timestamp:0\\tversion'
            ),
        ),
    ),
    Trap(
        "empty passphrases are accepted by the tools",
        (
            f"{_KEYS}::test_empty_passphrase_is_refused_before_any_work",
            f"{_GENERATING}::test_empty_passphrase_is_refused",
        ),
        (Guard("adapters/passphrases.py", "if passphrase.is_empty:", "if False:"),),
    ),
    Trap(
        "one public key per file; further lines are ignored by the tools",
        ("domain/test_minisig.py::test_public_key_file_with_further_lines_is_refused",),
        (Guard(_MINISIG, "if len(lines) != count:", "if len(lines) < count:"),),
    ),
    Trap(
        "a prehashed signature relabelled as legacy verifies the digest as if it were a file",
        (
            "domain/test_minisig.py::test_legacy_signature_is_refused_by_its_own_code",
            "domain/test_minisig.py::test_unknown_signature_algorithm_is_refused",
            f"{_KEYS}::test_verifier_refuses_a_prehashed_signature_relabelled_as_legacy",
            f"{_KEYS}::test_verifier_refuses_a_legacy_signature_of_stock_minisign",
        ),
        (
            Guard(_MINISIG, "if blob[:2] == _LEGACY:", "if False:"),
            Guard(_MINISIG, "if blob[:2] != PREHASHED:", "if False:"),
        ),
    ),
    Trap(
        "get_public_key() on a still encrypted key returns garbage without a word",
        (
            f"{_KEYS}::test_import_refuses_halves_that_do_not_belong_together",
            f"{_KEYS}::test_a_key_that_is_still_encrypted_has_no_public_half",
        ),
        (
            Guard(
                _MINISIGN,
                "if private.public_key().public_bytes_raw() != embedded.ed25519:",
                "if False:",
            ),
        ),
    ),
    Trap(
        "a key file may ask for a day of scrypt",
        (f"{_KEYS}::test_excessive_scrypt_limits_are_refused_before_any_scrypt",),
        (Guard(_MINISIGN, "if not STOCK_LIMITS.at_least(limits):", "if False:"),),
    ),
    Trap(
        "parsing keeps control characters in comments; writing refuses all non-ASCII",
        (
            "domain/test_minisig.py::test_comment_with_invisible_characters_is_refused",
            f"{_KEYS}::test_signing_refuses_a_comment_that_cannot_be_written",
        ),
        (
            Guard(_MINISIG, 'if not is_safe(comment.replace("\\t", " ")):', "if False:"),
            Guard(
                _MINISIGN,
                "except minisign.ParseError as error:",
                "except ZeroDivisionError as error:",
            ),
        ),
    ),
    Trap(
        "bytes() of keys and signatures has no final newline; stock files have one",
        (
            f"{_KEYS}::test_signature_file_is_stock_form",
            f"{_KEYS}::test_generated_key_is_one_private_file_named_by_the_stock_id",
            f"{_KEYS}::test_import_stores_the_file_as_it_was",
        ),
        (
            Guard(_MINISIGN, 'return bytes(prehashed) + b"\\n"', "return bytes(prehashed)"),
            Guard(
                _MINISIGN, 'key_file = bytes(secret_key) + b"\\n"', "key_file = bytes(secret_key)"
            ),
            Guard(
                "adapters/minisign.py",
                'key_file.removesuffix(b"\\n") + b"\\n"',
                "key_file.rstrip()",
            ),
        ),
    ),
    Trap(
        "key ID and the comment's signature are cheap: they are checked first",
        (
            f"{_KEYS}::"
            "test_verifier_refuses_a_changed_trusted_comment_before_it_looks_at_the_digest",
            f"{_KEYS}::test_verifier_refuses_another_key_even_under_the_same_id",
        ),
        (
            Guard(
                "adapters/minisign_verify.py",
                "verifier.verify(parsed.comment_signature, parsed.commented_bytes)",
                "pass",
            ),
        ),
    ),
    Trap(
        "a renamed file verifies with its signature",
        (
            "domain/test_minisig.py::test_renamed_file_is_refused",
            "workflows/test_verify_release.py::test_a_renamed_file_with_its_signature_is_refused",
        ),
        (
            Guard(_MINISIG, "    if signed != name:", "    if False:"),
            Guard(
                "workflows/verify/verification.py", "check_file_in_comment(comment, name)", "pass"
            ),
        ),
    ),
    Trap(
        "stock minisign changes a passphrase in place, and leaves a partial .minisig on an error",
        ("test_traps.py::test_no_stock_tool_of_a_trap_is_ever_called",),
    ),
)
