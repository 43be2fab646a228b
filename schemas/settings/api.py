"""The HTTP API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from schemas.settings.base import PrivateHost, Section

Scope = Literal["read", "match", "write", "admin"]


class ApiKey(Section):
    """A client of the API; made by `looksync api key NAME`."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", description="Shown in the logs.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Hash of the key, in hexadecimal.")
    scopes: tuple[Scope, ...] = Field(("read",), min_length=1)
    per_minute: int = Field(600, ge=1, description="Requests.")


class ApiSettings(Section):
    address: str = Field("127.0.0.1", description="0.0.0.0 in a container.")
    port: int = Field(8080, ge=0, le=65535, description="0: any free one.")
    keys: tuple[ApiKey, ...] = Field((), description="Without keys anybody may do everything.")
    signing_key: SecretStr | None = Field(
        None,
        description="Signs the links to shops; at least 32 characters, the same in all processes. "
        "Null: a new one at each start, so that older links end.",
    )
    deadline_seconds: float = Field(1.0, gt=0, description="Of a request that does not say.")
    max_deadline_seconds: float = Field(30.0, gt=0, description="A request may ask for.")
    in_flight: int = Field(
        2, ge=1, description="Pictures matched at once; more than the CPU cores only queue up."
    )
    waiting: int = Field(
        8, ge=0, description="Requests that may wait for that; beyond, the answer is 503."
    )
    max_body_bytes: int = Field(12 * 2**20, ge=1024)
    products_shown: int = Field(
        6,
        ge=1,
        description="Per layer; matching.products_per_layer beyond these are spares for products "
        "that are gone when the match is served.",
    )
    webhook_hosts: tuple[PrivateHost, ...] = Field(
        (), description="Hosts of webhooks that are not on public addresses."
    )
    webhook_ports: tuple[Annotated[int, Field(ge=1, le=65535)], ...] = (80, 443)
    shop: bool | None = Field(
        None,
        description="Serve the shop's pages. They need no key and show all looks, so null means: "
        "only while there are no keys.",
    )
    evaluation: Path | None = Field(
        None,
        description="The report of the last evaluation (report.json of a demo), for /operator.",
    )
    kept_hours: float = Field(48.0, gt=0, description="How long looks and matches can be read.")

    @property
    def shows_pages(self) -> bool:
        """Whether the shop is served."""
        return not self.keys if self.shop is None else self.shop

    @field_validator("signing_key")
    @classmethod
    def _long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value()) < 32:
            raise ValueError("must have at least 32 characters")
        return key

    @field_validator("keys")
    @classmethod
    def _one_of_each_name(cls, keys: tuple[ApiKey, ...]) -> tuple[ApiKey, ...]:
        if len({key.name for key in keys}) < len(keys):
            raise ValueError("each key needs a name of its own")
        return keys
