"""The gallery's pictures, copied into a folder next to the page; products as thumbnails."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from sandbox.life import LookTruth, ProductTruth, World

_THUMBNAIL_SIDE = 160
_QUALITY = 82


class GalleryPictures:
    """Copies each of the world's pictures next to the page at most once."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world = world
        self._folder = folder
        self._written: set[str] = set()

    def of_product(self, product: ProductTruth | None) -> str | None:
        """Return the thumbnail's address relative to the page; None without a product."""
        if product is None:
            return None
        return self._copy(self._world.pictures / product.picture_file, product.picture, True)

    def of_look(self, look: LookTruth) -> str:
        return self._copy(self._world.look_pictures / look.picture_file, look.look_id, False)

    def _copy(self, source: Path, name: str, small: bool) -> str:
        target = self._folder / f"{name}.jpg"
        if name not in self._written:
            self._written.add(name)
            with Image.open(source) as picture:
                if small:
                    picture.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
                picture.save(target, "JPEG", quality=_QUALITY)
        return f"{self._folder.name}/{target.name}"
