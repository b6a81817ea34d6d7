"""A search's parameters, checked and in the core's words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

from asyncstore.bounds import Bounds, check_number, checked
from asyncstore.engine import CANDIDATES_MAX
from asyncstore.errors import InvalidArgumentError, UnsupportedError
from asyncstore.models import QuantizationSearchParams, SearchParams

_NOTHING_SAID = QuantizationSearchParams()


class CodeArguments(TypedDict):
    """What the core's searches without a graph take of a plan."""

    oversampling: float
    rescore: bool
    early_stop: bool
    ignore_codes: bool


class PlanArguments(CodeArguments):
    """What the core's searches take of a plan."""

    hnsw_ef: int
    exact: bool


@dataclass(frozen=True)
class SearchPlan:
    """How the core is to search.

    Attributes:
        oversampling: ``floor(limit × oversampling)`` candidates are preselected; 0: as many as
            may count by the bounds of their errors.
        hnsw_ef: Rows that a walk over a graph keeps in sight; 0: as the collection says.
        rescore: Whether candidates are scored by their originals.
        early_stop: Whether a candidate is left unread that cannot be among the results.
        ignore_codes: Whether originals alone are searched.
        exact: Whether the true nearest are wanted.
    """

    oversampling: float = 0.0
    hnsw_ef: int = 0
    rescore: bool = True
    early_stop: bool = True
    ignore_codes: bool = False
    exact: bool = False

    @cached_property
    def arguments(self) -> PlanArguments:
        """The keyword arguments of the core's searches."""
        return {
            "oversampling": self.oversampling,
            "hnsw_ef": self.hnsw_ef,
            "rescore": self.rescore,
            "early_stop": self.early_stop,
            "ignore_codes": self.ignore_codes,
            "exact": self.exact,
        }

    @property
    def code_arguments(self) -> CodeArguments:
        """Those of searches without a graph, which are exact but for what codes do."""
        return {
            "oversampling": self.oversampling,
            "rescore": self.rescore,
            "early_stop": self.early_stop,
            "ignore_codes": self.ignore_codes or self.exact,
        }

    @classmethod
    def of(cls, params: SearchParams | None) -> SearchPlan:
        """Checks ``params`` and says what they mean.

        Raises:
            InvalidArgumentError: A value has the wrong type or is out of bounds.
            UnsupportedError: ``indexed_only`` is asked for.
        """
        if params is None:
            return _DEFAULT
        known = _known.get(id(params))
        if known is not None:
            return known[1]
        if not isinstance(params, SearchParams):
            raise InvalidArgumentError(f"params: must be a SearchParams, got {params!r}")
        plan = cls._of(checked(params, SearchParams, "params"))
        if params.quantization is None or type(params.quantization) is QuantizationSearchParams:
            if len(_known) >= _KNOWN_MAX:
                _known.clear()
            _known[id(params)] = (params, plan)
        return plan

    @classmethod
    def _of(cls, params: SearchParams) -> SearchPlan:
        if params.indexed_only:
            raise UnsupportedError("params.indexed_only: true is not supported yet")
        codes = params.quantization or _NOTHING_SAID
        return cls(
            oversampling=codes.oversampling or 0.0,
            hnsw_ef=min(params.hnsw_ef or 0, CANDIDATES_MAX),
            rescore=codes.rescore is not False,
            early_stop=codes.early_stop,
            ignore_codes=codes.ignore,
            exact=params.exact,
        )


_DEFAULT = SearchPlan()
# Plans of parameters that were checked, by their identity: checking costs a third of what the event
# loop does for a search, and most callers give the same object again. It cannot change, and is kept
# so that no other has its identity.
_KNOWN_MAX = 256
_known: dict[int, tuple[SearchParams, SearchPlan]] = {}
_LIMIT = Bounds(1)
_OFFSET = Bounds(0)
_THRESHOLD = Bounds()


def check_limit(limit: object, high: int | None = None) -> None:
    """Raises unless ``limit`` is an integer of at least 1 (and at most ``high``)."""
    # The first test is the common case; a boolean is an int to Python, and none to us.
    if type(limit) is not int or limit < 1 or high is not None:
        check_number(limit, _LIMIT if high is None else Bounds(1, high), "limit")


def check_offset(offset: object) -> None:
    """Raises unless ``offset`` is an integer of at least 0."""
    if type(offset) is not int or offset < 0:
        check_number(offset, _OFFSET, "offset")


def check_threshold(score_threshold: object) -> float | None:
    """Returns the threshold as a float; raises unless it is a number."""
    if score_threshold is None:
        return None
    check_number(score_threshold, _THRESHOLD, "score_threshold", integer=False)
    return float(score_threshold)  # type: ignore[arg-type]
