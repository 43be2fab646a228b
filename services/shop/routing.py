"""What the shop's routes share."""

from __future__ import annotations

from starlette.routing import Match, Mount
from starlette.types import Scope

from services.api.problems import not_found
from services.shop.storefronts import STOREFRONTS, Storefront

API = ("/v1/", "/healthz", "/readyz", "/openapi.json", "/docs")
"""Beginnings of the paths that programs use: their problems are never pages."""


class Pages(Mount):
    """The shop, at every path outside the API. A plain mount would also match the API's paths and
    answer a wrong method with 404 instead of 405."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and scope["path"].startswith((*API, "/r/")):
            return Match.NONE, {}
        return super().matches(scope)


def find_store(store: str) -> Storefront:
    """The storefront of a path. Raises ApiProblem (404)."""
    found = STOREFRONTS.get(store)
    if found is None:
        raise not_found(f"page /{store}")
    return found
