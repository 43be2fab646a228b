"""Bases of the settings' sections."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_HOST_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BatchSettings(Section):
    max_size: int = Field(32, ge=1)
    max_wait_ms: float = Field(3.0, ge=0)


def _check_private_host(entry: str) -> str:
    """``entry`` in lower case. Raises ValueError unless it is a name, address or network."""
    entry = entry.strip().lower()
    if "/" in entry or ":" in entry:
        try:
            return str(ip_network(entry))
        except ValueError as error:
            raise ValueError(
                f"{error}; write a host name, an address or a network such as 10.20.0.0/16, "
                "without scheme, port and path"
            ) from None
    if not _HOST_NAME.fullmatch(entry):
        raise ValueError(f"{entry!r} is not a host name; names in other scripts start with xn--")
    return entry


PrivateHost = Annotated[str, AfterValidator(_check_private_host)]
"""A host, or hosts, that need not be on the public internet."""
