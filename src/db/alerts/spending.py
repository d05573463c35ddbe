"""Spending: what all users, each of them, or each provider spent on tests, for alert rules."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from sqlalchemy import Numeric, Text, Uuid, cast, func, literal, null, select

from db.ai_tests.sums import ROLLUP
from db.alerts import AlertRule, SpendOf
from db.budgets import sums as of_users
from db.budgets.sums import ALL_TESTS
from db.config import numbers
from db.core.query.time_range import Bucket, TimeRange
from db.core.rollup import Pieces, combined
from db.core.table import AnySelect, Expression
from db.users import User

Budgets = Mapping[str, Decimal]
NOBODY = cast(null(), Uuid).label("user_id")


def spent(
    rule: AlertRule, span: TimeRange, budgets: Budgets, bucket: Bucket | None = None
) -> AnySelect:
    """The columns `subject`, `user_id`, `value` and `threshold`, and `bucket` for sums of each
    bucket. A rule about one user or provider has an empty subject."""
    return SPENDERS[SpendOf(rule.spend_of or "")](rule, span, budgets, bucket)


def _of_all(rule: AlertRule, span: TimeRange, budgets: Budgets, bucket: Bucket | None) -> AnySelect:
    tests = combined(ROLLUP, span, ALL_TESTS, bucket)
    cost, start = _sum(tests.total("any_cost")), _start(tests, bucket)
    limit = _threshold(rule, budgets[numbers.OVERALL_BUDGET])
    return select(_subject(literal("")), NOBODY, cost, limit, *start).group_by(*start)


def _of_provider(
    rule: AlertRule, span: TimeRange, budgets: Budgets, bucket: Bucket | None
) -> AnySelect:
    tests = combined(ROLLUP, span, ALL_TESTS, bucket)
    cost, provider = _sum(tests.total("any_cost")), tests.key("provider")
    limit, start = _threshold(rule, budgets[numbers.OVERALL_BUDGET]), _start(tests, bucket)
    if rule.provider is not None:
        only = select(_subject(literal("")), NOBODY, cost, limit, *start)
        return only.where(provider == rule.provider).group_by(*start)
    return select(_subject(provider), NOBODY, cost, limit, *start).group_by(provider, *start)


def _start(tests: Pieces, bucket: Bucket | None) -> list[Expression]:
    return [] if bucket is None else [tests.bucket(bucket)]


def _of_user(
    rule: AlertRule, span: TimeRange, budgets: Budgets, bucket: Bucket | None
) -> AnySelect:
    spent = of_users.by_user(span, bucket).subquery("by_user")
    budget = func.coalesce(User.monthly_budget, budgets[numbers.USER_BUDGET])
    limit, start = _threshold(rule, budget), [] if bucket is None else [spent.c.bucket]
    subject = literal("") if rule.user_id is not None else cast(User.id, Text)
    sums = _sum(spent.c.spent), limit, *start
    each = select(_subject(subject), User.id.label("user_id"), *sums)
    if rule.user_id is not None:
        return each.outerjoin_from(User, spent, spent.c.user_id == User.id).where(
            User.id == rule.user_id
        )
    return each.join_from(User, spent, spent.c.user_id == User.id)


def _subject(value: Expression) -> Expression:
    return cast(value, Text).label("subject")


def _sum(cost: Expression) -> Expression:
    return func.coalesce(cost, 0).label("value")


def _threshold(rule: AlertRule, budget: Expression | Decimal) -> Expression:
    return cast(budget if rule.threshold is None else rule.threshold, Numeric).label("threshold")


Spender = Callable[[AlertRule, TimeRange, Budgets, Bucket | None], AnySelect]
SPENDERS: Mapping[SpendOf, Spender] = {
    SpendOf.ALL: _of_all,
    SpendOf.USER: _of_user,
    SpendOf.PROVIDER: _of_provider,
}
