r"""``upload.sh``: the same commands as ``UPLOAD.md``, run with care (EXP-1). Pure text.

For bash on the online machine. It verifies before it asks anything, asks before each step that
changes something online, never deletes or overwrites there, and can be run again: what is done
already is found out by asking the remote. Everything runs from ``main``, which the last line
calls, so that a script that was cut off does nothing.

In a condition bash does not stop at an error (bash(1), ``set -e``): the functions that are used
there stop by themselves, by ``stop``, whatever fails in them.
"""

import shlex
from collections.abc import Iterator
from typing import Final

from pai_signer.domain.upload_plan import KEYS_IN_CLONE, Command, Section, UploadPlan
from pai_signer.errors import (
    EXIT_CANCELLED,
    EXIT_CANNOT_TELL,
    EXIT_REFUSED,
    EXIT_USAGE,
    EXIT_WRONG,
)

_HELP: Final = f"""\
usage: bash upload.sh --clone DIR [--artifacts DIR] [--keys DIR] [--back DIR]
                      [--verify-only] [--yes]

  --clone DIR      a clone of the project; its remote 'origin' and 'gh' are used
  --artifacts DIR  the downloaded artifacts: they are verified, and uploaded where missing
  --keys DIR       the published keys; else {KEYS_IN_CLONE} of the clone
  --back DIR       where the list of what is live is written; else beside this folder
  --verify-only    verify with stock tools, change nothing
  --yes            ask nothing

It stops at the first command that fails and may be run again. Nothing online is ever
deleted or overwritten. Reading back what is live needs room for it under TMPDIR.
Exit codes: 0 done, {EXIT_USAGE} usage, {EXIT_REFUSED} refused, {EXIT_WRONG} something is wrong, \
{EXIT_CANNOT_TELL} could not tell, {EXIT_CANCELLED} you said no.
"""

_FUNCTIONS: Final = r"""
say() { printf '%s\n' "$*"; }

stop() { # exit code, what happened, what to do
  printf '\nSTOPPED: %s\n%s\n' "$2" "$3" >&2
  exit "$1"
}

failed() { # the line, the command
  stop "$code" "$doing: line $1 failed: $2" "$hint"
}

finish() {
  [ -z "$work" ] || rm -rf -- "$work"
}

ask() { # what would be different online; one question for all that it is about
  [ "$1" != "$agreed" ] || return 0
  if [ "$yes" = 1 ]; then
    say "Now: $1."
    agreed=$1
    return 0
  fi
  local answer=''
  printf '%s? [y/N] ' "$1"
  read -r answer || answer=''
  case $answer in
    y | Y | yes) agreed=$1 ;;
    *) stop 6 "You did not say yes to: $1." "What was done before stays. Run it again to go on." ;;
  esac
}

done_already() { # why
  say "Not needed: $1."
}

clone_has_tag() { # ref, object ID
  local here
  here=$(git rev-parse --verify --quiet "$1") || return 1
  [ "$here" = "$2" ] || stop 4 "The clone has another tag: $1 is $here there, not $2." \
    "It is not overwritten. Find out who made it, and whether the remote has it too."
}

# Whether the remote has the tag; another one of that name is a reason to stop.
tag_is_live() { # ref, object ID
  local lines live
  lines=$(git ls-remote origin "$1") || stop 5 "The remote could not be asked." "$hint"
  live=$(awk -F '\t' -v ref="$1" '$2 == ref { print $1 }' <<<"$lines")
  [ -n "$live" ] || return 1
  [ "$live" = "$2" ] || stop 4 "The remote has another tag: $1 is $live there, not $2." \
    "It is not overwritten: a published tag is a contract. Find out who made it."
}

release_is_there() { # tag
  gh release view "$1" --json isDraft --jq .isDraft >"$work/draft" 2>"$work/error" && return 0
  grep -qi 'release not found' "$work/error" && return 1
  stop 5 "gh could not be asked for the release: $(tr -dc '[:print:]' <"$work/error")." "$hint"
}

release_is_public() { # tag
  release_is_there "$1" || stop 5 "There is no release $1." "$hint"
  [ "$(cat "$work/draft")" = false ]
}

asset_is_there() { # tag, name
  gh release view "$1" --json assets --jq '.assets[].name' >"$work/assets" ||
    stop 5 "gh could not list the assets." "$hint"
  grep -Fxq -- "$2" "$work/assets"
}

# Whether an asset is there with this content; other content is a reason to stop.
asset_is_live() { # tag, name, the file here
  local there
  asset_is_there "$1" "$2" || return 1
  there=$(mktemp -d "$work/there.XXXXXX") || stop 5 "There is no room under TMPDIR." "$hint"
  gh release download "$1" --pattern "$2" --dir "$there" ||
    stop 5 "$2 could not be read back." "$hint"
  [ -f "$there/$2" ] || stop 5 "$2 could not be read back." "$hint"
  cmp -s -- "$there/$2" "$3" || stop 4 "$2 is there already, with other content." \
    "It is not overwritten. Compare the two; if an upload broke off, remove it by hand."
}

variable_is() { # name, value
  local old
  gh variable list >"$work/variables" || stop 5 "gh could not list the variables." "$hint"
  old=$(awk -F '\t' -v name="$1" '$1 == name { print $2 }' "$work/variables")
  [ "$old" = "$2" ] && return 0
  [ -z "$old" ] || printf '%s is %q now.\n' "$1" "$old"
  return 1
}
"""

