r"""What is done on the online machine, command by command (EXP-1). Pure.

The one source of ``UPLOAD.md`` and of ``upload.sh``: each renders this plan, so the
commands that a person types and those that the script runs are the same bytes.

The commands are for bash and use seven variables: ``folder`` (the exported one), ``clone``
(of the project), ``keys`` (the published keys, from that clone), ``ring`` (an empty private
folder: gpg's home and scratch), ``artifacts`` (the downloaded files), ``back`` (where the
return leg is written), ``draft`` and ``live`` (empty folders for what is read back). Everything
else is quoted here.

Sources: git-bundle(1), git-ls-remote(1), ``doc/DETAILS`` of GnuPG (status lines), the manual of
``gh`` (``release create``, ``upload``, ``edit``, ``download``; ``variable set``).
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pai_signer.domain.confirmation import LIVE_SUMS, LIVE_TAG, SIDE_SUFFIX
from pai_signer.domain.minisig import trusted_comment
from pai_signer.domain.profile import Profile
from pai_signer.domain.registry import (
    MINISIG_SUFFIX,
    OPENPGP_SUFFIX,
    Algorithm,
    KeyState,
    RegisteredKey,
    Registry,
)

#: Where the project's repository keeps the published keys (PRODUCT: ``keys/public``).
KEYS_IN_CLONE: Final = "keys/public"


@dataclass(frozen=True)
class UploadFacts:
    """What the plan is about.

    ``files`` are SHA-256 digests of what was signed and made, by name; ``artifact_sizes`` are
    bytes by file name; ``signers`` are the IDs of the keys whose signatures lie beside a file,
    by its name, and ``tag_signer`` is the one that signed the tag.
    """

    version: str
    files: Mapping[str, str]
    artifact_sizes: Mapping[str, int]
    signers: Mapping[str, Sequence[str]]
    commit: str | None = None
    tag_oid: str | None = None
    tag_signer: str | None = None
    has_manifest: bool = True
    rehearsal: bool = False

    @property
    def bundle(self) -> str | None:
        """The file that carries the tag, if one was signed."""
        return f"{self.version}.bundle" if self.tag_oid else None


@dataclass(frozen=True)
class Command:
    """Text for bash, and when it is run.

    ``changes`` says what would be different online afterwards: the script asks first.
    ``unless`` is a check of the script's own with its arguments: where it holds, the command
    is not needed any more; ``unless_text`` says so to a person.
    """

    text: str
    changes: str = ""
    unless: tuple[str, ...] = ()
    unless_text: str = ""


@dataclass(frozen=True)
class Section:
    """Commands that belong together; ``hint`` says what to do where one of them fails.

    ``is_check``: a failure means that something is wrong, not that it could not be told.
    ``needs_artifacts``: only where the downloaded artifacts are at hand.
    """

    title: str
    commands: tuple[Command, ...]
    hint: str
    prose: tuple[str, ...] = ()
    is_check: bool = False
    needs_artifacts: bool = False
    is_online: bool = True


@dataclass(frozen=True)
class UploadPlan:
    """All of it, in order; ``values`` are for the site, to be written by hand."""

    project: str
    slug: str
    version: str
    rehearsal: bool
    sections: tuple[Section, ...]
    warnings: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    #: Files that no key vouches for any more which stock tools would accept.
    unvouched: tuple[str, ...] = ()


def plan_upload(facts: UploadFacts, profile: Profile, registry: Registry) -> UploadPlan:
    """The plan; the same facts give the same one."""
    planner = _Planner(facts, profile, registry)
    sections = [planner.verify()]
    if facts.has_manifest:
        sections.append(planner.verify_artifacts())
    if facts.tag_oid is not None:
        sections += [planner.fetch_tag(), planner.verify_tag(), planner.push_tag()]
    if facts.has_manifest:
        sections += [planner.release(), planner.artifacts()]
        sections += [planner.read_draft(), planner.check_draft(), planner.publish()]
    if planner.site_commands():
        sections.append(planner.site())
    if facts.has_manifest:
        sections.append(planner.back())
    return UploadPlan(
        project=profile.project.name,
        slug=profile.project.slug,
        version=facts.version,
        rehearsal=facts.rehearsal,
        sections=tuple(section for section in sections if section.commands),
        warnings=tuple(planner.warnings()),
        values=tuple(planner.values()),
        unvouched=tuple(planner.unvouched()),
    )


def ansi_c(text: str) -> str:
    r"""``text`` in bash's ``$'...'``, for what holds a tab (bash(1), QUOTING)."""
    text = text.replace("\\", "\\\\").replace("'", "\\'").replace("\t", "\\t")
    return f"$'{text}'"


