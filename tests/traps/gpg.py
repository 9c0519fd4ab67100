"""The traps of gpg and python-gnupg: keys, signatures, dates, revocations (KEY, SIG-3, SIG-5)."""

from typing import Final

from tests.traps.table import Guard, Trap

_GENERATING: Final = "adapters/gpg/test_generating.py"
_HOME_AND_AGENT: Final = "adapters/gpg/test_home_and_agent.py"
_IMPORTING: Final = "adapters/gpg/test_importing.py"
_SIGNING: Final = "adapters/gpg/test_signing.py"
_VERIFYING: Final = "adapters/gpg/test_verifying.py"
_CERTIFICATES: Final = "adapters/gpg/test_certificates.py"
_EXTENDING: Final = "adapters/gpg/test_extending.py"
_REVOKING: Final = "adapters/gpg/test_revoking.py"

GPG: Final = (
    Trap(
        "gpg --verify ends with 0 for expired and revoked keys and for a signature of 2099",
        (
            "domain/test_openpgp.py::test_good_needs_goodsig_and_validsig_by_the_expected_primary",
            "domain/test_openpgp.py::test_each_verdict_has_its_own_error",
            "domain/test_openpgp.py::test_the_subkeys_own_fingerprint_grants_no_trust",
            f"{_VERIFYING}::test_signature_of_the_future_is_refused",
            f"{_VERIFYING}::test_revoked_key_is_untrusted",
            f"{_VERIFYING}::test_key_expired_since_is_told_with_who_signed",
            f"{_VERIFYING}::test_key_that_expires_by_the_given_clock_has_expired",
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
            f"{_CERTIFICATES}::test_strict_verifier_rejects_old_signatures_without_the_merge",
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
            f"{_EXTENDING}::test_old_and_new_signatures_verify_after_an_expired_key_was_extended",
            f"{_EXTENDING}::test_subkey_that_never_expires_stays_so",
            f"{_EXTENDING}::test_date_that_gpg_cannot_write_changes_nothing",
            f"{_EXTENDING}::test_a_date_that_gpg_left_out_is_noticed",
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
            f"{_EXTENDING}::test_key_with_a_self_signature_from_the_future_waits",
            f"{_EXTENDING}::"
            "test_clock_behind_the_newest_self_signature_is_refused_before_gpg_is_asked",
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
            f"{_REVOKING}::test_revocation_does_in_a_clean_gpg_and_in_sqv_what_its_reason_says",
            f"{_REVOKING}::test_revocation_with_another_reason_than_asked_is_thrown_away",
            f"{_REVOKING}::test_revocation_without_a_reason_is_refused",
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
            f"{_IMPORTING}::test_import_with_a_wrong_passphrase_is_refused_though_gpg_takes_it",
            f"{_IMPORTING}::test_import_refuses_an_unprotected_key",
            f"{_IMPORTING}::test_proof_refuses_a_key_that_any_passphrase_opens",
            f"{_IMPORTING}::test_import_refuses_a_flipped_secret_bit_that_gpg_imports",
            f"{_SIGNING}::test_proof_of_the_primary_wants_the_right_passphrase",
            f"{_SIGNING}::test_unprotected_primary_is_not_proved",
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
            f"{_HOME_AND_AGENT}::test_agent_caches_nothing_even_while_it_lives",
            f"{_HOME_AND_AGENT}::test_agent_is_gone_after_each_operation",
            f"{_HOME_AND_AGENT}::test_home_with_a_path_too_long_for_a_socket_works",
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
            f"{_SIGNING}::test_exactly_the_given_subkey_signs_and_not_a_newer_one",
            f"{_SIGNING}::test_signature_by_another_key_than_asked_is_thrown_away",
            f"{_SIGNING}::test_expired_key_is_refused_and_no_other_key_signs_instead",
            f"{_CERTIFICATES}::test_certification_by_another_key_than_asked_is_not_taken",
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
            f"{_GENERATING}::test_user_id_injection_makes_no_key",
            f"{_GENERATING}::test_a_name_in_other_letters_is_kept",
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
        (f"{_HOME_AND_AGENT}::test_python_gnupg_gets_a_clean_environment_and_logs_nothing",),
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
            f"{_VERIFYING}::test_two_signatures_are_refused_however_they_are_joined",
        ),
        (
            Guard("domain/openpgp_status.py", "if began > 1 or len(verdicts) > 1:", "if False:"),
            Guard("domain/openpgp_armor.py", "    if length != len(packet):", "    if False:"),
        ),
    ),
    Trap(
        "one home per purpose: a verifying home holds the registry's keys alone, all are 0700",
        (
            f"{_VERIFYING}::"
            "test_valid_signature_by_another_key_is_untrusted_with_or_without_its_certificate",
            f"{_HOME_AND_AGENT}::test_home_is_made_private_and_keeps_our_configuration",
            f"{_HOME_AND_AGENT}::test_home_behind_a_symbolic_link_is_refused",
            f"{_HOME_AND_AGENT}::test_home_of_another_user_is_refused",
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
