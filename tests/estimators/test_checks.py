"""scikit-learn's own checks of every estimator."""

from __future__ import annotations

import pytest
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

import npvae.sklearn as ns

ESTIMATORS = [
    ns.VAE(hidden=(8,), max_iter=5),
    ns.VAEOutlierDetector(max_iter=5),
    ns.VAEImputer(hidden=(8,), max_iter=5),
    ns.VAEClassifier(hidden=(16,), max_iter=60, lr=5e-3, batch_size=16),
]
LEFT_OUT = (
    "check_dataframe_column_names_consistency",
    "check_estimators_partial_fit_n_features",
    "check_get_feature_names_out_error",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_n_features_in_after_fitting",
    "check_param_validation",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
)
"""Checks that `check_estimator` leaves out, and runs on scikit-learn's own estimators."""


def expected(estimator):
    """Batches and noise are drawn for the rows that there are; SGD and forests fail it as well."""
    why = "a row of weight 2 is visited once, with one noise; two rows are visited twice"
    weighted = not isinstance(estimator, ns.VAEImputer)
    return {"check_sample_weight_equivalence_on_dense_data": why} if weighted else {}


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected)
def test_every_check_passes_but_the_one_of_weights(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names")
@pytest.mark.parametrize("name", LEFT_OUT)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_checks_that_are_left_out_pass_too(estimator, name):
    if ("transform" in name or "names_out" in name) and not hasattr(estimator, "transform"):
        pytest.skip("it is no transformer")
    getattr(estimator_checks, name)(type(estimator).__name__, estimator)
