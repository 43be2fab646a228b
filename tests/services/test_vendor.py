"""How commands find a vendor's mapping, and the message when they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from operators.catalog.mapping import SHIPPED
from schemas.errors import Misconfigured
from schemas.settings import Settings, load_settings
from services.cli.vendor import choose_mapping
from tests.catalog.small_shop import MAPPING
from tests.services.command_line import looksync


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "elsewhere" / "our shop.mapping"
    file.parent.mkdir()
    file.write_text(MAPPING)
    return file


def settings(*mappings: Path) -> Settings:
    return load_settings(catalog={"mappings": mappings or None})


def test_a_name_is_a_vendors() -> None:
    chosen = choose_mapping("zari", settings())
    assert (chosen.mapping.vendor, chosen.flow_has, chosen.file) == ("zari", "this", None)


def test_a_name_is_that_of_a_vendor_in_the_settings(shop: Path) -> None:
    assert choose_mapping("shop", settings(shop)).flow_has == "this"


@pytest.mark.parametrize("how", ["absolute", "relative", "home"])
def test_a_file_is_taken_from_anywhere(
    shop: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.chdir(shop.parent)
    monkeypatch.setenv("HOME", str(shop.parent))
    given = {"absolute": str(shop), "relative": shop.name, "home": f"~/{shop.name}"}[how]
    chosen = choose_mapping(given, settings())
    assert (chosen.mapping.vendor, chosen.flow_has, chosen.file) == ("shop", "none", shop)


def test_the_flow_may_have_the_file_or_another(shop: Path, tmp_path: Path) -> None:
    same = tmp_path / "same.toml"
    same.write_text(f"# as agreed with them in May\n{MAPPING}")
    assert choose_mapping(str(shop), settings(same)).flow_has == "this"
    same.write_text(MAPPING.replace('title = "', 'title = "other_'))
    assert choose_mapping(str(shop), settings(same)).flow_has == "another"


def test_a_vendors_name_wins_over_a_file_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "zari").write_text("no mapping")
    assert choose_mapping("zari", settings()).mapping.vendor == "zari"


@pytest.mark.parametrize(
    ("given", "output"),
    [
        ("zarri", ["no file: {cwd}/zarri", "did you mean zari?", "kisetsu", "northfold"]),
        ("gone/zari.toml", ["no file: {cwd}/gone/zari.toml", "did you mean zari?"]),
        (".", ["a folder, no file: {cwd}"]),
        ("nobody", ["catalog.mappings (not set)"]),
    ],
)
def test_what_was_tried_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, output: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Misconfigured) as error:
        choose_mapping(given, settings())
    assert repr(given) in str(error.value)
    for part in output:
        assert part.format(cwd=tmp_path) in str(error.value)


def test_an_invalid_mapping_file_is_named(shop: Path) -> None:
    shop.write_text(MAPPING.replace("vendor =", "vender ="))
    with pytest.raises(Misconfigured, match=r"our shop\.mapping: vend[eo]r"):
        choose_mapping(str(shop), settings())


def test_ingest_says_when_the_flow_maps_otherwise(tmp_path: Path) -> None:
    zari = (SHIPPED / "zari.toml").read_text().replace('market = "IN"', 'market = "GB"')
    (tmp_path / "mine.toml").write_text(zari)
    (tmp_path / "a.csv").write_text("sku,item_name,daam,photo\nA,Kurti,5,https://x/1.jpg\n")
    ended = looksync("ingest", "a.csv", "--vendor", "mine.toml", cwd=tmp_path)
    assert ended.returncode == 0
    assert f"by another mapping than {tmp_path / 'mine.toml'}" in ended.stderr
    (tmp_path / "looksync.toml").write_text('[catalog]\nmappings = ["mine.toml"]\n')
    ended = looksync("ingest", "a.csv", "--vendor", "mine.toml", cwd=tmp_path)
    assert ended.stderr == ""
