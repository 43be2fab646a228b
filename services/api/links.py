"""Signed links to shops: they name a product and a look, never an address."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets

from pydantic import SecretStr

SIGNATURE_BYTES = 16
"""Of HMAC-SHA-256: 128 bits cannot be guessed."""


class Links:
    """Makes and reads tokens."""

    def __init__(self, key: SecretStr | None) -> None:
        """``key``: None: a new one; tokens end with this process."""
        self._key = key.get_secret_value().encode() if key else secrets.token_bytes(32)

    def token(self, product: str, look_id: str | None = None) -> str:
        """A token for the product's page in its shop; the look is counted with the click."""
        content = json.dumps([product, look_id], ensure_ascii=False).encode()
        return _text(self._sign(content) + content)

    def read(self, token: str) -> tuple[str, str | None] | None:
        """Product key and look id; None unless we have made the token."""
        try:
            value = base64.urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            return None
        signature, content = value[:SIGNATURE_BYTES], value[SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(content)):
            return None
        product, look_id = json.loads(content)
        return product, look_id

    def _sign(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, hashlib.sha256)[:SIGNATURE_BYTES]


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
