"""Prediction with both languages left out, against scikit-learn's ridge on explicitly chosen rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lexigraft.core.errors import LexigraftError
from lexigraft.core.transfer.language_means import language_means, wilson
from lexigraft.core.transfer.pairs import PairTable
from lexigraft.core.transfer.prediction import area_under_curve, predict_gains

LANGUAGES = "abcdefg"


def table(gains: np.ndarray, features: dict[str, np.ndarray]) -> PairTable:
    """Every language with every other one, so that each is a donor and a target."""
    pairs = [(one, two) for one in LANGUAGES for two in LANGUAGES if one != two]
    return PairTable(tuple(p[0] for p in pairs), tuple(p[1] for p in pairs), gains, gains, features)


@pytest.fixture(scope="module")
def noisy() -> PairTable:
    draw = np.random.default_rng(3)
    x, z = draw.normal(size=(2, 42))
    return table(x - 0.5 * z + draw.normal(size=42), {"x": x, "z": z})


def test_each_pair_is_predicted_from_the_pairs_without_its_languages(noisy: PairTable) -> None:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    columns = np.stack(list(noisy.features.values()), axis=1)
    expected, means = [], []
    for donor, target, row in zip(noisy.donors, noisy.targets, columns, strict=True):
        train = [not {donor, target} & {a, b} for a, b in zip(noisy.donors, noisy.targets, strict=True)]
        assert sum(train) == 5 * 4
        fitted = make_pipeline(StandardScaler(), Ridge(alpha=1.0)).fit(columns[train], noisy.outcome[train])
        expected.append(fitted.predict([row])[0])
        means.append(noisy.outcome[train].mean())
    found = predict_gains(noisy, resamples=50)
    assert found.predicted == pytest.approx(np.array(expected))
    y = noisy.outcome
    spread = ((y - y.mean()) ** 2).sum()
    assert found.r2 == pytest.approx(1 - ((y - expected) ** 2).sum() / spread)
    assert found.r2_of_mean == pytest.approx(1 - ((y - means) ** 2).sum() / spread)
    assert found.r2_of_mean < 0 < found.r2
    assert found.error_of_mean == pytest.approx(np.sqrt(((y - means) ** 2).mean()))


def test_gains_that_follow_a_feature_are_foreseen() -> None:
    x = np.linspace(-1, 1, 42)[np.random.default_rng(0).permutation(42)]
    found = predict_gains(table(3 * x, {"x": x}), penalty=1e-9, resamples=50)
    assert found.r2 == pytest.approx(1)
    assert found.spearman == pytest.approx(1)
    assert found.improvement is not None
    assert (found.improvement.auc, found.improvement.balanced_accuracy, found.improvement.base_rate) == (1, 1, 0.5)
    assert found.verdict.startswith("The predictor explains 100%")


def test_what_belongs_to_single_languages_cannot_be_foreseen() -> None:
    """The trap of the published analysis: fitted and scored on the same pairs, one column a donor explains it all."""
    draw = np.random.default_rng(1)
    of_donor = dict(zip(LANGUAGES, draw.normal(size=7), strict=True))
    made = table(np.zeros(42), {})
    gains = np.array([of_donor[donor] for donor in made.donors])
    columns = {name: np.array([float(donor == name) for donor in made.donors]) for name in LANGUAGES}
    assert np.linalg.lstsq(np.stack(list(columns.values()), axis=1), gains, rcond=None)[1].sum() < 1e-20
    found = predict_gains(replace(made, outcome=gains, gains=gains, features=columns), resamples=50)
    assert found.r2 == pytest.approx(found.r2_of_mean)
    assert found.verdict == "The predictor is no better than the mean baseline on languages that it has not seen."


def test_noise_is_not_foreseen_and_the_interval_says_so() -> None:
    draw = np.random.default_rng(4)
    found = predict_gains(table(draw.normal(size=42), {"x": draw.normal(size=42)}))
    assert found.r2 < 0.1
    assert found.spearman_interval is not None
    assert found.spearman_interval.low < 0


def test_a_rare_gain_has_a_high_accuracy_that_means_nothing(noisy: PairTable) -> None:
    gains = noisy.outcome - np.sort(noisy.outcome)[-2]  # one pair of 42 is above
    improvement = predict_gains(replace(noisy, gains=gains), resamples=50).improvement
    assert improvement is not None
    assert improvement.base_rate == pytest.approx(1 / 42)
    assert improvement.majority_accuracy == pytest.approx(41 / 42)
    assert improvement.balanced_accuracy is not None
    assert improvement.balanced_accuracy < 0.6


def test_without_zero_shot_figures_nothing_is_said_about_gaining(noisy: PairTable) -> None:
    assert predict_gains(replace(noisy, gains=None), resamples=50).improvement is None
    always = predict_gains(replace(noisy, gains=noisy.outcome + 100), resamples=50).improvement
    assert always is not None
    assert (always.base_rate, always.auc, always.balanced_accuracy) == (1, None, None)


def test_pairs_without_a_feature_are_left_out_and_counted(noisy: PairTable) -> None:
    unknown = {**noisy.features, "x": np.where(np.arange(42) < 5, np.nan, noisy.features["x"])}
    found = predict_gains(replace(noisy, features=unknown), resamples=50)
    assert (found.pairs, found.left_out) == (37, 5)


def test_a_constant_feature_says_nothing(noisy: PairTable) -> None:
    with_constant = replace(noisy, features={**noisy.features, "one": np.ones(42)})
    assert predict_gains(with_constant, resamples=50).predicted == pytest.approx(
        predict_gains(noisy, resamples=50).predicted
    )


def test_fewer_pairs_than_features_are_refused(noisy: PairTable) -> None:
    many = {f"x{n}": np.random.default_rng(n).normal(size=42) for n in range(41)}
    with pytest.raises(LexigraftError, match="fewer pairs than features: 42 pairs know all features; 41 features"):
        predict_gains(replace(noisy, features=many))
    some = dict(list(many.items())[:19])
    with pytest.raises(LexigraftError, match="20 pairs are left without a and b; 19 features"):
        predict_gains(replace(noisy, features=some))
    with pytest.raises(LexigraftError, match="nothing to predict from"):
        predict_gains(replace(noisy, features={}))


def test_area_under_the_curve_by_counting_pairs() -> None:
    # Positives 2 and 4 against negatives 1 and 3: 2 > 1, 2 < 3, 4 > 1, 4 > 3.
    assert area_under_curve(np.array([1.0, 2, 3, 4]), np.array([False, True, False, True])) == 3 / 4
    assert area_under_curve(np.array([1.0, 1]), np.array([False, True])) == 0.5


def test_means_by_language_by_hand() -> None:
    gains = np.array([1.0, 2, 3, -1, -2, 0])
    made = PairTable(tuple("aaabbb"), tuple("xyzxyz"), gains, gains)
    best, other = language_means(made, "donor")
    assert (best.language, best.gain.mean, other.gain.mean) == ("a", 2, -1)
    assert best.gain.half_width == pytest.approx(4.302652729911275 / np.sqrt(3))  # t of 2 degrees of freedom, s = 1
    assert best.improved is not None
    assert (best.improved.count, best.improved.of) == (3, 3)
    # Wilson with k = n: n / (n + z²) = 3 / 6.8415 to 1.
    assert best.improved.interval == pytest.approx((3 / (3 + 1.959964**2), 1), abs=1e-5)
    assert [one.language for one in language_means(made, "target")] == ["z", "x", "y"]
    assert language_means(replace(made, gains=None, lower_is_better=True), "donor")[0].language == "b"


def test_wilson_of_eight_in_ten() -> None:
    # (0.8 + z²/20 ± z √(0.016 + z²/400)) / (1 + z²/10) with z² = 3.84146
    assert wilson(8, 10).interval == pytest.approx((0.49016, 0.94332), abs=1e-5)
