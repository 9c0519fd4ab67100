"""Who may import whom: the contracts on paper, and what a fresh interpreter really loads.

The contracts of pyproject.toml read the source; ``sys.modules`` after an import also sees
what comes in through dependencies and package ``__init__`` files (DESIGN, SEC-1, FACE-1).
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pai_signer"

#: Clients that would talk to a network; none may be loaded, by us or by a dependency.
NETWORK_CLIENTS = {
    "aiohttp",
    "ftplib",
    "http.client",
    "httpx",
    "imaplib",
    "nntplib",
    "poplib",
    "requests",
    "smtplib",
    "socketserver",
    "telnetlib",
    "urllib.request",
    "urllib3",
    "websockets",
    "xmlrpc.client",
}

#: What msgspec brings: it takes typing_extensions where that happens to be installed.
MSGSPEC = {"msgspec", "typing_extensions"}

Loaded = dict[str, str]


def load(*modules: str) -> Loaded:
    """Every module that a fresh interpreter holds after importing ``modules``, with its file."""
    code = (
        "import sys\n"
        + "".join(f"import {name}\n" for name in modules)
        + "loaded = {n: getattr(m, '__file__', None) or '' for n, m in sys.modules.items()}\n"
        "import json\nprint(json.dumps(loaded))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    assert isinstance(loaded, dict)
    return loaded


def modules_of(room: str) -> list[str]:
    """Every module in the folder or file ``room`` of the package."""
    files = sorted((PACKAGE / room).rglob("*.py")) or [PACKAGE / f"{room}.py"]
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
    return [name.removesuffix(".__init__") for name in names]


def within(loaded: Loaded, *packages: str) -> set[str]:
    """The loaded modules that are one of ``packages`` or inside it."""
    return {name for name in loaded if any(f"{name}.".startswith(f"{p}.") for p in packages)}


def third_party(loaded: Loaded) -> set[str]:
    """Top-level names of what came from site-packages, but for what starts every interpreter."""
    sites = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    names = {
        name.partition(".")[0]
        for name, file in loaded.items()
        if any(Path(file).is_relative_to(site) for site in sites)
    }
    return {name for name in names if not name.startswith(("_distutils_hack", "__editable__"))}


def test_the_import_contracts_are_kept() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([tool], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 broken." in done.stdout


def test_network_code_anywhere_breaks_its_contract(tmp_path: Path) -> None:
    """SEC-1: the contract is one that can fail; a copy with such an import is refused."""
    shutil.copytree(PACKAGE, tmp_path / "pai_signer", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "pai_signer" / "workflows" / "show.py").open("a") as file:
        file.write("\nimport http.client\n")
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "no network code (SEC-1) BROKEN" in done.stdout
    assert ", 1 broken." in done.stdout


def test_the_domain_is_pure() -> None:
    loaded = load(*modules_of("domain"))
    ours = within(loaded, "pai_signer") - {"pai_signer", "pai_signer.errors"}
    assert ours == within(loaded, "pai_signer.domain")
    assert third_party(loaded) <= MSGSPEC
    assert not within(loaded, "subprocess", "socket", "ssl", "asyncio")


@pytest.mark.parametrize("room", ["ports", "workflows"])
def test_ports_and_workflows_reach_no_adapter_face_or_tool(room: str) -> None:
    loaded = load(*modules_of(room))
    assert within(loaded, f"pai_signer.{room}")
    assert not within(loaded, "pai_signer.adapters", "pai_signer.composition", "pai_signer.faces")
    assert third_party(loaded) <= MSGSPEC
    assert not within(loaded, "subprocess", "socket", "ssl", "asyncio")


def test_adapters_reach_no_workflow_and_no_face() -> None:
    loaded = load(*modules_of("adapters"))
    assert within(loaded, "pai_signer.adapters.process", "subprocess")
    assert not within(
        loaded, "pai_signer.workflows", "pai_signer.composition", "pai_signer.faces", "textual"
    )


def test_the_command_line_starts_without_the_app() -> None:
    loaded = load(*modules_of("faces/cli"))
    assert within(loaded, "click")
    assert not within(loaded, "textual", "rich", "pai_signer.faces.tui")


def test_help_loads_nothing_of_the_program_but_its_table_of_commands() -> None:
    loaded = load("pai_signer.faces.cli.main")
    assert within(loaded, "click")
    assert not within(loaded, "pai_signer.composition", "pai_signer.workflows", "msgspec")


def test_the_app_starts_without_the_command_line() -> None:
    loaded = load("pai_signer.faces.tui.run")
    assert within(loaded, "textual")
    assert not within(loaded, "click", "pai_signer.faces.cli")


def test_the_reader_of_pages_is_loaded_with_the_first_page() -> None:
    assert not within(load("pai_signer.faces.tui.run"), "markdown_it")
    loaded = load("pai_signer.faces.cli.help_command")
    assert within(loaded, "markdown_it")
    assert not within(loaded, "textual", "rich", "cryptography", "gnupg")


def test_the_composition_knows_no_face() -> None:
    loaded = load("pai_signer.composition")
    assert within(loaded, "pai_signer.adapters")
    assert not within(loaded, "pai_signer.faces", "textual", "click")


@pytest.mark.parametrize("face", ["faces/cli", "faces/tui"])
def test_no_face_loads_a_network_client(face: str) -> None:
    """SEC-1. The plain ``socket`` module does come in: python-gnupg and asyncio import it."""
    assert not within(load(*modules_of(face)), *NETWORK_CLIENTS)


def test_the_command_line_loads_no_tls_and_no_event_loop() -> None:
    """Asyncio, and ``ssl`` with it, belongs to Textual alone."""
    assert not within(load(*modules_of("faces/cli")), "ssl", "asyncio")


# --- no network code of our own, by any of the names that the contract has to allow ----------

#: What opens, or serves, a connection in ``asyncio``, which is the app's event loop.
CONNECTING = re.compile(
    r"(open|create|start)_(unix_)?(connection|server|datagram_endpoint)|sock_(connect|accept)"
    r"|connect_(accepted_socket|ex)|start_tls|getaddrinfo|gethostbyname|getnameinfo"
)
NETWORK_MODULES = {"socket", "_socket", "ssl", "http", "urllib", "multiprocessing", "webbrowser"}
#: AF_NETLINK alone; the two others are how the kernel's answers name their kind of address.
NETLINK = {"socket", "AF_NETLINK", "SOCK_RAW", "NETLINK_ROUTE", "AF_INET", "AF_INET6"}


def network_uses(source: str, *, may_use_socket: bool = False) -> list[str]:
    """Each import of a network module, and each name that connects, as ``line: what``."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                used = [
                    name.name for name in names if name.name.partition(".")[0] in NETWORK_MODULES
                ]
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in NETWORK_MODULES:
                used = [module]
            case ast.Call(func=ast.Attribute(value=ast.Name("socket"), attr="socket"), args=args):
                family = ast.unparse(args[0]) if args else "any family"
                used = [] if family == "socket.AF_NETLINK" else [family]
            case ast.Attribute(value=ast.Name("socket"), attr=n) if (
                may_use_socket and n not in NETLINK
            ):
                used = [f"socket.{n}"]
            case ast.Attribute(attr=name) | ast.Name(id=name) if CONNECTING.fullmatch(name):
                used = [name]
            case ast.Call(func=ast.Name("__import__")):
                used = ["__import__"]
            case _:
                continue
        if used != ["socket"] or not may_use_socket:
            found += [f"{node.lineno}: {name}" for name in used]
    return found


