"""Sends a look, waits for its match, and returns what each layer may be bought as."""

from __future__ import annotations

from looksync_client import Client
from looksync_client.api.looks import read_matches, send_look
from looksync_client.models import ImageReference, LookMatches, NewLook, Problem


def shop_the_look(base_url: str, picture_url: str) -> list[str]:
    """``picture_url``: of the look. Raises RuntimeError with what the API says is wrong."""
    look = NewLook(image=ImageReference(url=picture_url), market="IN")
    with Client(base_url=base_url) as client:
        sent = send_look.sync(client=client, body=look)
        if sent is None or isinstance(sent, Problem):
            raise RuntimeError("not sent" if sent is None else f"{sent.code}: {sent.detail}")
        found = read_matches.sync(sent.look_id, client=client, wait=20)
        if found is None or isinstance(found, Problem):
            raise RuntimeError("no match" if found is None else f"{found.code}: {found.detail}")
    return first_products(found)


def first_products(match: LookMatches) -> list[str]:
    """Layer and title of the first product of each."""
    return [
        f"{layer.layer}: {layer.products[0].product.update.title}"
        for layer in match.layers or []
        if layer.products
    ]
