from __future__ import annotations

from ipaddress import ip_address

import pytest

from operators.images.guard import check_address, check_url
from schemas.errors import ImageRefused

PRIVATE = [
    "127.0.0.1",
    "127.8.9.10",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",  # shared by carriers, RFC 6598
    "169.254.169.254",  # the clouds' metadata service
    "0.1.2.3",
    "198.18.0.1",  # benchmarks, RFC 2544
    "::1",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",  # a cloud's metadata service in IPv6
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",  # 127.0.0.1 through a translator, RFC 6052
    "2002:7f00:1::",  # 127.0.0.1 in 6to4, RFC 3056
    "2002:c0a8:101::",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",  # 127.0.0.1 in Teredo, RFC 4380
]
NEVER = ["0.0.0.0", "::", "::ffff:0.0.0.0", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1"]
PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:2800:220:1::1", "64:ff9b::808:808", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", PRIVATE + NEVER)
def test_addresses_inside_are_refused(address):
    with pytest.raises(ImageRefused) as refusal:
        check_address(ip_address(address), allow_private=False)
    assert refusal.value.reason == "forbidden-address"


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_let_in(address):
    check_address(ip_address(address), allow_private=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_let_in_when_the_settings_say_so(address):
    check_address(ip_address(address), allow_private=True)


@pytest.mark.parametrize("address", NEVER)
def test_addresses_of_nobody_are_refused_whatever_the_settings_say(address):
    with pytest.raises(ImageRefused):
        check_address(ip_address(address), allow_private=True)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://example.com/a.jpg", "scheme"),
        ("gopher://example.com/a.jpg", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("data:image/png;base64,AAAA", "scheme"),
        ("picture.jpg", "scheme"),
        ("//example.com/a.jpg", "scheme"),
        ("", "scheme"),
        ("http:///a.jpg", "bad-url"),
        ("http://", "bad-url"),
        ("http://[::1/a.jpg", "bad-url"),
        ("http://example.com:99999/a.jpg", "bad-url"),
        ("http://exa mple.com/a.jpg", "bad-url"),
        ("http://example.com/\0.jpg", "bad-url"),
        ("http://user@example.com/a.jpg", "credentials"),
        ("https://user:password@example.com/a.jpg", "credentials"),
    ],
)
def test_urls_of_other_kinds_are_refused(url, reason):
    with pytest.raises(ImageRefused) as refusal:
        check_url(url)
    assert refusal.value.reason == reason
    assert "password" not in str(refusal.value)


def test_spaces_and_letters_of_any_script_in_a_path_are_allowed():
    url = check_url("https://example.com/写真/red shirt.jpg?größe=M")
    assert url.raw_path == b"/%E5%86%99%E7%9C%9F/red%20shirt.jpg?gr%C3%B6%C3%9Fe=M"
