"""Examples for the OpenAPI document: instances of the models, so none can drift from its schema."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from pydantic import BaseModel

from schemas.api import (
    Accepted,
    InteractionBatch,
    Liveness,
    LookPage,
    LookStatus,
    Meta,
    NewLook,
    OfferedProduct,
    PreviewRequest,
    ProductPage,
    Readiness,
)
from schemas.attributes import Attribute, Department, Gender, StandardAttributes
from schemas.catalog import Product, ProductUpdate
from schemas.errors import DeadlineExceeded, ImageRefused, Unavailable
from schemas.ids import index_id, matched_event_id
from schemas.interactions import Interaction
from schemas.looks import (
    ImageReference,
    LayerMatch,
    LookMatches,
    MatchedProduct,
    Preferences,
    Region,
)
from schemas.money import Money
from schemas.webhooks import (
    Attempt,
    Delivery,
    DeliveryPage,
    NewWebhook,
    Webhook,
    WebhookList,
    WebhookSecret,
)
from services.api.problems import problem_details, problem_of

LOOK = "look-00019"
MOMENT = datetime(2026, 11, 29, 9, 30, tzinfo=UTC)
PRICE = Money(amount_minor=8099, currency="USD")
MODELS = {"encoder": "clip-0eefee967704", "calibration": "shipped"}
GENERATION = "clip-0eefee967704@8dc264b9"
TOPICS = {"looks.matched": True, "catalog.changes": True}
PICTURE = ImageReference(url="https://looks.example/look-00019.jpg")
DRAWN = ImageReference(
    data=b"iVBORw0KGgoAAAANSUhEUgAAABAAAAAYAQMAAADJbu9PAAAABlBMVEX///8UHloREl/nAAAAFElEQVR42mNgwAH4PzAxMOBHyAAAML0BFiQyBjIAAAAASUVORK5CYII="
)
"""A dress, 16 x 24 pixels."""
PREFERENCES = Preferences(
    excluded_brands=("Devkala",), max_price=Money(amount_minor=15_000, currency="USD")
)

PRODUCT = Product(
    key="northfold:N000493-1",
    vendor="northfold",
    product_id="N000493-1",
    version=1768242110138000,
    update=ProductUpdate(
        title="Harrow Peak Navy Striped Midi Sundress",
        description="Machine washable. Imported.",
        brand="Harrow Peak",
        category_text="Clothing > Dresses > Sundresses",
        gender_text="Women",
        colour_text="Navy/Pink",
        size_texts=("4",),
        size_system="US",
        style_id="N000493",
        url="https://northfold.example/N000493-1",
        image_urls=("https://northfold.example/N000493-1.jpg",),
        price=PRICE,
        list_price=Money(amount_minor=10_123, currency="USD"),
        stock=5,
        market="US",
        language="en",
    ),
    attributes=StandardAttributes(
        department=Attribute(value="dress", source="vendor"),
        category=Attribute(value="sundress", source="vendor"),
        google_category_id=2271,
        gender=Attribute(value="female", source="vendor"),
        colour=Attribute(value="navy", source="rule"),
        pattern=Attribute(value="striped", source="model", confidence=0.93),
        sizes=("US:4",),
    ),
    price=PRICE,
    image_hash="2:5600188fe0ba9f90b4012518839df2ea",
)

MATCHED = LookMatches(
    event_id=matched_event_id(LOOK),
    look_id=LOOK,
    user_id="user-809",
    market="US",
    gender=Gender.FEMALE,
    preferences=PREFERENCES,
    person=Region(x0=0.14, y0=0.08, x1=0.86, y1=0.8),
    layers=(
        LayerMatch(
            layer=Department.DRESS,
            query="navy striped midi sundress with pink stripes",
            region=Region(x0=0.28, y0=0.34, x1=0.73, y1=0.75),
            products=(
                MatchedProduct(
                    rank=1,
                    score=1.156,
                    similarity=0.91,
                    outcome="exact",
                    same_item=0.978,
                    same_kind=0.994,
                    product=PRODUCT,
                ),
            ),
            outcome="exact",
            folded=1,
            confidence=0.978,
            kind_confidence=0.994,
        ),
        LayerMatch(
            layer=Department.HEADWEAR,
            query="straw sun hat",
            region=Region(x0=0.4, y0=0.08, x1=0.62, y1=0.17),
            outcome="none",
            abstained="below-threshold",
            confidence=0.02,
            kind_confidence=0.11,
        ),
    ),
    models=MODELS,
    index_generation=GENERATION,
    timings_ms={"fetch": 21.0, "describe": 240.5, "retrieve": 18.2, "rerank": 96.4},
    matched_at=MOMENT,
)
REFUSED = LookMatches(
    event_id=matched_event_id("look-00020"),
    look_id="look-00020",
    refused="no-garment-found",
    refused_because="no garment was found in the picture",
    models=MODELS,
    index_generation=GENERATION,
    timings_ms={"fetch": 19.0, "describe": 180.0},
    matched_at=MOMENT,
)

OFFERED = OfferedProduct(product=PRODUCT, in_stock=True, link="/r/k3JxZ0", similarity=None)
FOUND = ProductPage(products=[OFFERED.model_copy(update={"similarity": 0.87})], next="1")

HOOK = Webhook(
    id="wh_5f0c7a2d91b3e468",
    url="https://app.example/hooks/looksync",
    kinds=("match", "change"),
    description="The app's feed",
    created_at=MOMENT,
)
DELIVERY = Delivery(
    id="msg_b9d1c5f6a7e84c20",
    webhook=HOOK.id,
    event_id=str(MATCHED.event_id),
    kind="match",
    state="pending",
    attempts=[Attempt(at=MOMENT, status=503, error=None, seconds=0.31)],
    next_attempt_at=MOMENT + timedelta(seconds=5),
)

BODIES: dict[str, BaseModel] = {
    "new-look": NewLook(
        look_id=LOOK,
        image=PICTURE,
        user_id="user-809",
        market="US",
        gender=Gender.FEMALE,
        preferences=PREFERENCES,
    ),
    "preview": PreviewRequest(
        image=DRAWN,
        market="US",
        region=Region(x0=0.1, y0=0.1, x1=0.9, y1=0.6),
        deadline_seconds=2.0,
    ),
    "look-pending": LookStatus(look_id=LOOK, status="pending", matches=f"/v1/looks/{LOOK}/matches"),
    "look-matched": MATCHED,
    "look-refused": REFUSED,
    "looks": LookPage(looks=[REFUSED, MATCHED], next="MTc2ODI0MjExMC9sb29rLTAwMDE5"),
    "product": OFFERED,
    "products": FOUND,
    "interactions": InteractionBatch(
        events=(
            Interaction(
                event_id=index_id("click-1"),
                kind="click",
                product_key=PRODUCT.key,
                user_id="user-809",
                look_id=LOOK,
                layer=Department.DRESS,
                market="US",
                at=MOMENT,
            ),
        )
    ),
    "accepted": Accepted(accepted=1),
    "new-webhook": NewWebhook(url=HOOK.url, kinds=HOOK.kinds, description=HOOK.description),
    "webhook": HOOK,
    "webhook-secret": WebhookSecret(
        **HOOK.model_dump(), secret="whsec_c2VjcmV0IG9mIHRoZSBleGFtcGxlISE="
    ),
    "webhooks": WebhookList(webhooks=[HOOK]),
    "delivery": DELIVERY,
    "deliveries": DeliveryPage(deliveries=[DELIVERY]),
    "alive": Liveness(),
    "ready": Readiness(ready=True, topics=TOPICS),
    "not-ready": Readiness(ready=False, topics={**TOPICS, "catalog.changes": False}),
    "meta": Meta(
        models=MODELS,
        calibrated=True,
        index_generation=GENERATION,
        products=2000,
        time=MOMENT,
    ),
}
"""Name -> an example of each model that a request or an answer has."""

PROBLEMS = {
    one.code: one
    for one in (
        problem_details(
            HTTPStatus.UNAUTHORIZED, "unauthorized", "send a valid key as Authorization: Bearer KEY"
        ),
        problem_details(HTTPStatus.FORBIDDEN, "forbidden", "the key app lacks the scope write"),
        problem_details(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too-many-requests",
            "app may send 600 requests a minute",
        ),
        problem_details(HTTPStatus.NOT_FOUND, "not-found", f"there is no look {LOOK}"),
        problem_details(HTTPStatus.NOT_FOUND, "pending", "the look is not matched yet"),
        problem_details(HTTPStatus.GONE, "gone", f"the product {PRODUCT.key} is no longer sold"),
        problem_details(
            HTTPStatus.CONFLICT,
            "another-look",
            "another look was sent with this Idempotency-Key or look_id",
        ),
        problem_details(HTTPStatus.CONFLICT, "settled", "the delivery is failed"),
        problem_details(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "too-large",
            "the body has more than 35,000,000 bytes (api.max_body_bytes)",
        ),
        problem_details(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "send application/json or multipart/form-data",
        ),
        problem_details(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid-request",
            "body.market: String should match pattern '^[A-Z]{2}$'",
            [{"field": "body.market", "message": "String should match pattern '^[A-Z]{2}$'"}],
        ),
        problem_details(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-cursor", "this is no cursor of ours"
        ),
        problem_of(ImageRefused("not a picture file; send JPEG or PNG", reason="not-an-image")),
        problem_of(ImageRefused("the URL contains credentials", reason="credentials")),
        problem_details(
            HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", "too many pictures are being matched"
        ),
        problem_of(DeadlineExceeded("waiting took longer than its budget", reason="deadline")),
        problem_of(Unavailable("Redis does not answer", reason="redis")),
        problem_details(HTTPStatus.INTERNAL_SERVER_ERROR, "unexpected", "an error of ours; logged"),
    )
}
"""Reason code -> a problem that has it."""
