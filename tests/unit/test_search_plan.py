"""How a search is to be done, as the core is told."""

import pytest

from asyncstore import InvalidArgumentError
from asyncstore.models import QuantizationSearchParams, SearchParams
from asyncstore.search_plan import SearchPlan


def test_what_is_said_is_in_the_plan():
    codes = QuantizationSearchParams(rescore=False, oversampling=2.5, early_stop=False)
    plan = SearchPlan.of(SearchParams(hnsw_ef=50, quantization=codes))
    assert plan == SearchPlan(oversampling=2.5, hnsw_ef=50, rescore=False, early_stop=False)


def test_the_same_parameters_are_checked_once():
    params = SearchParams(hnsw_ef=50)
    assert SearchPlan.of(params) is SearchPlan.of(params)


def test_other_parameters_of_equal_value_are_checked_by_themselves():
    assert SearchPlan.of(SearchParams(hnsw_ef=1)).hnsw_ef == 1
    wrong = True  # which equals 1
    for _ in range(2):
        with pytest.raises(InvalidArgumentError, match=r"params\.hnsw_ef"):
            SearchPlan.of(SearchParams(hnsw_ef=wrong))


def test_parameters_that_can_change_are_looked_at_each_time():
    codes = {"rescore": False}
    params = SearchParams(quantization=codes)
    assert not SearchPlan.of(params).rescore
    codes["rescore"] = True
    assert SearchPlan.of(params).rescore


def test_any_number_of_parameters_can_be_known():
    for ef in range(1, 1000):
        assert SearchPlan.of(SearchParams(hnsw_ef=ef)).hnsw_ef == ef
