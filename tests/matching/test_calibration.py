"""Calibrations: how they are read, and how they are fitted."""

from pathlib import Path

import numpy as np
import pytest

from operators.matching.calibration import FILE_NAME, Calibration, Logistic
from sandbox.training.logistic import fit_logistic
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
    older = Calibration(same_item=Logistic(bias=-1, weights={"text": 2}))
    both = [older.confidence({"text": 0.7}, by_model=by_model) for by_model in (False, True)]
    assert both[0] == both[1] == older.same_item.probability({"text": 0.7})


@pytest.mark.parametrize("content", ["", "{", '{"patch_scale": -1}', '{"patchscale": 20}'])
def test_a_file_that_is_wrong_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE_NAME).write_text(content)
    with pytest.raises(Misconfigured, match=FILE_NAME):
        Calibration.of_encoder(f"local-dir:{tmp_path}")


def test_a_fit_finds_the_probabilities_that_made_the_samples() -> None:
    rng = np.random.default_rng(0)
    samples = [{"a": float(a), "b": float(b)} for a, b in rng.standard_normal((4000, 2))]
    truth = Logistic(bias=-1.0, weights={"a": 2.0, "b": 0.0})
    labels = [bool(rng.random() < truth.probability(sample)) for sample in samples]
    fitted = fit_logistic(samples, labels)
    assert fitted.bias == pytest.approx(-1, abs=0.15)
    assert fitted.weights == pytest.approx({"a": 2, "b": 0}, abs=0.15)


def test_samples_that_can_be_told_apart_give_finite_weights() -> None:
    fitted = fit_logistic([{"a": 0.0}, {"a": 1.0}, {}], [False, True, False])
    assert fitted.probability({"a": 1.0}) > 0.5 > fitted.probability({"a": 0.0})
    assert fitted.probability({"a": 1e9}) <= 1.0


def test_one_kind_of_sample_is_not_enough() -> None:
    with pytest.raises(ValueError, match="both"):
        fit_logistic([{"a": 0.0}], [True])
