"""Emulates several hosts on this machine: network namespaces whose packets pass one process.

Each host has an address of its own, and its own loopback. The process in the middle delays packets
and drops those of hosts that are cut off. It needs Linux, `/dev/net/tun`, and root or unprivileged
user namespaces; neither `tc` nor a kernel module.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import heapq
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

_NETWORK, _MOUNT, _USER = 0x40000000, 0x00020000, 0x10000000  # CLONE_NEWNET, …NS, …USER
_MTU = 60000  # bytes of a packet: few large ones, because Python handles each


class Network:
    """Hosts that are connected to each other.

    Args:
      number: how many hosts.
      delay: seconds that each packet takes from one host to another.

    Attributes:
      addresses: IPv4 address of each host.

    Raises:
      OSError: the system does not allow network namespaces.
    """

    def __init__(self, number: int, delay: float = 0.0) -> None:
        self.addresses = [f"10.77.0.{host + 1}" for host in range(number)]
        self._rules = {"delay": delay, "cut": []}
        self._namespaces: list[int] = []
        tunnels: list[int] = []
        try:
            for address in self.addresses:
                namespace, tunnel = _make_host(address)
                self._namespaces.append(namespace)
                tunnels.append(tunnel)
            reading, self._control = os.pipe()
            self._router = os.fork()
            if self._router == 0:
                with contextlib.suppress(BaseException):
                    os.close(self._control)
                    signal.signal(signal.SIGINT, signal.SIG_IGN)
                    _route(tunnels, reading)
                os._exit(0)
            os.close(reading)
        finally:
            for tunnel in tunnels:
                os.close(tunnel)
        self._tell()

    def __enter__(self) -> Network:
        return self

    def __exit__(self, *_: Any) -> None:
        os.close(self._control)
        os.waitpid(self._router, 0)
        for namespace in self._namespaces:
            os.close(namespace)

    def start(self, host: int, command: Sequence[str], **options: Any) -> subprocess.Popen:
        """Starts a command on a host, as `subprocess.Popen` does."""
        return subprocess.Popen(command, preexec_fn=self.entering(host), **options)

    def entering(self, host: int) -> Callable[[], None]:
        """Returns a function that moves the calling process to a host."""
        namespace = self._namespaces[host]

        def enter() -> None:
            if _LIBC.setns(namespace, _NETWORK):
                raise OSError(ctypes.get_errno(), "setns")

        return enter

    def cut(self, *hosts: int) -> None:
        """Drops all packets from and to exactly these hosts from now on."""
        self._rules["cut"] = list(hosts)
        self._tell()

    def delay(self, seconds: float) -> None:
        """Sets the time that each packet takes from one host to another."""
        self._rules["delay"] = seconds
        self._tell()

    def _tell(self) -> None:
        os.write(self._control, json.dumps(self._rules).encode() + b"\n")


def unavailable() -> str:
    """Returns why hosts are unavailable here, "" if they are available."""
    if sys.platform != "linux":
        return "only Linux has network namespaces"
    try:
        with Network(1):
            return ""
    except OSError as error:
        return f"this system allows no network namespace with a tunnel ({error})"


@contextlib.contextmanager
def permitted() -> Iterator[None]:
    """Makes this process root of a user namespace, where it is not root already."""
    if os.geteuid() and sys.platform == "linux":
        number, group = os.geteuid(), os.getegid()
        if not _LIBC.unshare(_USER | _MOUNT):
            for name, text in (
                ("setgroups", "deny"),
                ("uid_map", f"0 {number} 1"),
                ("gid_map", f"0 {group} 1"),
            ):
                with open(f"/proc/self/{name}", "w") as file:
                    file.write(text)
    yield


_LIBC = ctypes.CDLL(None, use_errno=True)


def _make_host(address: str) -> tuple[int, int]:
    """Returns descriptors of a new network namespace and of the tunnel that leaves it."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(BaseException):
            if _LIBC.unshare(_NETWORK) == 0:
                tunnel = _make_tunnel(address)
                namespace = os.open("/proc/self/ns/net", os.O_RDONLY)
                socket.send_fds(theirs, [b"."], [namespace, tunnel])
                code = 0
        os._exit(code)
    theirs.close()
    with ours:
        _, descriptors, _, _ = socket.recv_fds(ours, 1, 2)
    os.waitpid(child, 0)
    if len(descriptors) != 2:
        raise OSError(1, "unshare, or /dev/net/tun")
    return descriptors[0], descriptors[1]


def _make_tunnel(address: str) -> int:
    tunnel = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    name = b"hosts0"
    fcntl.ioctl(tunnel, 0x400454CA, struct.pack("16sH22x", name, 0x1001))  # TUN, no header
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:

        def set_address(request: int, value: str) -> None:
            packed = struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(value))
            fcntl.ioctl(any_socket, request, packed + bytes(8))

        set_address(0x8916, address)  # SIOCSIFADDR
        set_address(0x891C, "255.255.255.0")  # SIOCSIFNETMASK
        fcntl.ioctl(any_socket, 0x8922, struct.pack("16si20x", name, _MTU))  # SIOCSIFMTU
        for each in (name, b"lo"):
            fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH22x", each, 0x41))  # UP, RUNNING
    return tunnel


def _route(tunnels: list[int], control: int) -> None:
    """Forwards packets between tunnels until the control connection is closed."""
    delay, cut = 0.0, set()
    under_way: list[tuple[float, int, int, bytes]] = []  # due, number, tunnel, packet
    number = 0
    while True:
        wait = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
        ready, _, _ = select.select([*tunnels, control], [], [], wait)
        if control in ready:
            text = os.read(control, 65536)
            if not text:
                return
            rules = json.loads(text.splitlines()[-1])
            delay, cut = rules["delay"], set(rules["cut"])
        now = time.monotonic()
        for source, tunnel in enumerate(tunnels):
            if tunnel not in ready:
                continue
            with contextlib.suppress(BlockingIOError):
                for _ in range(64):
                    packet = os.read(tunnel, 65536)
                    target = packet[19] - 1  # the last byte of the address that IPv4 sends it to
                    if packet[0] >> 4 != 4 or not 0 <= target < len(tunnels):
                        continue
                    if cut.isdisjoint((source, target)):
                        number += 1
                        heapq.heappush(under_way, (now + delay, number, tunnels[target], packet))
        while under_way and under_way[0][0] <= time.monotonic():
            *_, tunnel, packet = heapq.heappop(under_way)
            with contextlib.suppress(OSError):  # a full queue loses packets, as networks do
                os.write(tunnel, packet)
