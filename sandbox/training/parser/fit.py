"""Fit how probable a layer is that the parser sees, and a dress or two pieces.

`python -m sandbox.training.parser.fit` writes `calibration.json` next to the weights. The looks are
seen as drawn, in warm light and by another hand, so that the probabilities hold there, too; and
down to the knees, as every drawn look wears shoes.
"""

import argparse
import asyncio
from pathlib import Path

from operators.matching.calibration import FILE_NAME, LayerCalibration
from operators.matching.logistic import fit_logistic
from operators.matching.parsed_layers import ParsedLayers
from operators.matching.patch_segmenter import ONE_PIECE
from operators.models.transformers_parser import TransformersParser
from sandbox.training.layer_fit import draw_looks, upper_part, whole
from sandbox.training.other_hands import as_by_pencil, as_drawn, in_warm_light
from schemas.settings import ParserSettings

SEED = 104
"""Evaluations use seeds below 100 or above 1000."""


async def fit(folder: Path, looks: int) -> LayerCalibration:
    """Fit on ``looks`` drawn looks."""
    parser = TransformersParser(ParserSettings(model=str(folder)))
    parsed_layers = ParsedLayers(parser, LayerCalibration())
    presence: list[dict[str, float]] = []
    worn: list[bool] = []
    ratios: list[dict[str, float]] = []
    dresses: list[bool] = []
    for look in draw_looks(SEED, looks):
        for view in (whole(look), upper_part(look)):
            for hand in (as_drawn, in_warm_light, as_by_pencil):
                parsed = await parsed_layers.parse(hand(view.picture))
                for department in parsed.regions:
                    if department.value not in view.unclear:
                        presence.append(parsed.features(department))
                        worn.append(department.value in view.worn)
                if ONE_PIECE.value not in view.unclear:
                    ratios.append({"log_ratio": parsed.log_ratio})
                    dresses.append(ONE_PIECE.value in view.worn)
    await parser.close()
    return LayerCalibration(
        presence=fit_logistic(presence, worn), one_piece=fit_logistic(ratios, dresses)
    )


def main() -> None:
    """Fit and write the calibration."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--folder", type=Path, default=Path("sandbox/weights/parser"))
    parser.add_argument("--looks", type=int, default=200)
    asked = parser.parse_args()
    calibration = asyncio.run(fit(asked.folder, asked.looks))
    out = asked.folder / FILE_NAME
    out.write_text(calibration.model_dump_json(indent=1) + "\n", encoding="utf-8")
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
