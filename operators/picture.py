"""A decoded picture. Apart from the ports, because decoding processes load nothing else of them."""

from __future__ import annotations

from dataclasses import dataclass

from PIL.Image import Image

REDUCED_SIDE = 384
"""Pixels. A reduced picture keeps at least these on its shorter side. Enough for encoders of up to
384 pixels and for thumbnails; a constant, because hashes depend on it: to change it is to make a
third version of hashes (docs/decisions/172)."""

REDUCED_HASH = "2:"
"""Begins the hash of a reduced picture. Hashes of whole ones, which all were before, have only
digits: what is stored stays valid."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """In which size a picture is wanted, and which hashes are known of it."""

    reduced: bool = False
    """True: a half, a quarter or an eighth of each side, whatever leaves REDUCED_SIDE; for
    pictures that only the encoder and thumbnails see. False: whole, up to images.max_side."""
    known: tuple[str | None, ...] = ()
    """Hashes of either version, to be compared by :meth:`Picture.has_hash`."""

    @property
    def both_hashes(self) -> bool:
        """Whether a known hash is of the other version, which costs another decoding."""
        return any(
            known is not None and known.startswith(REDUCED_HASH) != self.reduced
            for known in self.known
        )


WHOLE = Wanted()


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture: sRGB, upright, without transparency."""

    image: Image
    pixel_hash: str
    """Hash of size and decoded pixels; of a whole picture independent of the file format."""
    blank: bool = False
    """It has one colour all over: a placeholder or a spacer."""
    other_hash: str | None = None
    """Of the same picture whole instead of reduced, or the reverse; None: it was not wanted."""

    def has_hash(self, known: str | None) -> bool:
        """Whether ``known``, one of Wanted.known, is of these pixels."""
        return known is not None and known in (self.pixel_hash, self.other_hash)
