"""Reading and fitting calibrations."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from operators.matching.calibration import FILE_NAME, Calibration, Logistic, Origin
from operators.matching.logistic import fit_logistic
from schemas.attributes import Department
from schemas.errors import Misconfigured


def test_an_encoder_without_a_file_has_the_defaults(tmp_path: Path) -> None:
    assert Calibration.of_encoder(f"local-dir:{tmp_path}") == Calibration()
    assert Calibration.of_encoder("ViT-B-32/openai") == Calibration()


def test_a_file_next_to_the_weights_is_read(tmp_path: Path) -> None:
    written = Calibration(patch_scale=7, same_item=Logistic(bias=1, weights={"region": 2}))
    (tmp_path / FILE_NAME).write_text(written.model_dump_json())
    assert Calibration.of_encoder(f"local-dir:{tmp_path}") == written


def test_layers_the_model_describes_have_a_confidence_of_their_own() -> None:
    tagger, model = Logistic(bias=-1, weights={"text": 2}), Logistic(bias=-3, weights={"text": 4})
    fitted = Calibration(same_item=tagger, same_item_described=model)
    features = {"text": 0.5}
    assert fitted.confidence(features, by_model=False) == tagger.probability(features)
    assert fitted.confidence(features, by_model=True) == model.probability(features)


def test_a_file_without_it_has_one_confidence_for_both() -> None:
    tagger = Logistic(bias=-1, weights={"text": 2})
    older = Calibration(same_item=tagger)
    both = [older.confidence({"text": 0.7}, by_model=by_model) for by_model in (False, True)]
    assert both[0] == both[1] == tagger.probability({"text": 0.7})


@pytest.mark.parametrize("content", ["", "{", '{"patch_scale": -1}', '{"patchscale": 20}'])
def test_an_invalid_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE_NAME).write_text(content)
    with pytest.raises(Misconfigured, match=FILE_NAME):
        Calibration.of_encoder(f"local-dir:{tmp_path}")


def test_a_fit_recovers_the_coefficients_of_the_samples() -> None:
    rng = np.random.default_rng(0)
    samples = [{"a": float(a), "b": float(b)} for a, b in rng.standard_normal((4000, 2))]
    truth = Logistic(bias=-1.0, weights={"a": 2.0, "b": 0.0})
    labels = [bool(rng.random() < truth.probability(sample)) for sample in samples]
    fitted = fit_logistic(samples, labels)
    assert fitted.bias == pytest.approx(-1, abs=0.15)
    assert fitted.weights == pytest.approx({"a": 2, "b": 0}, abs=0.15)


def test_separable_samples_give_finite_weights() -> None:
    fitted = fit_logistic([{"a": 0.0}, {"a": 1.0}, {}], [False, True, False])
    assert fitted.probability({"a": 1.0}) > 0.5 > fitted.probability({"a": 0.0})
    assert fitted.probability({"a": 1e9}) <= 1.0


def test_samples_of_one_class_are_not_enough() -> None:
    with pytest.raises(ValueError, match="both"):
        fit_logistic([{"a": 0.0}], [True])


def test_a_probability_is_the_logistic_function_of_the_weighted_features() -> None:
    logistic = Logistic(bias=-1.0, weights={"a": 2.0, "b": -4.0})
    assert logistic.probability({"a": 0.5}) == pytest.approx(0.5)
    assert logistic.probability({"a": 1.0, "b": 0.25, "unknown": 9.0}) == pytest.approx(0.5)
    assert logistic.probability({}) == pytest.approx(1 / (1 + np.e))


@pytest.mark.parametrize("sign", [-1, 1])
def test_extreme_features_give_a_finite_probability(sign: int) -> None:
    probability = Logistic(bias=0.0, weights={"a": sign * 1e6}).probability({"a": 1e6})
    assert probability == pytest.approx((1 + sign) / 2, abs=1e-20)
    assert probability > 0


def test_without_a_fit_all_departments_and_labels_are_trusted() -> None:
    defaults = Calibration()
    assert defaults.labels is None
    assert defaults.departments == tuple(Department)
    assert defaults.same_item_described is None
    assert defaults.patch_scale == 100, "the scale of CLIP models"


def test_a_patch_scale_is_positive() -> None:
    with pytest.raises(ValidationError):
        Calibration(patch_scale=0)
    assert Calibration(patch_scale=0.1).patch_scale == 0.1


def test_a_folder_without_the_prefix_is_a_models_name(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("{")
    assert Calibration.of_encoder(str(tmp_path)) == Calibration()


@pytest.mark.parametrize("by_model", [False, True])
def test_a_describer_is_fitted_and_the_other_ones_fit_stays(by_model: bool) -> None:
    before = Calibration(
        same_item=Logistic(bias=1, weights={}),
        same_kind=Logistic(bias=2, weights={}),
        same_item_described=Logistic(bias=3, weights={}),
        same_kind_described=Logistic(bias=4, weights={}),
        origin=Origin(source="catalog"),
    )
    item, kind = Logistic(bias=-1, weights={}), Logistic(bias=0, weights={})
    after = before.refitted(item, kind, Origin(source="judged"), by_model=by_model)
    assert after.source(by_model=by_model) == "judged"
    assert after.confidence({}, by_model=by_model) == item.probability({})
    assert after.kind_confidence({}, by_model=by_model) == kind.probability({})
    other = not by_model
    assert after.source(by_model=other) == before.source(by_model=other)
    assert after.confidence({}, by_model=other) == before.confidence({}, by_model=other)
    assert after.kind_confidence({}, by_model=other) == before.kind_confidence({}, by_model=other)


def test_a_fit_for_both_describers_has_one_origin() -> None:
    fitted = Calibration(
        same_item=Logistic(bias=1, weights={}), origin=Origin(source="catalog", pictures=3)
    )
    assert fitted.source(by_model=True) == "catalog"
    assert str(fitted.origin_in_force(by_model=True)) == "the catalog"
    assert Calibration().source(by_model=True) == "uncalibrated"
