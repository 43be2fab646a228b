"""Which network addresses may be connected to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import TypeAlias

from schemas.errors import ImageRefused

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

WEB_PORTS = (80, 443)

NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052: a translator connects to the IPv4 address in the last 32 bits."""

NEVER: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # "this network": Linux takes 0.0.0.0 for this machine
        "100.100.100.200/32",  # metadata of Alibaba Cloud
        "168.63.129.16/32",  # Azure's platform: DNS, health probes, the agent's secrets
        "169.254.0.0/16",  # link-local; metadata of most clouds, credentials of containers
        "192.0.0.0/24",  # IETF protocols; 192.0.0.192 is Oracle's metadata
        "192.88.99.0/24",  # relays of 6to4, RFC 7526
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved; broadcast
        "::/96",  # unspecified and "IPv4-compatible", RFC 4291; ::1 is not of it, see below
        "::ffff:0:0:0/96",  # translated, RFC 2765
        "64:ff9b:1::/48",  # NAT64 of a network's own choice, RFC 8215
        "100::/64",  # discard, RFC 6666
        "2001::/32",  # Teredo, RFC 4380
        "2002::/16",  # 6to4, RFC 3056
        "3fff::/20",  # documentation, RFC 9637
        "fd00:42::42/128",  # metadata of Scaleway
        "fd00:c1::a9fe:a9fe/128",  # metadata of Oracle Cloud
        "fd00:ec2::/32",  # Amazon's metadata, DNS, time, credentials of pods
        "fd20:ce::254/128",  # metadata of Google Cloud
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local, which link-local metadata is also found at
        "ff00::/8",  # multicast
    )
)
"""Not even where a setting opens private networks: addresses that the platform answers itself, and
forms that wrap an IPv4 address but are no picture host's."""

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_ISATAP = 0x0000_5EFE
_LOOPBACK = IPv6Address("::1")


@dataclass(frozen=True, slots=True)
class Reachable:
    """The public internet on the usual ports, and what an operator opens besides."""

    hosts: frozenset[str] = frozenset()
    """Names whose addresses may be private."""
    networks: tuple[Network, ...] = ()
    """Private networks."""
    ports: frozenset[int] = frozenset(WEB_PORTS)
    setting: str = "images.private_hosts"
    """Where an operator opens more, for messages."""

    @classmethod
    def of(cls, private_hosts: Iterable[str], ports: Iterable[int], setting: str) -> Reachable:
        """``private_hosts``: names, addresses or networks, as schemas.settings checks them."""
        names: set[str] = set()
        networks: list[Network] = []
        for entry in private_hosts:
            try:
                networks.append(ip_network(entry))
            except ValueError:
                names.add(_plain(entry))
        return cls(frozenset(names), tuple(networks), frozenset(ports), setting)

    def check_port(self, port: int) -> None:
        """Raise ImageRefused unless ``port`` is open."""
        if port not in self.ports:
            raise ImageRefused(
                f"port {port} is closed; images.ports lists the open ports of picture hosts",
                reason="port",
            )

    def check_address(self, host: str, address: Address) -> None:
        """Raise ImageRefused unless ``address``, which ``host`` resolved to, may be reached."""
        target = _wrapped(address)
        if target != _LOOPBACK and (
            any(target in network for network in NEVER) or _is_isatap(target)
        ):
            raise ImageRefused(
                f"{address} is an address of the platform or of no host at all",
                reason="forbidden-address",
            )
        opened = _plain(host) in self.hosts or any(target in network for network in self.networks)
        if not opened and not _is_public(target):
            raise ImageRefused(
                f"{address} is not a public address; list the host in {self.setting} if it is "
                "yours",
                reason="private-address",
            )


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def _wrapped(address: Address) -> Address:
    """The IPv4 address that a connection to ``address`` ends at, if it does, else ``address``."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in NAT64 else address


def _is_isatap(address: Address) -> bool:
    """RFC 5214: 0:5efe or 200:5efe, then an IPv4 address."""
    return isinstance(address, IPv6Address) and int(address) >> 32 & 0xFDFF_FFFF == _ISATAP


def _is_public(address: Address) -> bool:
    return address.is_global and (isinstance(address, IPv4Address) or address in _GLOBAL_UNICAST)
