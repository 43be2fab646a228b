"""When a product is refreshed without a packet: pending pictures, sales' dates."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from schemas.catalog import LedgerEntry, PendingPicture

PAUSES = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=12),
    timedelta(days=1),
)
"""Between tries for a picture; the last one repeats. A host that restarts is back within minutes,
one that moved within days."""

REFUSED_PAUSE = timedelta(days=1)
"""Between tries for a picture that the host says is not there, or that is broken."""

GIVE_UP_AFTER = timedelta(days=30)
"""From the first failure on. A later packet with another picture starts over."""

JITTER = 0.2
"""Share of a pause by which products differ, so that a host that was down is not asked for all its
pictures at the same moment."""


def next_refresh(entry: LedgerEntry, now: datetime) -> datetime | None:
    """When the product of ``entry`` is due for a refresh; None: when a packet comes."""
    if not entry.exists:
        return None
    update = entry.update
    dates = [] if update.sale_price is None else [update.sale_from, update.sale_until]
    due = [date for date in dates if date is not None and date > now]
    if entry.picture_pending is not None and update.image_urls:
        retry = _retry(entry.key, entry.picture_pending)
        due += [] if retry is None else [max(retry, now)]
    return min(due, default=None)


def _retry(key: str, pending: PendingPicture) -> datetime | None:
    pause = REFUSED_PAUSE if pending.refused else PAUSES[min(pending.attempts, len(PAUSES)) - 1]
    pause = max(pause * (1 + JITTER * _spread(key)), timedelta(seconds=pending.retry_after_seconds))
    due = pending.last_try + pause
    return due if due - pending.since < GIVE_UP_AFTER else None


def _spread(key: str) -> float:
    """In 0..1, the same for a key in every process."""
    return hashlib.blake2b(key.encode(), digest_size=2).digest()[0] / 255
