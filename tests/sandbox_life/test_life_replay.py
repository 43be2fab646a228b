from collections.abc import Sequence
from typing import Any, Literal, cast

from hypothesis import given
from hypothesis import strategies as st

from sandbox.life.payload import Group
from sandbox.life.replay import replay
from sandbox.life.timeline import Packet

CONTENTS = {"a.jpg": "a", "a-cdn.jpg": "a", "b.jpg": "b"}
Kind = Literal["upsert", "patch", "delete", "broken"]


def _packet(moment: int, kind: Kind, **stated: Any) -> Packet:
    whole = {"title": "", "price": (10, 10), "stock": 1, "pictures": ("a.jpg",)}
    groups = whole | stated if kind == "upsert" else stated
    return Packet(float(moment), "shop:1", b"", moment, kind, cast(dict[Group, Any], groups))


def _fates(*packets: Packet) -> list[str]:
    return list(replay(packets, CONTENTS).fates)


def test_the_rows_of_the_design_s_table() -> None:
    assert _fates(
        _packet(1, "upsert"),
        _packet(1, "upsert"),
        _packet(2, "upsert", pictures=("a-cdn.jpg",)),
        _packet(3, "upsert", pictures=("b.jpg",)),
        _packet(4, "patch", price=(8, 10)),
        _packet(5, "patch", price=(8, 10)),
        _packet(6, "delete"),
        _packet(5, "upsert"),
        _packet(7, "upsert"),
        _packet(8, "broken"),
    ) == [
        "created", "stale", "updated", "re-embedded", "updated", "unchanged", "deleted", "stale",
        "created", "dead",
    ]  # fmt: skip


def test_a_patch_waits_for_its_upsert() -> None:
    outcome = replay([_packet(5, "patch", stock=3), _packet(4, "upsert")], CONTENTS)
    assert outcome.fates == ["held", "created"]
    assert outcome.states["shop:1"].facts()["stock"] == 3


def test_an_older_upsert_leaves_newer_patches_alone() -> None:
    outcome = replay(
        [_packet(1, "upsert"), _packet(3, "patch", stock=7), _packet(2, "upsert", title="new")],
        CONTENTS,
    )
    facts = outcome.states["shop:1"].facts()
    assert (facts["title"], facts["stock"]) == ("new", 7)


def test_embeddings_are_for_new_products_and_new_pictures() -> None:
    outcome = replay(
        [_packet(1, "upsert"), _packet(2, "upsert", pictures=("b.jpg",)), _packet(3, "delete"),
         _packet(4, "upsert", pictures=("a-cdn.jpg",))],
        CONTENTS,
    )  # fmt: skip
    assert outcome.embedded == ["a", "b", "a"]


@st.composite
def _lives(draw: st.DrawFn) -> list[Packet]:
    kinds = draw(st.lists(st.sampled_from(("upsert", "patch", "delete")), max_size=8))
    packets = []
    for moment, kind in enumerate(kinds, start=1):
        stated: dict[str, Any] = {}
        if kind != "delete":
            stated["stock"] = draw(st.integers(0, 2))
        if kind == "upsert" or (kind == "patch" and draw(st.booleans())):
            stated["pictures"] = (draw(st.sampled_from(sorted(CONTENTS))),)
        packets.append(_packet(moment, kind, **stated))  # type: ignore[arg-type]
    return packets


@given(_lives().flatmap(lambda life: st.tuples(st.just(life), st.permutations([*life, *life[:2]]))))
def test_any_order_with_repetitions_ends_in_the_same_state(
    orders: tuple[Sequence[Packet], Sequence[Packet]],
) -> None:
    ends = [replay(packets, CONTENTS).states.get("shop:1") for packets in orders]
    assert (ends[0] is None) == (ends[1] is None)
    if ends[0] is not None and ends[1] is not None:
        assert ends[0].exists == ends[1].exists
        if ends[0].exists:
            assert ends[0].facts() == ends[1].facts()
