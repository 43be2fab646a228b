"""Which addresses and ports may be connected to, and what a setting can open."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from operators.images.addresses import WEB_PORTS, Reachable
from schemas.errors import ImageRefused
from schemas.settings import ImageSettings

PUBLIC = [
    "8.8.8.8",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "168.63.129.17",
    "2606:2800:220:1::1",
    "2a00:1450:4001:81b::200e",
    "64:ff9b::808:808",
    "::ffff:8.8.8.8",
]
PRIVATE = [
    "127.0.0.1",
    "127.8.9.10",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",  # carrier-grade NAT, RFC 6598
    "100.127.255.255",
    "192.0.2.1",  # documentation
    "198.18.0.1",  # benchmarking, RFC 2544
    "198.51.100.1",
    "203.0.113.1",
    "::1",
    "fc00::1",
    "fd12:3456::1",
    "2001:db8::1",  # documentation
    "4000::1",  # not given to anybody
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",  # 127.0.0.1 behind NAT64, RFC 6052
    "64:ff9b::a00:1",
]
PLATFORM = [
    "169.254.169.254",  # metadata of most clouds
    "169.254.170.2",  # credentials of containers at Amazon
    "169.254.0.1",
    "168.63.129.16",  # Azure
    "100.100.100.200",  # Alibaba Cloud
    "192.0.0.1",
    "192.0.0.192",  # Oracle Cloud
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fd00:c1::a9fe:a9fe",
    "fd00:42::42",
    "fe80::1",
    "fe80::a9fe:a9fe",
    "febf::1",
    "fec0::1",
    "feff::1",
]
NO_HOST = [
    "0.0.0.0",
    "0.1.2.3",
    "192.88.99.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::2",
    "::127.0.0.1",
    "::169.254.169.254",
    "100::1",
    "3fff::1",
    "ff02::1",
    "ff0e::1",
]
WRAPPED = [
    "::ffff:169.254.169.254",
    "::ffff:168.63.129.16",
    "::ffff:0.0.0.0",
    "::ffff:0:7f00:1",  # translated, RFC 2765
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::a83f:8110",
    "64:ff9b:1::7f00:1",  # RFC 8215
    "64:ff9b:1::808:808",
    "2002:7f00:1::",  # 127.0.0.1 in 6to4, RFC 3056
    "2002:808:808::",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",  # 127.0.0.1 in Teredo, RFC 4380
    "2606:2800:220:1:0:5efe:7f00:1",  # 127.0.0.1 in ISATAP, RFC 5214
    "2606:2800:220:1:200:5efe:808:808",
]
NEVER = PLATFORM + NO_HOST + WRAPPED

INTERNET = Reachable()
EVERYTHING = Reachable.of(["0.0.0.0/0", "::/0", "any.example"], WEB_PORTS, "images.private_hosts")


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_reachable(address: str) -> None:
    INTERNET.check_address("shop.example", ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_reachable_where_a_setting_opens_them(address: str) -> None:
    with pytest.raises(ImageRefused, match=r"images\.private_hosts") as refusal:
        INTERNET.check_address("shop.example", ip_address(address))
    assert refusal.value.reason == "private-address"
    EVERYTHING.check_address("shop.example", ip_address(address))


@pytest.mark.parametrize("host", ["shop.example", "any.example"])
@pytest.mark.parametrize("address", NEVER)
def test_platform_addresses_stay_closed_whatever_the_setting(address: str, host: str) -> None:
    for reachable in (INTERNET, EVERYTHING):
        with pytest.raises(ImageRefused) as refusal:
            reachable.check_address(host, ip_address(address))
        assert refusal.value.reason == "forbidden-address"


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_alike_in_every_form_that_connects_to_it(address: IPv4Address) -> None:
    mapped = IPv6Address(0xFFFF_0000_0000 | int(address))
    nat64 = IPv6Address((0x64_FF9B << 96) | int(address))
    assert _judgement(address) == _judgement(mapped) == _judgement(nat64)


@given(st.ip_addresses())
def test_only_globally_routed_addresses_are_reachable_without_a_setting(
    address: IPv4Address | IPv6Address,
) -> None:
    if _judgement(address) is None:
        assert address.is_global or getattr(address, "ipv4_mapped", None) or _is_nat64(address)
        assert not address.is_multicast
        assert not address.is_link_local


def _judgement(address: IPv4Address | IPv6Address) -> str | None:
    try:
        INTERNET.check_address("shop.example", address)
    except ImageRefused as refusal:
        return refusal.reason
    return None


def _is_nat64(address: IPv4Address | IPv6Address) -> bool:
    return isinstance(address, IPv6Address) and int(address) >> 32 == 0x64_FF9B << 64


@pytest.mark.parametrize(
    ("entry", "host", "address"),
    [
        ("10.20.0.0/16", "shop.example", "10.20.255.1"),
        ("10.20.0.0/16", "shop.example", "::ffff:10.20.0.1"),
        ("10.20.30.40", "shop.example", "10.20.30.40"),
        ("fd12::/48", "shop.example", "fd12::7"),
        ("pictures.internal", "pictures.internal", "10.1.2.3"),
        ("pictures.internal", "Pictures.Internal.", "fd12::7"),
        ("Pictures.Internal.", "pictures.internal", "10.1.2.3"),
    ],
)
def test_a_host_address_or_network_is_opened(entry: str, host: str, address: str) -> None:
    opened = ImageSettings(private_hosts=(entry,)).private_hosts
    reachable = Reachable.of(opened, WEB_PORTS, "images.private_hosts")
    reachable.check_address(host, ip_address(address))


@pytest.mark.parametrize(
    ("entry", "host", "address"),
    [
        ("10.20.0.0/16", "shop.example", "10.21.0.1"),
        ("10.20.30.40", "shop.example", "10.20.30.41"),
        ("pictures.internal", "other.internal", "10.1.2.3"),
        ("pictures.internal", "pictures.internal.example", "10.1.2.3"),
        ("pictures.internal", "a.pictures.internal", "10.1.2.3"),
    ],
)
def test_nothing_besides_is_opened(entry: str, host: str, address: str) -> None:
    reachable = Reachable.of([entry], WEB_PORTS, "images.private_hosts")
    with pytest.raises(ImageRefused) as refusal:
        reachable.check_address(host, ip_address(address))
    assert refusal.value.reason == "private-address"


@pytest.mark.parametrize(
    "entry",
    ["http://shop.internal", "shop.internal:8080", "10.0.0.1/8", "10.0.0.0/33", "shop/1", "", "*"],
)
def test_an_entry_that_opens_nothing_is_refused_by_the_settings(entry: str) -> None:
    with pytest.raises(ValidationError):
        ImageSettings(private_hosts=(entry,))


def test_only_web_ports_are_open_unless_listed() -> None:
    for port in (80, 443):
        INTERNET.check_port(port)
    for port in (22, 25, 6379, 8080, 65535):
        with pytest.raises(ImageRefused, match=rf"port {port} .*images\.ports") as refusal:
            INTERNET.check_port(port)
        assert refusal.value.reason == "port"
    Reachable.of([], [8080], "images.private_hosts").check_port(8080)