@pytest.mark.parametrize(
    "line",
    [
        "import socket",
        "import _socket",
        "import http.client as h",
        "from urllib import request",
        "from ssl import create_default_context",
        "import asyncio; asyncio.open_connection('x', 1)",
        "import asyncio; asyncio.start_server(print)",
        "loop.create_datagram_endpoint(f)",
        "loop.getaddrinfo('x', 1)",
        "__import__('soc' + 'ket')",
        "import webbrowser",
    ],
)
def test_the_search_finds_network_code(line: str) -> None:
    assert network_uses(line)


@pytest.mark.parametrize(
    "line",
    [
        "socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
        "socket.socket()",
        "socket.create_connection(x)",
        "socket.SOCK_STREAM",
    ],
)
def test_the_search_finds_another_socket_beside_netlink(line: str) -> None:
    assert network_uses(f"import socket\n{line}", may_use_socket=True)


def test_the_package_has_no_network_code_but_the_look_at_the_network() -> None:
    """SEC-1: nothing but ``adapters/network.py`` knows sockets, and that one netlink alone."""
    allowed = PACKAGE / "adapters" / "network.py"
    assert "socket.socket(socket.AF_NETLINK" in allowed.read_text()
    uses = {
        str(path.relative_to(ROOT)): network_uses(path.read_text(), may_use_socket=path == allowed)
        for path in PACKAGE.rglob("*.py")
    }
    assert len(uses) > 200
    assert {path: found for path, found in uses.items() if found} == {}


# --- clock and environment only under adapters -------------------------------------------

CLOCK_AND_ENVIRONMENT = {
    "date.today",
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
    "os.environ",
    "os.environb",
    "os.getenv",
    "os.getenvb",
}


def clock_and_environment_uses(source: str) -> list[str]:
    """Each use of the machine's clock or environment in ``source``, as ``line: what``."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute() if (used := ast.unparse(node)) in CLOCK_AND_ENVIRONMENT:
                found.append(f"{node.lineno}: {used}")
            case ast.Import(names=names) if any(name.name == "time" for name in names):
                found.append(f"{node.lineno}: import time")
            case ast.ImportFrom(module="time"):
                found.append(f"{node.lineno}: from time import")
            case ast.ImportFrom(module="os", names=names) if any(
                f"os.{name.name}" in CLOCK_AND_ENVIRONMENT for name in names
            ):
                found.append(f"{node.lineno}: from os import")
    return found


@pytest.mark.parametrize(
    "line",
    [
        "import time",
        "from time import monotonic",
        "from os import environ",
        "import os; os.environ['HOME']",
        "import os; os.getenv('HOME')",
        "from datetime import datetime; datetime.now()",
        "import datetime; datetime.datetime.now()",
        "from datetime import date; date.today()",
    ],
)
def test_the_search_finds_clock_and_environment(line: str) -> None:
    assert clock_and_environment_uses(line)


def test_the_search_lets_the_clock_port_pass() -> None:
    assert not clock_and_environment_uses("now = self.clock.now()\nfrom datetime import datetime")


@pytest.mark.parametrize("room", ["domain", "ports", "workflows", "errors"])
def test_clock_and_environment_are_read_by_adapters_only(room: str) -> None:
    files = sorted((PACKAGE / room).rglob("*.py")) or [PACKAGE / f"{room}.py"]
    uses = {file.name: clock_and_environment_uses(file.read_text()) for file in files}
    assert {name: found for name, found in uses.items() if found} == {}


def test_codes_and_their_reader_are_loaded_when_the_first_one_is_drawn() -> None:
    loaded = load(*modules_of("faces/cli"), "pai_signer.composition")
    assert within(loaded, "pai_signer.adapters.qr")
    assert not within(loaded, "segno", "zxingcpp")
