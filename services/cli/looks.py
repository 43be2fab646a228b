"""``looksync looks send``: send pictures as looks."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

import httpx
from PIL import Image
from pydantic import ValidationError
from rich.console import Console

from dataflows.wiring.topics import open_topic
from operators.images.files import own_picture
from schemas.base import encode
from schemas.errors import ImageRefused, Misconfigured, Rejected, Unavailable, list_problems
from schemas.looks import ImageReference, Look
from schemas.records import Record
from schemas.settings import Settings
from services.cli.console import as_text

PICTURES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif", ".bmp", ".tif", ".tiff"))
"""Names of files that a folder's pictures have."""

HEADROOM_BYTES = 64 * 1024
"""Of a record, for all but its picture."""

SHRUNK_SIDE = 2048
"""Pixels; models see less."""

API_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class LookContext:
    """For whom pictures are sent."""

    market: str | None
    gender: str | None
    user_id: str | None


def send_to_topic(
    pictures: Sequence[str], asked: LookContext, settings: Settings, console: Console
) -> int:
    """Send the looks to looks.generated, print their ids; 1 if a picture could not be sent."""
    topic = open_topic(settings.topics, settings.topics.looks)
    largest = settings.topics.kafka.max_record_bytes - HEADROOM_BYTES

    def send(look: Look) -> None:
        topic.append([Record(look.look_id, encode(look))])

    return _send_all(_looks(pictures, asked, settings, largest, console), send, console)


def send_to_api(
    pictures: Sequence[str],
    asked: LookContext,
    api: tuple[str, str | None],
    settings: Settings,
    console: Console,
) -> int:
    """Send the looks to an API, given by address and key; as :func:`send_to_topic`."""
    address, key = api
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    largest = settings.api.max_body_bytes - HEADROOM_BYTES
    with httpx.Client(base_url=address, headers=headers, timeout=API_SECONDS) as client:

        def send(look: Look) -> None:
            body = look.model_dump(mode="json", exclude={"schema_version", "created_at"})
            try:
                answer = client.post("/v1/looks", json=body)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise Unavailable(f"{address}: {error}") from error
            if answer.status_code != HTTPStatus.ACCEPTED:
                raise _refusal(answer, address)

        return _send_all(_looks(pictures, asked, settings, largest, console), send, console)


def _send_all(looks: Iterable[Look | None], send: Callable[[Look], None], console: Console) -> int:
    sent = failed = 0
    for look in looks:
        if look is None:
            failed += 1
            continue
        send(look)
        console.print(look.look_id, highlight=False)
        sent += 1
    console.print(f"{sent} of {sent + failed} looks sent", highlight=False)
    return 1 if failed or not sent else 0


def _looks(
    pictures: Sequence[str],
    asked: LookContext,
    settings: Settings,
    largest: int,
    console: Console,
) -> Iterator[Look | None]:
    """The looks; None for a picture that cannot be sent; the reason is printed."""
    for name in _expanded(pictures):
        try:
            image = own_picture(name, settings.images.max_bytes)
            if image.data is not None:
                image = ImageReference.model_construct(url=None, data=_fitting(image.data, largest))
            yield _look(image, asked)
        except ImageRefused as refused:
            console.print(as_text(f"{name}: not sent: {refused}"))
            yield None


def _expanded(pictures: Sequence[str]) -> Iterator[str]:
    """The pictures, those of folders in the order of their names. Raises Misconfigured for a folder
    without any."""
    for name in pictures:
        folder = Path(name)
        if "://" in name or not folder.is_dir():
            yield name
            continue
        inside = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
        if not inside:
            raise Misconfigured(f"{folder}: there is no picture in this folder")
        yield from map(str, inside)


def _look(image: ImageReference, asked: LookContext) -> Look:
    content = image.data or (image.url or "").encode()
    context = f"{asked.market}/{asked.gender}/{asked.user_id}"
    digest = hashlib.sha256(content + context.encode()).hexdigest()
    fields = {"market": asked.market, "gender": asked.gender, "user_id": asked.user_id}
    try:
        return Look.model_validate(
            {"look_id": digest[:32], "image": image, "created_at": datetime.now(UTC), **fields}
        )
    except ValidationError as error:
        raise Misconfigured(list_problems(error)) from error


def _fitting(picture: bytes, largest: int) -> bytes:
    """``picture``, or a smaller JPEG of it whose base64 has at most ``largest`` bytes."""
    if len(base64.b64encode(picture)) <= largest:
        return picture
    try:
        with Image.open(io.BytesIO(picture)) as opened:
            opened.draft("RGB", (SHRUNK_SIDE, SHRUNK_SIDE))
            shrunk = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageRefused(f"it cannot be made small enough to send: {error}") from error
    shrunk.thumbnail((SHRUNK_SIDE, SHRUNK_SIDE), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    shrunk.save(out, "JPEG", quality=90)
    if len(base64.b64encode(out.getvalue())) > largest:
        raise ImageRefused(f"it does not fit in a record of {largest:,} bytes", reason="too-large")
    return out.getvalue()


def _refusal(answer: httpx.Response, address: str) -> Rejected | Misconfigured | Unavailable:
    try:
        problem = answer.json()
        reason = f"{problem['code']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        reason = f"status {answer.status_code}"
    message = f"{quote(address, safe=':/')} refuses the look: {reason}"
    if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return Misconfigured(message)
    return Unavailable(message) if answer.is_server_error else Rejected(message)
