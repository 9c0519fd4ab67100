"""What could reach out of this machine: interfaces, routes, radios (POL-9, SEC-1).

Interfaces and routes come from the kernel by netlink, for the namespace that the
program really runs in: ``/sys/class/net`` shows another one under ``unshare -n``,
and ``/proc/net/route`` shows the main table only. Netlink is no internet socket.
Formats: netlink(7), rtnetlink(7), linux/if.h, linux/rtnetlink.h.
"""

import ipaddress
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pai_signer.domain.host import Interface
from pai_signer.domain.text import safe_text

_HEADER: Final = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_LINK: Final = struct.Struct("=BxHiII")  # ifinfomsg: family, type, index, flags, change
# rtmsg: family, lengths of destination and source, tos, table, protocol, scope, type, flags
_ROUTE: Final = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE: Final = struct.Struct("=HH")  # rtattr: length, type
_NUMBER: Final = struct.Struct("=I")

_REQUEST_DUMP: Final = 0x0001 | 0x0300  # NLM_F_REQUEST, NLM_F_DUMP
_ERROR, _DONE = 2, 3
_NEWLINK, _GETLINK, _NEWROUTE, _GETROUTE = 16, 18, 24, 26
_IFLA_IFNAME: Final = 3
_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5
_IFF_UP, _IFF_LOOPBACK = 0x1, 0x8
_RTN_UNICAST: Final = 1
# The two high bits of an attribute's type are flags.
_TYPE_MASK: Final = 0x3FFF
_TIMEOUT_S: Final = 5.0
_RECEIVE_BYTES: Final = 1 << 17


@dataclass(frozen=True)
class Link:
    """One interface as the kernel's dump has it."""

    index: int
    name: str
    flags: int

    @property
    def is_loopback(self) -> bool:
        """Whether nothing that it carries can leave the machine."""
        return bool(self.flags & _IFF_LOOPBACK)


def read_links() -> tuple[Link, ...]:
    """Every interface of this network namespace. Raises ``OSError``."""
    links = []
    for body in _dump(_GETLINK, _NEWLINK, _LINK.pack(0, 0, 0, 0, 0)):
        _, _, index, flags, _ = _LINK.unpack_from(body)
        name = _attributes(body, _LINK.size).get(_IFLA_IFNAME, b"").rstrip(b"\0")
        links.append(Link(index, os.fsdecode(name), flags))
    return tuple(links)


def read_interfaces(sys: Path) -> tuple[Interface, ...]:
    """Every interface but loopback; ``sys`` is where sysfs is mounted. Raises ``OSError``."""
    return tuple(
        Interface(
            name=safe_text(link.name),
            is_up=bool(link.flags & _IFF_UP),
            is_wireless=_is_wireless(link, sys),
        )
        for link in read_links()
        if not link.is_loopback
    )


def read_routes() -> tuple[str, ...]:
    """Every route of any table and family that leads out, as ``ip route`` shows it.

    Local, broadcast, unreachable and blackhole routes lead nowhere, and neither
    does what goes over loopback. Raises ``OSError``.
    """
    links = {link.index: link for link in read_links()}
    routes = []
    for body in _dump(_GETROUTE, _NEWROUTE, _ROUTE.pack(0, 0, 0, 0, 0, 0, 0, 0, 0)):
        family, prefix_bits, _, _, _, _, _, kind, _ = _ROUTE.unpack_from(body)
        attributes = _attributes(body, _ROUTE.size)
        # Multipath routes name no single interface; they lead out all the same.
        index = _NUMBER.unpack(attributes[_RTA_OIF])[0] if _RTA_OIF in attributes else 0
        link = links.get(index)
        if kind != _RTN_UNICAST or (link is not None and link.is_loopback):
            continue
        routes.append(_shown_route(family, prefix_bits, attributes, link))
    return tuple(routes)


def read_unblocked_radios(sys: Path) -> tuple[str, ...]:
    """Radios that neither a switch nor software blocks, as ``KIND NAME``. Raises ``OSError``.

    A wireless or Bluetooth adapter that has no switch at all, or whose kernel has no rfkill,
    cannot be blocked and counts. Formats: the kernel's Documentation/ABI/stable/
    sysfs-class-rfkill; a switch is a child of its adapter's device.
    """
    classes = sys / "class"
    present = {entry.name for entry in classes.iterdir()}
    switches = sorted((classes / "rfkill").iterdir()) if "rfkill" in present else []
    unblocked = [
        f"{safe_text(_line(radio / 'type'))} {safe_text(_line(radio / 'name'))}"
        for radio in switches
        if _line(radio / "soft") == "0" and _line(radio / "hard") == "0"
    ]
    without_switch = [
        f"{kind} {safe_text(adapter.name)}"
        for kind in ("ieee80211", "bluetooth")
        if kind in present
        for adapter in sorted((classes / kind).iterdir())
        # Beside an adapter stand its connections, hci0:256.
        if ":" not in adapter.name and not any(adapter.glob("rfkill*"))
    ]
    return (*unblocked, *without_switch)


def _is_wireless(link: Link, sys: Path) -> bool:
    folder = sys / "class" / "net" / link.name
    try:
        # sysfs may show another namespace's interface of the same name.
        same = _line(folder / "ifindex") == str(link.index)
    except FileNotFoundError:
        return False
    return same and any((folder / mark).exists() for mark in ("wireless", "phy80211"))


def _shown_route(
    family: int, prefix_bits: int, attributes: dict[int, bytes], link: Link | None
) -> str:
    destination = "default"
    if _RTA_DST in attributes:
        destination = f"{_address(family, attributes[_RTA_DST])}/{prefix_bits}"
    via = ""
    if _RTA_GATEWAY in attributes:
        via = f" via {_address(family, attributes[_RTA_GATEWAY])}"
    return f"{destination}{via} dev {safe_text(link.name) if link else 'several'}"


def _address(family: int, packed: bytes) -> str:
    if family in (socket.AF_INET, socket.AF_INET6):
        return str(ipaddress.ip_address(packed))
    return packed.hex()


def _dump(request: int, wanted: int, body: bytes) -> Iterator[bytes]:
    """The bodies of all messages of one kind that the kernel answers with."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(_TIMEOUT_S)
        kernel.bind((0, 0))
        header = _HEADER.pack(_HEADER.size + len(body), request, _REQUEST_DUMP, 1, 0)
        kernel.sendto(header + body, (0, 0))
        while True:
            data = kernel.recv(_RECEIVE_BYTES)
            while data:
                length, kind, _, _, _ = _HEADER.unpack_from(data)
                if kind == _DONE:
                    return
                if kind == _ERROR or not _HEADER.size <= length <= len(data):
                    raise OSError("the kernel refuses to list its network")
                if kind == wanted:
                    yield data[_HEADER.size : length]
                data = data[_aligned(length) :]


def _attributes(body: bytes, position: int) -> dict[int, bytes]:
    found = {}
    while position + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, position)
        if length < _ATTRIBUTE.size:
            raise OSError("the kernel's answer is malformed")
        found[kind & _TYPE_MASK] = body[position + _ATTRIBUTE.size : position + length]
        position += _aligned(length)
    return found


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _line(path: Path) -> str:
    return os.fsdecode(path.read_bytes()).strip()
