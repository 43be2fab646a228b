"""Which URLs may be fetched at all."""

from __future__ import annotations

import pytest

from operators.images.guard import check_url
from schemas.errors import ImageRefused


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
        ("http://xn--a/a.jpg", "bad-url"),
        ("http://example.com/\0.jpg", "bad-url"),
        ("http://user@example.com/a.jpg", "credentials"),
        ("https://user:password@example.com/a.jpg", "credentials"),
        ("https://user:password@example.com:99999999999/a.jpg", "bad-url"),
        ("https://user:password@exa mple.com/a.jpg", "bad-url"),
        ("https://user:pass word@[example.com/a.jpg?password", "bad-url"),
        ("https://example.com:password@/a.jpg", "bad-url"),
        ("https://example.com:password", "bad-url"),
    ],
)
def test_invalid_urls_are_refused(url: str, reason: str) -> None:
    with pytest.raises(ImageRefused) as refusal:
        check_url(url)
    assert refusal.value.reason == reason
    assert "password" not in str(refusal.value)


def test_a_path_may_contain_spaces_and_any_script() -> None:
    url = check_url("https://example.com/写真/red shirt.jpg?größe=M")
    assert url.raw_path == b"/%E5%86%99%E7%9C%9F/red%20shirt.jpg?gr%C3%B6%C3%9Fe=M"
