"""``UPLOAD.md``: the exact commands for the online machine (EXP-1). Pure text.

The commands are those of the plan, which ``upload.sh`` runs (``upload_script``).
"""

from collections.abc import Iterator

from pai_signer.domain.upload_plan import KEYS_IN_CLONE, Command, Section, UploadPlan

_BEGINNING = f"""\
Two ways, with the same commands. `bash upload.sh --clone DIR` runs them one by one, asks before
each that changes something online, and may be run again; `bash upload.sh --help` tells the rest.
Or run them yourself, in one bash: each one that fails is a reason to stop. Nothing here is secret.
Neither this text nor `upload.sh` is signed: read what you run.

Three paths are yours to fill in: this folder, a clone of the project, and the downloaded artifacts.

```sh
folder=/path/to/this/folder
clone=/path/to/clone/of/the/project
artifacts=/path/to/the/artifacts
keys="$clone/{KEYS_IN_CLONE}"
back="$folder-live"
ring="$(mktemp -d)"
draft="$(mktemp -d)"
live="$(mktemp -d)"
```
"""


def render_upload_guide(plan: UploadPlan) -> str:
    """The guide, as Markdown; the same plan gives the same bytes."""
    return "\n".join(_parts(plan))


def _parts(plan: UploadPlan) -> Iterator[str]:
    yield f"# Upload {plan.project} {plan.version}\n"
    if plan.rehearsal:
        yield "**REHEARSAL: practice material. Do not publish any of this.**\n"
    yield _BEGINNING
    for thing in plan.unvouched:
        yield f"**STOP: no key that still counts has signed {thing}. Do not publish it.**\n"
    for number, section in enumerate(plan.sections, 1):
        yield f"## {number}. {section.title}\n"
        yield from (f"{text}\n" for text in section.prose)
        yield "\n".join(("```sh", *map(_shown, section.commands), "```", ""))
        yield f"If one fails: {section.hint}\n"
        if _uploads(section):
            yield from (f"WARNING: {text}\n" for text in plan.warnings)
    if plan.values:
        yield "## By hand, for the site\n"
        yield "".join(f"- {text}\n" for text in plan.values)


def _uploads(section: Section) -> bool:
    """Whether what is too large is to be warned of here: once, below the signatures."""
    return not section.needs_artifacts and any(
        command.text.startswith("gh release upload") for command in section.commands
    )


def _shown(command: Command) -> str:
    if not command.unless_text:
        return command.text
    return f"# unless {command.unless_text}:\n{command.text}"