@dataclass(frozen=True)
class _Planner:
    facts: UploadFacts
    profile: Profile
    registry: Registry

    @property
    def _tag_ref(self) -> str:
        return f"refs/tags/{self.facts.version}"

    # --- verify -------------------------------------------------------------------------

    def verify(self) -> Section:
        sums = "".join(f"{d}  {name}\n" for name, d in sorted(self.facts.files.items()))
        commands = [
            Command('cd -- "$folder"'),
            Command(f"sha256sum --strict -c - <<'END'\n{sums}END"),
            *self._import_certificates(),
        ]
        for name, signers in sorted(self.facts.signers.items()):
            for key in self._sound(signers):
                commands += self._check_signature(name, key)
        return Section(
            title="Verify first, with stock tools",
            commands=tuple(commands),
            hint=(
                "Nothing was changed online. If the keys were renewed, commit those of this "
                "folder to the repository first, after comparing them; else do not publish any "
                "of this, and find out what changed the folder."
            ),
            prose=(
                "The keys are those of your clone, which this folder cannot change. Where they "
                "are newer here (a first release, an extension, a rotation), compare them with "
                "what the maintainers know and commit them there first.",
            ),
            is_check=True,
            is_online=False,
        )

    def verify_artifacts(self) -> Section:
        manifest = self.profile.artifacts.manifest
        commands = [
            Command('cd -- "$artifacts"'),
            Command(f'sha256sum --strict -c "$folder"/{shlex.quote(manifest)}'),
        ]
        minisign = self._minisign(self.facts.signers.get(manifest, ()))
        for name in self.facts.artifact_sizes:
            beside = f"{name}{MINISIG_SUFFIX}"
            if minisign is not None and beside in self.facts.files:
                commands.append(self._minisign_command(name, minisign, f'"$folder"/{beside}'))
        return Section(
            title="Verify the artifacts",
            commands=tuple(commands),
            hint="Do not publish these files: they are not those that were signed.",
            prose=("In a folder with all of the downloaded artifacts.",),
            is_check=True,
            needs_artifacts=True,
            is_online=False,
        )

    def _import_certificates(self) -> Iterator[Command]:
        signers = [key for keys in self.facts.signers.values() for key in keys]
        if self.facts.tag_signer:
            signers.append(self.facts.tag_signer)
        for key in self._sound(dict.fromkeys(signers)):
            if key.algorithm is Algorithm.OPENPGP:
                # No agent: its socket has no room below a long TMPDIR, and no secret is at stake.
                gpg = 'gpg --homedir "$ring" --batch --quiet --no-autostart'
                yield Command(f'{gpg} --import "$keys"/gpg-{key.id}.asc')

    def _check_signature(self, name: str, key: RegisteredKey) -> list[Command]:
        if key.algorithm is Algorithm.MINISIGN:
            return [self._minisign_command(name, key)]
        quoted, signature = shlex.quote(name), shlex.quote(f"{name}{OPENPGP_SUFFIX}")
        verify = f'gpg --homedir "$ring" --batch --status-fd 1 --verify {signature} {quoted}'
        return [Command(f'{verify} >"$ring/status" || true'), *self._status_commands(key)]

    def _minisign_command(self, name: str, key: RegisteredKey, signature: str = "") -> Command:
        project = self.profile.project.name
        if self.facts.rehearsal:
            project = f"REHEARSAL {project}"
        comment = trusted_comment(project, self.facts.version, name)
        beside = f" -x {signature}" if signature else ""
        public = f'-p "$keys"/minisign-{key.id}.pub'
        return Command(
            f"minisign -VQm {shlex.quote(name)}{beside} {public} | grep -Fx {ansi_c(comment)}"
        )

    @staticmethod
    def _status_commands(key: RegisteredKey) -> list[Command]:
        """What gpg has to have said: its exit code is 0 for expired and revoked keys too.

        A key that was retired may have expired or been superseded since; the registry says
        that it is not compromised.
        """
        good = "GOODSIG" if key.can_sign else r"\(GOODSIG\|EXPKEYSIG\|REVKEYSIG\)"
        return [
            Command(f"grep '^\\[GNUPG:\\] {good} ' \"$ring/status\""),
            Command(f"grep '^\\[GNUPG:\\] VALIDSIG .* {key.id}$' \"$ring/status\""),
        ]

    def _sound(self, ids: Sequence[str] | Mapping[str, None]) -> Iterator[RegisteredKey]:
        """The keys whose signatures count: one that is compromised vouches for nothing."""
        for key in map(self.registry.find, ids):
            if key.life is not KeyState.COMPROMISED:
                yield key

    def _minisign(self, ids: Sequence[str]) -> RegisteredKey | None:
        return next((k for k in self._sound(ids) if k.algorithm is Algorithm.MINISIGN), None)

    def unvouched(self) -> Iterator[str]:
        """What stock tools cannot check with a key that counts."""
        for name, signers in sorted(self.facts.signers.items()):
            if not list(self._sound(signers)):
                yield name
        signer = self.facts.tag_signer
        if self.facts.tag_oid is not None and not list(self._sound([signer] if signer else [])):
            yield f"the tag {self.facts.version}"

    # --- change things online -------------------------------------------------------------

    def fetch_tag(self) -> Section:
        ref, bundle = self._tag_ref, f'"$folder"/{shlex.quote(self.facts.bundle or "")}'
        return Section(
            title="Take the tag into the clone",
            commands=(
                Command('cd -- "$clone"'),
                Command(f"git cat-file -e '{self.facts.commit}^{{commit}}'"),
                Command(f"git bundle verify {bundle}"),
                Command(
                    f"git fetch --no-tags {bundle} {ref}:{ref}",
                    unless=("clone_has_tag", ref, self.facts.tag_oid or ""),
                    unless_text="the clone has it already",
                ),
            ),
            hint="Where the commit is missing, fetch it first (git fetch origin).",
            prose=("The clone has to have the commit; the second command asks.",),
        )

    def verify_tag(self) -> Section:
        ref, signer = self._tag_ref, self.facts.tag_signer
        head = f"$'object {self.facts.commit}\\ntag {self.facts.version}'"
        commands = [
            Command('cd -- "$clone"'),
            Command(f'test "$(git rev-parse --verify {ref})" = {self.facts.tag_oid}'),
            Command(f"test \"$(git cat-file tag {ref} | sed -n '1p;3p')\" = {head}"),
        ]
        for key in self._sound([signer] if signer else []):
            verify = f'GNUPGHOME="$ring" git verify-tag --raw {ref} 2>"$ring/status" || true'
            commands += [Command(verify), *self._status_commands(key)]
        return Section(
            title="Verify the tag",
            commands=tuple(commands),
            hint="Do not push it: find out who made it.",
            is_check=True,
        )

    def push_tag(self) -> Section:
        version, ref = self.facts.version, self._tag_ref
        return Section(
            title="Push the tag",
            commands=(
                Command('cd -- "$clone"'),
                Command(
                    f"git push origin {ref}",
                    changes=f"push the tag {version} to the remote origin",
                    unless=("tag_is_live", ref, self.facts.tag_oid or ""),
                    unless_text="the remote has it already",
                ),
            ),
            hint="The tag is in the clone. Push it again when the remote answers.",
        )

    def release(self) -> Section:
        version, title = self.facts.version, f"{self.profile.project.name} {self.facts.version}"
        create = f"gh release create {version} --verify-tag --draft"
        commands = [
            Command('cd -- "$clone"'),
            Command(
                f"{create} --title {shlex.quote(title)} --notes ''",
                changes=f"create a draft of the release {version} (does CI make it? then wait)",
                unless=("release_is_there", version),
                unless_text="there is a release already",
            ),
        ]
        for name in sorted(self.facts.files):
            if name != self.facts.bundle:
                path = f'"$folder"/{shlex.quote(name)}'
                commands.append(self._upload("signatures", name, path, same="asset_is_live"))
        return Section(
            title="Upload the signatures",
            commands=tuple(commands),
            hint=(
                "What was uploaded so far stays; run it again to go on. An asset that another "
                "upload left unfinished is to be removed on the release's page, by hand."
            ),
        )

    def artifacts(self) -> Section:
        limit = self.profile.upload.asset_limit_bytes
        uploads = [
            self._upload(
                "artifacts", name, f'"$artifacts"/{shlex.quote(name)}', same="asset_is_there"
            )
            for name, size_bytes in self.facts.artifact_sizes.items()
            if size_bytes < limit
        ]
        return Section(
            title="Upload the artifacts, where CI has not",
            commands=(Command('cd -- "$clone"'), *uploads) if uploads else (),
            hint="What was uploaded so far stays; run it again to go on.",
            needs_artifacts=True,
        )

    def _upload(self, kind: str, name: str, path: str, *, same: str) -> Command:
        version = self.facts.version
        return Command(
            f"gh release upload {version} {path}",
            changes=f"upload the {kind} that are not there yet",
            unless=(same, version, name, path),
            unless_text=f"{name} is there already",
        )

    def read_draft(self) -> Section:
        version = self.facts.version
        return Section(
            title="Read the draft back",
            commands=(
                Command('cd -- "$clone"'),
                Command(
                    f'gh release download {version} --dir "$draft"',
                    unless=("release_is_public", version),
                    unless_text="it is public already",
                ),
            ),
            hint="It is still a draft, with all that was uploaded.",
            prose=("CI may have put files into it: nothing is published that nobody signed.",),
        )

    def check_draft(self) -> Section:
        """What is in the draft, CI's files too: as signed, and nothing beside it (T3)."""
        signed = f'"$folder"/{shlex.quote(self.profile.artifacts.manifest)}'
        ours = {n: d for n, d in sorted(self.facts.files.items()) if n != self.facts.bundle}
        sums = "".join(f"{digest}  {name}\n" for name, digest in ours.items())
        images = [n for name in self.facts.artifact_sizes for n in (name, f"{name}{SIDE_SUFFIX}")]
        known = " ".join(f"-e {shlex.quote(name)}" for name in (*ours, *images))
        # The manifest of this folder, verified above, says what the artifacts are, and the list
        # behind it what all else is; what is not there yet is no matter. The draft's own manifest
        # is never read as a list: without its last newline it would swallow the line on itself.
        compare = 'cd -- "$draft" && sha256sum --strict --ignore-missing -c -'
        return Section(
            title="Is the draft what was signed?",
            commands=tuple(
                Command(
                    text,
                    unless=("release_is_public", self.facts.version),
                    unless_text="it is public already",
                )
                for text in (
                    f"cat -- {signed} - <<'END' | ({compare})\n{sums}END",
                    'find "$draft" -mindepth 1 -printf \'%f\\n\' >"$ring/names"',
                    f'test -z "$(grep -Fxv {known} "$ring/names" || true)"',
                )
            ),
            hint=(
                "Do not publish it: the draft holds what nobody signed. Look at it on the "
                "release's page, and find out who put it there."
            ),
            is_check=True,
        )

    def publish(self) -> Section:
        version = self.facts.version
        return Section(
            title="Publish the release",
            commands=(
                Command('cd -- "$clone"'),
                Command(
                    f"gh release edit {version} --draft=false",
                    changes=f"publish the draft of {version}, for everybody to see",
                    unless=("release_is_public", version),
                    unless_text="it is public already",
                ),
            ),
            hint="It is still a draft, with all that was uploaded.",
        )

    def warnings(self) -> Iterator[str]:
        """Artifacts that are too large for one asset."""
        limit = self.profile.upload.asset_limit_bytes
        for name, size_bytes in self.facts.artifact_sizes.items():
            if size_bytes >= limit and self.facts.has_manifest:
                yield (
                    f"{name} has {size_bytes:,} bytes. One asset may have less than {limit:,}; "
                    "publish it elsewhere and link to it. Its digest and its signature are "
                    "uploaded all the same."
                )

    # --- the site, and the way back -------------------------------------------------------

    def site_commands(self) -> list[Command]:
        variable = self.profile.upload.fingerprint_variable
        openpgp = self.registry.signing_key(Algorithm.OPENPGP)
        if openpgp is None or not variable:
            return []
        return [
            Command(
                f"gh variable set {variable} --body {openpgp.id}",
                changes=f"set the repository variable {variable} to {openpgp.id}",
                unless=("variable_is", variable, openpgp.id),
                unless_text="it has this value already",
            )
        ]

    def site(self) -> Section:
        return Section(
            title="Values for the site",
            commands=(Command('cd -- "$clone"'), *self.site_commands()),
            hint="The site still has its earlier value.",
        )

    def values(self) -> Iterator[str]:
        """What a person writes into the site's own files."""
        upload = self.profile.upload
        openpgp = self.registry.signing_key(Algorithm.OPENPGP)
        minisign = self.registry.signing_key(Algorithm.MINISIGN)
        if openpgp is not None and upload.fingerprint_file and upload.fingerprint_field:
            field = f'`"{upload.fingerprint_field}": "{openpgp.id}"`'
            yield f"in `{upload.fingerprint_file}`: {field}"
        if minisign is not None:
            yield f"the pinned minisign public key is `{minisign.public_key}`"

    def back(self) -> Section:
        ref = self._tag_ref
        commands = [Command('cd -- "$clone"'), Command('mkdir -p -- "$back"')]
        if self.facts.tag_oid is not None:
            commands.append(
                Command(f"git ls-remote origin {ref} '{ref}^{{}}' >\"$back\"/{LIVE_TAG}")
            )
        commands += [
            Command(f'gh release download {self.facts.version} --dir "$live"'),
            Command('cd -- "$live"'),
            Command(f'sha256sum -- * >"$back"/{LIVE_SUMS}'),
        ]
        return Section(
            title="Bring back what is live",
            commands=tuple(commands),
            hint="All is published; only the list for the workstation is missing. Run it again.",
            prose=(
                f"Carry `$back` to the workstation: `pai-signer release confirm "
                f"{self.facts.version} SRC` compares it with what was signed. Copy files from "
                "`$live` into it to have their bytes read as well.",
            ),
        )
