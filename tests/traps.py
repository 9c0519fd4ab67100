"""The traps of this field about keys, the tests that hold each, and the guards that they test.

A guard is a place in the code: ``tests/faults/test_trap_guards.py`` takes it out and sees the
named tests fail. ``tests/test_traps.py`` keeps the table true in every run.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Guard:
    """A piece of ``file`` that keeps a trap shut, and what stands there when it is open."""

    file: str
    shut: str
    open: str


@dataclass(frozen=True)
class Trap:
    """One trap. ``tests`` are ``file::function`` below ``tests``; they fail without a guard."""

    text: str
    tests: tuple[str, ...]
    guards: tuple[Guard, ...] = ()


_MINISIGN: Final = "adapters/minisign_secret.py"
_MINISIG: Final = "domain/minisig.py"
_GPG: Final = "adapters/test_gpg.py"
_LIFE: Final = "adapters/test_gpg_life.py"
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
            f"{_GPG}::test_empty_passphrase_is_refused",
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

GPG: Final = (
    Trap(
        "gpg --verify ends with 0 for expired and revoked keys and for a signature of 2099",
        (
            "domain/test_openpgp.py::test_good_needs_goodsig_and_validsig_by_the_expected_primary",
            "domain/test_openpgp.py::test_each_verdict_has_its_own_error",
            "domain/test_openpgp.py::test_the_subkeys_own_fingerprint_grants_no_trust",
            f"{_GPG}::test_signature_of_the_future_is_refused",
            f"{_GPG}::test_revoked_key_is_untrusted",
            f"{_GPG}::test_key_expired_since_is_told_with_who_signed",
            f"{_GPG}::test_key_that_expires_by_the_given_clock_has_expired",
        ),
        (
            Guard("domain/openpgp_status.py", 'if verdict.keyword == "REVKEYSIG" or', "if"),
            Guard("domain/openpgp_status.py", "if signed_by.created_at > now:", "if False:"),
            Guard("domain/openpgp_status.py", 'if verdict.keyword == "EXPKEYSIG" or', "if"),
            Guard(
                "domain/openpgp_status.py", "expires_at is not None and expires_at <= now", "False"
            ),
            Guard(
                "domain/openpgp_status.py",
                "if signed_by.primary_fingerprint not in frozenset(fingerprints):",
                "if False:",
            ),
        ),
    ),
    Trap(
        "a new expiry replaces the self-signature: strict verifiers then reject old signatures",
        (
            "workflows/test_extend_gpg.py::"
            "test_everything_signed_before_verifies_after_two_extensions",
            "workflows/test_extend_gpg.py::"
            "test_what_the_vaults_gpg_forgot_stays_in_the_published_certificate",
            f"{_LIFE}::test_strict_verifier_rejects_old_signatures_without_the_merge",
            "domain/test_registry_rules.py::"
            "test_a_certificate_that_lost_a_part_or_is_another_is_refused",
        ),
        (
            Guard(
                "workflows/keys/extend_gpg.py",
                "[registered.public_key, info.certificate]",
                "[info.certificate]",
            ),
            Guard(
                "domain/registry_rules.py",
                "    check_grows(key, certificate)\n    grown",
                "    grown",
            ),
        ),
    ),
    Trap(
        "--quick-set-expire with '*' skips the expired and shortens the endless",
        (
            f"{_LIFE}::test_old_and_new_signatures_verify_after_an_expired_key_was_extended",
            f"{_LIFE}::test_subkey_that_never_expires_stays_so",
            f"{_LIFE}::test_date_that_gpg_cannot_write_changes_nothing",
            f"{_LIFE}::test_a_date_that_gpg_left_out_is_noticed",
        ),
        (
            Guard("adapters/gpg_life.py", "[] if key.is_primary else [key.fingerprint]", '["*"]'),
            Guard(
                "adapters/gpg_life.py",
                "subkey = [] if key.is_primary else",
                "subkey = [] if True else",
            ),
            Guard(
                "adapters/gpg_life.py",
                "if k.expires_at is not None]\n        if not expiring",
                "]\n        if not expiring",
            ),
            Guard("adapters/gpg_life.py", "if not wanted <= reached or", "if"),
        ),
    ),
    Trap(
        "a self-signature made under a clock in the future makes the expiry unsettable",
        (
            f"{_LIFE}::test_key_with_a_self_signature_from_the_future_waits",
            f"{_LIFE}::test_clock_behind_the_newest_self_signature_is_refused_before_gpg_is_asked",
            "workflows/test_extend_gpg.py::test_a_clock_that_is_a_day_behind_is_refused",
            "workflows/test_extend_gpg.py::"
            "test_a_clock_years_ahead_is_refused_where_nobody_compared_it",
            "workflows/test_rotate_minisign_hardships.py::"
            "test_a_clock_that_falls_back_in_between_is_noticed_at_the_point_of_no_return",
            "workflows/test_rotate_minisign_hardships.py::"
            "test_a_clock_years_ahead_is_refused_where_nobody_compared_it",
            "cli/test_key_clock.py::test_a_rotation_that_is_overdue_refuses_until_it_is_done",
            "domain/test_registry_rules.py::test_no_key_is_touched_under_a_clock_that_is_behind",
            "domain/test_registry_rules.py::test_no_key_is_added_under_a_clock_that_is_behind",
        ),
        (
            Guard("adapters/gpg_life.py", "if last > self._clock.now():", "if False:"),
            Guard("workflows/keys/key_dates.py", "    if now < earliest:", "    if False:"),
            Guard("workflows/keys/key_dates.py", "if answer != YES and known and", "if False and"),
            Guard(
                "workflows/ceremony/opening.py",
                "        check_clock(self._bench, YES if was_clock_compared(following) else "
                "CLOCK_NOT_COMPARED)\n",
                "",
            ),
            Guard("workflows/keys/rotation.py", "        self._check_ground(state)\n", ""),
            Guard("domain/registry.py", "    if now < registry.changed_at:", "    if False:"),
        ),
    ),
    Trap(
        "revocation reasons 0 and 1 kill every old signature; gpg's own .rev is of reason 0",
        (
            f"{_LIFE}::test_revocation_does_in_a_clean_gpg_and_in_sqv_what_its_reason_says",
            f"{_LIFE}::test_revocation_with_another_reason_than_asked_is_thrown_away",
            f"{_LIFE}::test_revocation_without_a_reason_is_refused",
        ),
        (
            Guard(
                "adapters/gpg_revocation.py",
                'RevocationReason.SUPERSEDED: "2"',
                'RevocationReason.SUPERSEDED: "1"',
            ),
            Guard(
                "adapters/gpg_revocation.py",
                "if (made.reason, made.text) != (reason, text):",
                "if False:",
            ),
            Guard(
                "adapters/gpg_revocation.py",
                "return RevocationReason(signature.reason_code)",
                "return RevocationReason(signature.reason_code or 1)",
            ),
        ),
    ),
    Trap(
        "importing a secret key succeeds with a wrong passphrase: only signing proves possession",
        (
            f"{_GPG}::test_import_with_a_wrong_passphrase_is_refused_though_gpg_takes_it",
            f"{_GPG}::test_import_refuses_an_unprotected_key",
            f"{_GPG}::test_proof_refuses_a_key_that_any_passphrase_opens",
            f"{_GPG}::test_import_refuses_a_flipped_secret_bit_that_gpg_imports",
            f"{_LIFE}::test_proof_of_the_primary_wants_the_right_passphrase",
            f"{_LIFE}::test_unprotected_primary_is_not_proved",
        ),
        (
            Guard(
                "adapters/gpg_keys.py",
                "            self._prove_primary(home, fingerprint, passphrase)\n"
                "            self._prove(home, commands.listed(home, fingerprint), passphrase)\n",
                "",
            ),
            Guard(
                "adapters/gpg_keys.py",
                "                raise commands.unprotected()",
                "                pass",
            ),
            Guard(
                "adapters/gpg_commands.py",
                "        raise\n    raise unprotected()",
                "        raise",
            ),
        ),
    ),
    Trap(
        "the agent caches, and a home with a long path has no socket",
        (
            f"{_GPG}::test_agent_caches_nothing_even_while_it_lives",
            f"{_GPG}::test_agent_is_gone_after_each_operation",
            f"{_GPG}::test_home_with_a_path_too_long_for_a_socket_works",
        ),
        (
            Guard(
                "adapters/gpg_home.py",
                "default-cache-ttl 0\nmax-cache-ttl 0\nignore-cache-for-signing\n",
                "",
            ),
            Guard("adapters/gpg_home.py", '    gpgconf("--kill", "all")\n', "    return\n"),
            Guard(
                "adapters/gpg_home.py",
                "yield GpgHome(short, with_agent=True)",
                "yield GpgHome(home, with_agent=True)",
            ),
        ),
    ),
    Trap(
        "with --default-key and an expired key gpg silently signs with another",
        (
            f"{_GPG}::test_exactly_the_given_subkey_signs_and_not_a_newer_one",
            f"{_GPG}::test_signature_by_another_key_than_asked_is_thrown_away",
            f"{_GPG}::test_expired_key_is_refused_and_no_other_key_signs_instead",
            f"{_LIFE}::test_certification_by_another_key_than_asked_is_not_taken",
        ),
        (
            Guard(
                "adapters/gpg_commands.py",
                '"--local-user", f"{key.fingerprint}!"',
                '"--default-key", key.fingerprint',
            ),
            Guard(
                "adapters/gpg_commands.py",
                "if signature_created_by(parse_status(finished.status)) != key.fingerprint:",
                "if False:",
            ),
            Guard(
                "adapters/gpg_keys.py", "        if not key.usable_at(now):", "        if False:"
            ),
            Guard(
                "adapters/gpg_life.py",
                "if not certifies_every_user_id(listed_signatures(home, subject), certifier):",
                "if False:",
            ),
        ),
    ),
    Trap(
        "a newline in a name injects directives; gpg reads names in the terminal's encoding",
        (
            f"{_GPG}::test_user_id_injection_makes_no_key",
            f"{_GPG}::test_a_name_in_other_letters_is_kept",
        ),
        (
            Guard("adapters/gpg_keys.py", "        check_user_id(user_id)\n", ""),
            Guard(
                "adapters/gpg_home.py",
                "charset utf-8\nutf8-strings\n",
                "charset iso-8859-1\nno-utf8-strings\n",
            ),
        ),
    ),
    Trap(
        "python-gnupg logs key data at DEBUG and inherits the environment",
        (f"{_GPG}::test_python_gnupg_gets_a_clean_environment_and_logs_nothing",),
        (
            Guard("adapters/gpg_home.py", 'logging.getLogger("gnupg").disabled = True', "pass"),
            Guard(
                "adapters/gpg_home.py",
                '                env={"PATH": TOOL_PATH, "HOME"',
                '                env={**os.environ, "HOME"',
            ),
        ),
    ),
    Trap(
        "an expired and a good signature together are valid to python-gnupg",
        (
            "domain/test_openpgp.py::test_expired_and_good_signature_together_are_not_good",
            f"{_GPG}::test_two_signatures_are_refused_however_they_are_joined",
        ),
        (
            Guard("domain/openpgp_status.py", "if began > 1 or len(verdicts) > 1:", "if False:"),
            Guard("domain/openpgp_armor.py", "    if length != len(packet):", "    if False:"),
        ),
    ),
    Trap(
        "one home per purpose: a verifying home holds the registry's keys alone, all are 0700",
        (
            f"{_GPG}::"
            "test_valid_signature_by_another_key_is_untrusted_with_or_without_its_certificate",
            f"{_GPG}::test_home_is_made_private_and_keeps_our_configuration",
            f"{_GPG}::test_home_behind_a_symbolic_link_is_refused",
            f"{_GPG}::test_home_of_another_user_is_refused",
        ),
        (
            Guard("adapters/gpg_home.py", "    home.chmod(0o700)\n", ""),
            Guard(
                "adapters/gpg_home.py",
                "if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid():",
                "if False:",
            ),
        ),
    ),
    Trap(
        "paperkey with a wrong pubring ends with 0 and writes nothing",
        ("test_traps.py::test_no_stock_tool_of_a_trap_is_ever_called",),
    ),
)

SECRETS: Final = (
    Trap(
        "Textual prints local variables in its crash traceback",
        (
            "tui/test_terminal.py::test_a_crash_prints_no_value_and_no_local_variable",
            "tui/test_signals_in_terminal.py::"
            "test_a_bug_beside_a_passphrase_prints_neither_value_nor_local_variable",
        ),
        (
            Guard(
                "faces/tui/app.py",
                "    def _fatal_error(self) -> None:\n"
                "        # Textual would render a traceback with local variables here.\n"
                "        if not self._exit or self.crash is not None:\n"
                "            self._return_code = EXIT_BUG\n"
                "        self._close_messages_no_wait()\n"
                "\n"
                "    def _print_error_renderables(self) -> None:\n"
                "        self._exit_renderables.clear()\n",
                "",
            ),
        ),
    ),
    Trap(
        "an Input posts its value and copies it on Ctrl+C",
        (
            "tui/test_secret_field.py::test_messages_of_the_field_have_no_place_for_a_value",
            "tui/test_secret_field.py::test_ctrl_c_copies_nothing",
            "tui/test_secret_field.py::test_a_passphrase_is_in_no_message_worker_or_screen",
            "tui/test_secret_field.py::test_unmounting_wipes_every_buffer",
            "tui/test_secret_field.py::"
            "test_what_is_typed_is_handed_over_and_the_field_keeps_nothing",
        ),
        (
            Guard(
                "faces/tui/secret_field.py",
                '        text, event.text = event.text, ""\n',
                "        text = event.text\n",
            ),
            Guard("faces/tui/secret_field.py", "        self._buffer[:] = bytes(MAX_BYTES)\n", ""),
        ),
    ),
    Trap(
        "TEXTUAL_LOG and its like leak or inject",
        (
            "tui/test_environment.py::test_every_variable_of_textual_is_dropped",
            "tui/test_environment.py::"
            "test_importing_any_part_of_the_app_drops_them_before_textual_is_imported",
        ),
        (Guard("faces/tui/environment.py", "            del environ[name]", "            pass"),),
    ),
    Trap(
        "a passphrase that was typed stays in memory when its step fails",
        (
            "workflows/test_rotate_minisign_hardships.py::"
            "test_every_passphrase_is_wiped_whether_it_was_right_or_not",
            "workflows/test_rotate_minisign_hardships.py::"
            "test_a_wrong_passphrase_of_the_openpgp_key_is_wiped_too",
            "workflows/test_engine.py::test_a_secret_is_wiped_when_its_step_fails",
        ),
        (
            Guard(
                "workflows/engine.py",
                "                    answer.wipe()",
                "                    pass",
            ),
            Guard(
                "workflows/keys/rotation_system.py",
                "            with passphrase:\n",
                "            if passphrase:\n",
            ),
        ),
    ),
    Trap(
        "py-minisign wants the passphrase as a str, which nobody can wipe",
        (
            f"{_KEYS}::test_library_is_given_the_live_buffer_and_no_str",
            f"{_KEYS}::test_passphrase_stands_in_memory_once_and_after_wiping_not_at_all",
        ),
        (
            Guard(
                _MINISIGN,
                "        return self._passphrase.reveal()",
                "        return self._passphrase.reveal()[:]",
            ),
        ),
    ),
)

_PROOF: Final = "adapters/gpg_proof.py"
_BACKUP: Final = "adapters/test_gpg_backup.py"

BACKUPS: Final = (
    Trap(
        "a backup with a flipped secret byte imports with success; a subkey signs without it",
        (
            f"{_BACKUP}::test_one_damaged_part_is_found_though_gpg_imports_it",
            f"{_BACKUP}::test_each_signing_subkey_signs_and_the_others_open",
            f"{_BACKUP}::test_a_part_with_the_secret_of_another_key_is_found",
        ),
        (
            Guard(_PROOF, "    if refused:\n", "    if False:\n"),
            Guard(_PROOF, "        _check_all_open(home, export, passphrase)\n", ""),
            Guard(_PROOF, "    if after != before + 1:\n", "    if False:\n"),
        ),
    ),
    Trap(
        "an old backup restores as expired",
        (f"{_BACKUP}::test_a_copy_whose_certificate_expired_since_is_stale_not_wrong",),
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
            f"{_BACKUP}::test_gpg_asks_for_old_and_new_without_saying_which",
            f"{_BACKUP}::test_an_export_that_the_old_passphrase_opens_is_noticed",
            f"{_BACKUP}::test_a_part_that_kept_the_old_passphrase_is_noticed",
        ),
        (Guard(_PROOF, "        _expect_wrong(use, wrong)\n", "        pass\n"),),
    ),
    Trap(
        "a key that is weakly hashed or open is imported without a word",
        (
            f"{_BACKUP}::test_an_open_or_weakly_hashed_copy_is_refused",
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
    Trap(
        "a medium pulled out lists as empty; a file that was read before comes out of memory",
        (
            "adapters/test_backup_reader.py::"
            "test_a_pulled_medium_is_never_an_empty_or_a_damaged_one",
            "adapters/test_backup_reader.py::test_every_byte_comes_past_the_page_cache",
        ),
        (
            Guard(
                "adapters/backup_reader.py",
                "            check_medium_is_there(top, reading.shown_path)\n",
                "",
            ),
            Guard(
                "adapters/backup_reader.py",
                "source.read_uncached(file.name,",
                "source.read_small(file.name,",
            ),
        ),
    ),
)

TRAPS: Final = (*MINISIGN, *GPG, *BACKUPS, *SECRETS)

#: Traps of what the program does not do yet: they want a test on the day it does.
WAITING: Final = {
    "an old backup restores without revocations and ownertrust": "backups (CUS-1)",
    "a new passphrase does not reach the copies": "backups (CUS-1)",
}
