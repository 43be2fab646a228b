"""The second world as a whole: a function of a seed and two sizes."""

from __future__ import annotations

import random
from dataclasses import dataclass

from PIL import Image

from sandbox.second_world import dressing, photograph
from sandbox.second_world.catalogue import Product, stock
from sandbox.second_world.outfits import PlannedLook, Wardrobes, plan_look


@dataclass(frozen=True, slots=True)
class SecondWorld:
    """Products and looks; pictures are drawn when they are asked for."""

    seed: int
    products: tuple[Product, ...]
    looks: tuple[PlannedLook, ...]

    def picture_of(self, product: Product) -> Image.Image:
        """The product's photograph, RGB."""
        return photograph.draw_product(product.style, product.picture_seed)

    def drawn(self, look: PlannedLook) -> dressing.DrawnLook:
        """The look's picture and where its layers are."""
        rng = random.Random(f"look/{look.picture_seed}")
        person = dressing.sample_person(rng, look.gender == "female", look.pose)
        styles = {department: product.style for department, product in look.worn.items()}
        return dressing.draw_look(styles, person, rng)


def second_world(seed: int, products: int, looks: int) -> SecondWorld:
    """The world of ``seed``. The catalog does not depend on the number of looks."""
    sold = tuple(stock(random.Random(f"catalog/{seed}"), products))
    wardrobes = Wardrobes(sold)
    rng = random.Random(f"looks/{seed}")
    planned = tuple(plan_look(f"second-{number:05d}", wardrobes, rng) for number in range(looks))
    return SecondWorld(seed, sold, planned)