_START: Final = f"""
main() {{
  local clone='' artifacts='' keys='' back='' verify_only=0 folder ring draft live tool
  trap 'failed "$LINENO" "$BASH_COMMAND"' ERR
  trap finish EXIT
  while [ $# -gt 0 ]; do
    case $1 in
      --clone | --artifacts | --keys | --back)
        [ $# -ge 2 ] || stop {EXIT_USAGE} "$1 wants a folder." "$hint"
        printf -v "${{1#--}}" '%s' "$2"
        shift 2
        ;;
      --verify-only) verify_only=1; shift ;;
      --yes) yes=1; shift ;;
      --help) usage; exit 0 ;;
      *) stop {EXIT_USAGE} "There is no option '$1'." "$hint" ;;
    esac
  done
  [ -n "$clone" ] || stop {EXIT_USAGE} 'Give a clone of the project: --clone DIR.' "$hint"
  folder=$(cd -- "$(dirname -- "${{BASH_SOURCE[0]}}")" && pwd -P)
  clone=$(cd -- "$clone" && pwd -P)
  [ -z "$artifacts" ] || artifacts=$(cd -- "$artifacts" && pwd -P)
  case $folder$artifacts in
    *[\\\\#*?[]*)
      stop {EXIT_USAGE} "gh would misread the path of a file in $folder or $artifacts." \\
        'To gh, # begins a label and others are patterns: use folders without # * ? [ and \\.'
      ;;
  esac
  : "${{keys:=$clone/{KEYS_IN_CLONE}}}" "${{back:=$folder-live}}"
  case $back in /*) ;; *) back=$PWD/$back ;; esac
  [ -d "$keys" ] || stop {EXIT_CANNOT_TELL} "There are no published keys at '$keys'." \\
    "Commit those of '$folder/keys' there after comparing them, or give them by --keys."
  keys=$(cd -- "$keys" && pwd -P)
  for tool in awk cmp gh git gpg grep minisign sed sha256sum; do
    [ "$tool" = gh ] && [ "$verify_only" = 1 ] || command -v "$tool" >/dev/null ||
      stop {EXIT_CANNOT_TELL} "$tool is not installed." 'Nothing was verified. Install it first.'
  done
  work=$(mktemp -d)
  ring=$work/ring draft=$work/drafted live=$work/live
  mkdir -m 700 -- "$ring" "$draft" "$live"
  case $keys/ in
    "$folder"/*)
      say 'WARNING: these keys come from the same folder as the signatures. That proves only that'
      say 'the copy is whole: compare their fingerprints with what you know from elsewhere.'
      ask 'Go on with the keys of this folder'
      ;;
  esac
"""


def render_upload_script(plan: UploadPlan) -> str:
    """The script; the same plan gives the same bytes."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: UploadPlan) -> Iterator[str]:
    yield "#!/usr/bin/env bash"
    yield f"# Uploads {plan.project} {plan.version}: the commands of UPLOAD.md, run with care."
    yield "# Nothing here is secret, and this file is not signed: read it before you run it."
    yield "set -Eeuo pipefail"
    yield "export LC_ALL=C"
    yield "unset CDPATH"  # with it, cd goes elsewhere and says where
    yield f"yes=0 agreed='' work='' code={EXIT_USAGE} doing=Begin"
    yield "hint='See: bash upload.sh --help'"
    yield ""
    yield f"usage() {{\n  cat <<'END'\n{_HELP}END\n}}"
    yield _FUNCTIONS.rstrip("\n")
    yield _START.rstrip("\n")
    for thing in plan.unvouched:
        text = f"No key that still counts has signed {thing}."
        yield _call("stop", str(EXIT_REFUSED), text, "Do not publish it.")
    stopped = False
    for number, section in enumerate(plan.sections, 1):
        if section.is_online and not stopped:
            stopped = True
            yield from _before_online(plan)
        yield from _section(number, section)
    yield ""
    for text in (*plan.warnings, *plan.values):
        yield _call("say", f"By hand: {text.replace('`', '')}")
    yield _call("say", f"Done: {plan.project} {plan.version}.")
    yield "}"
    yield ""
    yield 'main "$@"'


def _before_online(plan: UploadPlan) -> Iterator[str]:
    yield ""
    yield '  if [ "$verify_only" = 1 ]; then'
    yield "    say 'Verified; nothing was changed, as you asked.'"
    yield "    exit 0"
    yield "  fi"
    if plan.rehearsal:
        text = "This is a REHEARSAL: practice material is not published."
        yield _call("stop", str(EXIT_REFUSED), text, "What was to be verified is verified.")
    for text in plan.warnings:
        yield _call("say", f"WARNING: {text}")


def _section(number: int, section: Section) -> Iterator[str]:
    title = f"{number}. {section.title}"
    code = EXIT_WRONG if section.is_check else EXIT_CANNOT_TELL
    yield ""
    if section.needs_artifacts:
        yield '  if [ -z "$artifacts" ]; then'
        yield _call("say", f"{title}: left out, since --artifacts was not given.", indent="    ")
        yield "  else"
    yield _call("say", title)
    yield f"  code={code} doing={shlex.quote(section.title)}"
    yield f"  hint={shlex.quote(section.hint)}"
    for command in section.commands:
        yield from _command(command)
    if section.needs_artifacts:
        yield "  fi"


def _command(command: Command) -> Iterator[str]:
    """Its text stands on lines of its own and is not indented: it is the plan's, to the byte."""
    if command.unless:
        check, *arguments = command.unless
        # What begins with a quote is bash already: a path below one of the variables.
        words = (a if a.startswith('"$') else shlex.quote(a) for a in arguments)
        yield f"  if {' '.join((check, *words))}; then"
        yield _call("done_already", command.unless_text, indent="    ")
        yield "  else"
    if command.changes:
        yield _call("ask", command.changes, indent="    ")
    yield command.text
    if command.unless:
        yield "  fi"


def _call(function: str, *arguments: str, indent: str = "  ") -> str:
    return indent + " ".join((function, *map(shlex.quote, arguments)))
