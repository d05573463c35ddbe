"""Numeric: numbers of columns that keep a fixed number of decimals, rounded half up; and the
confidence interval of a mean."""

from collections.abc import Collection
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import reduce
from math import sqrt
from statistics import NormalDist

from sqlalchemy import Numeric
from sqlalchemy.types import TypeEngine

from db.core.table import Row, Table, Values

_WIDE = Context(prec=1_000)  # digits: more than any number that is read has
_OF_SUMS = Context(prec=100)  # digits: twice those of a sum of squares, which it is subtracted from


def rounded(value: Decimal, places: int) -> Decimal:
    """`value` with so many decimals; a half is rounded away from zero, as PostgreSQL does."""
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, _WIDE)


def mean(values: Collection[Decimal]) -> Decimal:
    return quotient(reduce(_WIDE.add, values), len(values))


def quotient(total: Decimal, count: int) -> Decimal:
    return _WIDE.divide(total, count)


def fitted(table: type[Table], values: Values) -> Row:
    return {name: _stored(table.__table__.columns[name].type, values[name]) for name in values}


def _stored(type_: TypeEngine[object], value: object) -> object:
    if isinstance(value, Decimal) and isinstance(type_, Numeric) and type_.scale is not None:
        return rounded(value, type_.scale)
    return value


# The quantile of 97.5 % of Student's t-distribution, by degrees of freedom from 1 on.
# Source: NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2, with three more decimals.
_QUANTILES = (
    *(12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157),
    *(2.228139, 2.200985, 2.178813, 2.160369, 2.144787, 2.131450, 2.119905, 2.109816, 2.100922),
    *(2.093024, 2.085963, 2.079614, 2.073873, 2.068658, 2.063899, 2.059539, 2.055529, 2.051831),
    *(2.048407, 2.045230, 2.042272),
)
_Z = NormalDist().inv_cdf(0.975)


def confidence_interval(
    count: int, total: Decimal | None, squares: Decimal | None
) -> tuple[float, float] | None:
    """The interval that has the mean of a population with a confidence of 95 %, from the number,
    sum and sum of squares of a sample: mean ± t · s / √n. None below two values.

    Source: NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.5.2.
    """
    if count < 2 or total is None or squares is None:
        return None
    deviations = _OF_SUMS.subtract(squares, _OF_SUMS.divide(_OF_SUMS.multiply(total, total), count))
    variance = max(0.0, float(deviations)) / (count - 1)
    mean, half = (
        float(_OF_SUMS.divide(total, count)),
        _t_quantile(count - 1) * sqrt(variance / count),
    )
    return mean - half, mean + half


def _t_quantile(freedom: int) -> float:
    """Beyond the table by an expansion, with an error below 10^-6.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5.
    """
    if freedom <= len(_QUANTILES):
        return _QUANTILES[freedom - 1]
    z, n = _Z, freedom
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / n + second / n**2 + third / n**3
