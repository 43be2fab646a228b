"""``looksync product``: single products in the ledger."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

from pydantic import ValidationError
from rich.console import Console

from dataflows.wiring.ledger import open_ledger
from dataflows.wiring.topics import open_topic
from operators.vocabulary.views import newest
from schemas.catalog import LedgerEntry, Packet, PacketKind, PendingPicture
from schemas.errors import Misconfigured
from schemas.records import Record
from schemas.settings import Settings
from services.cli.console import as_text


def forget_version(key: str, settings: Settings, console: Console) -> int:
    """Send the packet that forgets the versions of ``key``; 1 when there is nothing to forget.

    It is ordered with the vendor's packets: versions of earlier ones are still compared.
    """
    vendor, _, product_id = key.partition(":")
    try:
        packet = Packet(
            vendor=vendor, product_id=product_id, kind=PacketKind.FORGET_VERSION, version=0
        )
    except ValidationError:
        raise Misconfigured(f"{key!r} is no product key; give vendor:product_id") from None
    entry = asyncio.run(_read(packet.key, settings))
    version = None if entry is None else _newest_version(entry)
    if version is None:
        what = "the ledger has no such product" if entry is None else "it has no version"
        _say(console, f"{key}: {what}: nothing was sent")
        return 1
    topic = open_topic(settings.topics, settings.topics.updates)
    topic.append([Record(packet.key, packet.model_dump_json().encode())])
    _say(
        console,
        f"{key} is at version {version} now. Sent to {topic.name}: once the catalog flow has "
        "applied it, the next packet of this product counts as newer, whatever its version",
    )
    return 0


def show(key: str, settings: Settings, console: Console) -> int:
    """Print what the ledger has of ``key``, and why it cannot be matched; 1 when that is so."""
    entry = asyncio.run(_read(key, settings))
    obstacles = ["the ledger has no such product"] if entry is None else list(_obstacles(entry))
    for obstacle in obstacles:
        _say(console, f"{key}: not matched: {obstacle}")
    if entry is None:
        return 1
    if not obstacles:
        _say(console, f"{key}: can be matched")
    if entry.indexed and entry.picture_pending is not None:
        _say(console, f"matched by its former picture; the new one {_waits(entry.picture_pending)}")
    said = entry.model_dump(mode="json", exclude_defaults=True)
    console.print_json(json.dumps(said), default=str)
    return 1 if obstacles else 0


def _obstacles(entry: LedgerEntry) -> Iterator[str]:
    """Why no look can be answered with the product."""
    attributes, pending = entry.attributes, entry.picture_pending
    if not entry.exists:
        yield "deleted" if entry.deleted_version is not None else "only patches of it have come"
        return
    if attributes.not_fashion is not None:
        yield f"not fashion, but {attributes.not_fashion}"
    elif attributes.department is None:
        yield "its department is not known"
    if not entry.update.in_stock:
        yield "it cannot be ordered (available, stock)"
    if not entry.indexed and pending is not None:
        yield f"its picture {_waits(pending)}"


def _waits(pending: PendingPicture) -> str:
    who = "is refused" if pending.refused else "could not be fetched"
    return (
        f"{who}: {pending.reason}; tried {pending.attempts} times, last at "
        f"{pending.last_try:%Y-%m-%d %H:%M} UTC, and tried again"
    )


async def _read(key: str, settings: Settings) -> LedgerEntry | None:
    async with open_ledger(settings) as ledger:
        return await ledger.read(key)


def _newest_version(entry: LedgerEntry) -> int | None:
    """Of upsert, deletion and patches; None: none is known."""
    return newest(entry.version, entry.deleted_version, *entry.patched.values())


def _say(console: Console, text: str) -> None:
    console.print(as_text(text), highlight=False, soft_wrap=True)
