"""What may be fetched: addresses, URLs and files. Everything else is refused before any contact."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

import httpx

from schemas.errors import ImageRefused

Address: TypeAlias = IPv4Address | IPv6Address

NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are an IPv4 address that a translator would connect to."""


def check_address(address: Address, *, allow_private: bool) -> None:
    """Raise ImageRefused unless ``address`` is a public host's (or private, when allowed).

    Metadata services of clouds (169.254.169.254, fd00:ec2::254) are link-local or private.
    """
    target = _embedded(address)
    never = (
        target.is_multicast
        or target.is_unspecified
        or (target.is_reserved and not target.is_loopback)
    )
    if never or not (target.is_global or allow_private):
        raise ImageRefused(
            f"address {address} is not a public host's; images.allow_private_addresses lets "
            "loopback and private ones in",
            reason="forbidden-address",
        )


def _embedded(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one that only wraps it, else ``address``."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def check_url(url: str, base: httpx.URL | None = None) -> httpx.URL:
    """``url`` parsed (relative to ``base``); ImageRefused unless it is an http(s) URL with a host
    and without credentials."""
    try:
        parsed = httpx.URL(url) if base is None else base.join(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise ImageRefused(f"not a URL: {error}", reason="bad-url") from error
    if parsed.scheme not in ("http", "https"):
        raise ImageRefused(
            f"pictures come by http, https or file, not by {parsed.scheme or 'no scheme'!r}",
            reason="scheme",
        )
    if not parsed.host or "%" in parsed.host or not 0 <= (parsed.port or 0) < 65536:
        raise ImageRefused("the URL names no host, or no possible one", reason="bad-url")
    if parsed.userinfo:
        raise ImageRefused("the URL carries credentials", reason="credentials")
    return parsed


def read_file(url: str, roots: Iterable[Path], max_bytes: int) -> bytes:
    """The file behind a ``file:`` URL; ImageRefused unless it lies below one of ``roots``.

    Links are followed before the check, and the file that was checked is opened without
    following another. Blocks; meant for a thread.
    """
    path = _path_of(url)
    try:
        real = path.resolve()
        allowed = any(real.is_relative_to(root.resolve()) for root in roots)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, before 3.13
        raise ImageRefused(f"{path}: {error}", reason="not-found") from error
    if not allowed:
        raise ImageRefused(f"{path} lies outside images.allowed_roots", reason="outside-roots")
    try:
        # O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
        descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ImageRefused(f"{path}: there is no such file", reason="not-found") from error
    except OSError as error:
        raise ImageRefused(f"{path}: {error.strerror}", reason="unreadable") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ImageRefused(f"{path} is not a file", reason="not-a-file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(max_bytes + 1)
    finally:
        os.close(descriptor)
    check_size(len(content), max_bytes)
    return content


def _path_of(url: str) -> Path:
    host, slash, path = url[len("file:") :].removeprefix("//").partition("/")
    if not slash or host not in ("", "localhost"):
        raise ImageRefused(
            "a file URL has three slashes and an absolute path: file:///folder/picture.jpg",
            reason="bad-url",
        )
    decoded = os.fsdecode(unquote_to_bytes(path))
    if "\0" in decoded:
        raise ImageRefused("the path holds a zero byte", reason="bad-url")
    return Path("/", decoded)


def check_size(size: int, max_bytes: int) -> None:
    """Raise ImageRefused when ``size`` (bytes) is over the limit."""
    if size > max_bytes:
        raise ImageRefused(f"larger than {max_bytes:,} bytes", reason="too-large")
