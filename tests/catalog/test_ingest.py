"""Files as runs of packets: what is sent, refused, repeated, deleted, and reported at the end."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from schemas.catalog import PacketKind
from schemas.errors import Misconfigured
from services.cli.ingest import parse_as_of
from tests.catalog.feed_shop import DATA, FeedShop, plain, write_tsv

HEADER = ("id", "title", "image_link", "price", "quantity")


def row(product_id: str, price: str = "10.00 USD", quantity: str = "3") -> tuple[str, ...]:
    return (product_id, "Red skirt", f"https://shop.example/{product_id}.jpg", price, quantity)


@pytest.fixture
def shop() -> FeedShop:
    return FeedShop(plain())


def feed(folder: Path, *rows: tuple[str, ...], name: str = "feed.tsv") -> Path:
    return write_tsv(folder / name, [HEADER, *rows])


async def test_what_happened_to_every_row_is_counted(tmp_path: Path, shop: FeedShop) -> None:
    report = await shop.ingest(
        feed(
            tmp_path,
            row("1"),
            row("2", price="soon"),
            row("", price="1 USD"),
            row("1"),
            row("1", price="11.00 USD"),
        )
    )
    assert (report.read, report.sent) == (5, 1)
    assert report.refused == {"invalid-price": 1, "missing-id": 1, "repeated-id": 1}
    assert [(r.place, r.first, r.same) for r in report.first_repeated] == [
        ("feed.tsv:5", "feed.tsv:2", True),
        ("feed.tsv:6", "feed.tsv:2", False),
    ]
    assert set(report.never_present) == {
        "description", "brand", "category_text", "colour_text", "size_texts", "url",
    }  # fmt: skip
    assert report.too_many_refused
    assert report.failed


async def test_few_refused_rows_are_no_failure(tmp_path: Path, shop: FeedShop) -> None:
    rows = [row(str(number)) for number in range(19)]
    report = await shop.ingest(feed(tmp_path, *rows, row("19", price="soon")))
    assert (report.sent, report.failed) == (19, False)


async def test_duplicates_are_reported_with_their_lines(shop: FeedShop) -> None:
    report = await shop.ingest(DATA / "csv_duplicate_ids.csv")
    assert [(r.place, r.key) for r in report.first_repeated] == [
        ("csv_duplicate_ids.csv:3", "plain:1.23E+12"),
        ("csv_duplicate_ids.csv:4", "plain:1.23E+12"),
    ]
    assert report.failed


async def test_a_file_that_breaks_is_reported_and_the_next_one_is_read(
    tmp_path: Path, shop: FeedShop
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text(
        '[{"id": "1", "title": "T", "image_link": "https://x/1.jpg", "price": "1 USD"},'
    )
    report = await shop.ingest(broken, feed(tmp_path, row("2")))
    assert await shop.living() == {"1", "2"}
    assert "broken.json" in report.broken[0]
    assert "1 rows before it were read" in report.broken[0]
    assert report.failed


@pytest.mark.parametrize("ending", ["tsv", "jsonl"])
async def test_rejects_are_mended_and_ingested_again(
    tmp_path: Path, shop: FeedShop, ending: str
) -> None:
    rejects = tmp_path / f"rejects.{ending}"
    await shop.ingest(
        feed(tmp_path, row("1"), row("2", price="soon"), row('3 "x', price="later")),
        rejects=rejects,
    )
    assert await shop.living() == {"1"}
    text = rejects.read_text()
    rejects.write_text(text.replace("soon", "12.00 USD").replace("later", "13.00 USD"))
    report = await shop.ingest(rejects)
    assert report.refused == {}
    assert await shop.living() == {"1", "2", '3 "x'}


async def test_rejects_keep_lines_that_are_no_rows(tmp_path: Path, shop: FeedShop) -> None:
    path = tmp_path / "feed.csv"
    path.write_text('id,title,image_link,price\n1,"Ski"rt,https://x/1.jpg,5.00 USD\n')
    rejects = tmp_path / "rejects.csv"
    await shop.ingest(path, rejects=rejects)
    assert rejects.read_text() == path.read_text()


async def test_rejects_in_a_declared_dialect(tmp_path: Path) -> None:
    shop = FeedShop(plain('encoding = "shift_jis"\ndelimiter = ";"\nheader_row = 3\nquote = ""'))
    path = tmp_path / "feed.csv"
    path.write_text(
        'shop\n\nid;title;image_link;price\n1;赤いスカート "32;https://x/1.jpg;x\n',
        encoding="shift_jis",
    )
    rejects = tmp_path / "rejects.csv"
    await shop.ingest(path, rejects=rejects)
    rejects.write_text(rejects.read_text("utf-8").replace(";x\n", ";9 USD\n"), "utf-8")
    await shop.ingest(rejects)
    assert (await shop.entry("1")).update.title == '赤いスカート "32'


async def test_a_rejects_file_needs_a_name_with_its_format(tmp_path: Path, shop: FeedShop) -> None:
    with pytest.raises(Misconfigured, match="jsonl"):
        await shop.ingest(feed(tmp_path, row("1")), rejects=tmp_path / "rejects.xlsx")


@pytest.mark.parametrize("said", ["2026-11-25", "2026-11-25 02:00", "yesterday", ""])
def test_a_time_without_offset_is_explained(said: str) -> None:
    with pytest.raises(Misconfigured, match=r"2026-11-25T02:00Z, or set feed\.time_zone"):
        parse_as_of(said, plain())
    if said.startswith("2026"):
        parsed = parse_as_of(said, plain('time_zone = "Asia/Tokyo"'))
        assert parsed is not None
        assert parsed.utcoffset() == timedelta(0)


class TestSnapshots:
    async def test_what_is_not_in_the_files_is_gone(self, tmp_path: Path, shop: FeedShop) -> None:
        everything = [row(str(number)) for number in range(20)]
        await shop.ingest(feed(tmp_path, *everything), snapshot=True)
        shop.tomorrow()
        report = await shop.ingest(feed(tmp_path, *everything[2:]), snapshot=True)
        assert (report.known, report.absent, report.failed) == (20, 2, False)
        assert await shop.living() == {str(number) for number in range(2, 20)}
        shop.tomorrow()
        await shop.ingest(feed(tmp_path, *everything), snapshot=True)
        assert len(await shop.living()) == 20, "what comes back lives again"

    async def test_more_than_a_share_needs_force_and_sends_nothing(
        self, tmp_path: Path, shop: FeedShop
    ) -> None:
        everything = [row(str(number)) for number in range(20)]
        await shop.ingest(feed(tmp_path, *everything), snapshot=True)
        shop.tomorrow()
        half = feed(tmp_path, row("0", price="99.00 USD"))
        report = await shop.ingest(half, snapshot=True)
        assert (report.sent, report.failed) == (0, True)
        assert "19 of 20 products are not in the snapshot" in (report.withheld or "")
        assert len(await shop.living()) == 20
        report = await shop.ingest(half, snapshot=True, force=True)
        assert (report.sent, report.failed) == (20, False)
        assert await shop.living() == {"0"}

    async def test_a_refused_row_is_present(self, tmp_path: Path, shop: FeedShop) -> None:
        everything = [row(str(number)) for number in range(40)]
        await shop.ingest(feed(tmp_path, *everything), snapshot=True)
        shop.tomorrow()
        everything[7] = row("7", price="soon")
        report = await shop.ingest(feed(tmp_path, *everything[:39]), snapshot=True)
        assert report.first_absent == ["39"]
        assert await shop.living() == {str(number) for number in range(39)}

    async def test_a_product_whose_row_cannot_be_read_is_present(
        self, tmp_path: Path, shop: FeedShop
    ) -> None:
        everything = [row(f"sku-{number}") for number in range(40)]
        await shop.ingest(feed(tmp_path, *everything), snapshot=True)
        shop.tomorrow()
        everything[7] = (*everything[7], "one", "cell", "too", "many")
        report = await shop.ingest(feed(tmp_path, *everything[:39]), snapshot=True)
        assert (report.refused, report.first_absent) == ({"broken-row": 1}, ["sku-39"])

    @pytest.mark.parametrize("trouble", ["broken", "refused"])
    async def test_without_certainty_nothing_is_deleted(
        self, tmp_path: Path, shop: FeedShop, trouble: str
    ) -> None:
        everything = [row(str(number)) for number in range(20)]
        await shop.ingest(feed(tmp_path, *everything), snapshot=True)
        shop.tomorrow()
        if trouble == "broken":
            path = tmp_path / "feed.json"
            path.write_text(
                '[{"id": "0", "title": "T", "image_link": "https://x/1.jpg", "price": "7 USD"},'
            )
        else:
            path = feed(tmp_path, row("0", price="7 USD"), row("1", price="soon"))
        report = await shop.ingest(path, snapshot=True, force=True)
        assert report.failed
        assert report.withheld is not None
        assert len(await shop.living()) == 20
        price = (await shop.entry("0")).update.price
        assert price is not None
        assert price.amount_minor == 700, "what could be read is true all the same"

    async def test_an_older_snapshot_deletes_and_overwrites_nothing_newer(
        self, tmp_path: Path, shop: FeedShop
    ) -> None:
        await shop.ingest(feed(tmp_path, row("1", price="5 USD"), row("2")), snapshot=True)
        shop.now -= timedelta(days=3)
        report = await shop.ingest(feed(tmp_path, row("1", price="9 USD")), snapshot=True)
        assert (report.absent, report.failed) == (0, False)
        assert await shop.living() == {"1", "2"}
        price = (await shop.entry("1")).update.price
        assert price is not None
        assert price.amount_minor == 500

    async def test_versions_of_the_vendors_own(self, tmp_path: Path) -> None:
        shop = FeedShop(plain('version = "updated"'))
        header = (*HEADER, "updated")
        rows = [(*row(str(number)), "7") for number in range(20)]
        path = tmp_path / "feed.tsv"
        await shop.ingest(write_tsv(path, [header, *rows]), snapshot=True)
        await shop.ingest(write_tsv(path, [header, *rows[1:]]), snapshot=True)
        assert "0" not in await shop.living()
        back = (*row("0"), "8")
        await shop.ingest(write_tsv(path, [header, back, *rows[1:]]), snapshot=True)
        assert "0" in await shop.living(), "a counter goes on where it was"


async def test_the_life_of_five_products_in_four_files(shop: FeedShop) -> None:
    """The files of four days: gone, sold out, cheaper with the old picture, back with a price."""
    await shop.ingest(DATA / "life_day1.tsv", snapshot=True)
    assert await shop.living() == {"A", "B", "C", "D", "E"}
    shop.tomorrow()

    refused = await shop.ingest(DATA / "life_day2.tsv", snapshot=True)
    assert refused.failed, "one of five products is a fifth of them"
    await shop.ingest(DATA / "life_day2.tsv", snapshot=True, force=True)
    assert "B" not in await shop.living()
    assert await shop.shop.index.get("plain:B") is None
    cheaper = await shop.entry("C")
    assert cheaper.update.price is not None
    assert cheaper.update.price.amount_minor == 1500
    assert (cheaper.indexed, cheaper.image_url) == (True, "file://PICTURES/ok2.jpg")
    shop.tomorrow()

    await shop.ingest(DATA / "life_day3.tsv", snapshot=True, force=True)
    sold_out = await shop.shop.index.get("plain:A")
    assert sold_out is not None
    assert not sold_out.attributes.in_stock, "although its new picture is missing"
    assert (await shop.entry("A")).update.stock == 0
    shop.tomorrow()

    await shop.ingest(DATA / "life_day4.tsv", snapshot=True, force=True)
    assert await shop.living() == {"E"}


async def test_a_patch_changes_only_what_its_cells_say(tmp_path: Path, shop: FeedShop) -> None:
    await shop.ingest(feed(tmp_path, row("1", price="10.00 USD", quantity="3")))
    shop.tomorrow()
    path = write_tsv(
        tmp_path / "stock.tsv", [("id", "quantity", "price"), ("1", "0", ""), ("2", "5", "")]
    )
    report = await shop.ingest(path, kind=PacketKind.PATCH)
    assert (report.sent, report.failed) == (2, False)
    update = (await shop.entry("1")).update
    assert update.price is not None
    assert (update.stock, update.price.amount_minor, update.title) == (0, 1000, "Red skirt")


async def test_a_list_of_ids_deletes(tmp_path: Path, shop: FeedShop) -> None:
    await shop.ingest(feed(tmp_path, row("1"), row("2")))
    shop.tomorrow()
    gone = write_tsv(tmp_path / "gone.tsv", [("id",), ("1",)])
    report = await shop.ingest(gone, kind=PacketKind.DELETE)
    assert await shop.living() == {"2"}
    assert report.never_present == (), "a list of ids needs no other column"


async def test_rejects_do_not_empty_the_file_that_is_read(tmp_path: Path, shop: FeedShop) -> None:
    rejects = tmp_path / "rejects.tsv"
    await shop.ingest(feed(tmp_path, row("1"), row("2", price="soon")), rejects=rejects)
    before = rejects.read_text()
    (tmp_path / "again.tsv").symlink_to(rejects)
    for name in ("rejects.tsv", "again.tsv"):
        with pytest.raises(Misconfigured, match="is to be read"):
            await shop.ingest(tmp_path / name, rejects=rejects)
    assert rejects.read_text() == before
