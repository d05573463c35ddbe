"""Spending: what all users, each of them, or each provider spent on tests, for alert rules."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from sqlalchemy import Numeric, Text, Uuid, cast, func, literal, null, select

from db.ai_tests.sums import ROLLUP
from db.alerts import AlertRule, SpendOf
from db.budgets import sums as of_users
from db.budgets.sums import ALL_TESTS
from db.config import numbers
from db.core.query.time_range import TimeRange
from db.core.rollup import combined
from db.core.table import AnySelect, Expression
from db.users import User

Budgets = Mapping[str, Decimal]
NOBODY = cast(null(), Uuid).label("user_id")


def spent(rule: AlertRule, span: TimeRange, budgets: Budgets) -> AnySelect:
    """The columns `subject`, `user_id`, `value` and `threshold`. A rule about one user or provider
    has one row, with an empty subject."""
    return SPENDERS[SpendOf(rule.spend_of or "")](rule, span, budgets)


def _of_all(rule: AlertRule, span: TimeRange, budgets: Budgets) -> AnySelect:
    tests = combined(ROLLUP, span, ALL_TESTS)
    limit = _threshold(rule, budgets[numbers.OVERALL_BUDGET])
    return select(_subject(literal("")), NOBODY, _sum(tests.total("any_cost")), limit)


def _of_provider(rule: AlertRule, span: TimeRange, budgets: Budgets) -> AnySelect:
    tests = combined(ROLLUP, span, ALL_TESTS)
    cost, provider = _sum(tests.total("any_cost")), tests.key("provider")
    limit = _threshold(rule, budgets[numbers.OVERALL_BUDGET])
    if rule.provider is not None:
        only = select(_subject(literal("")), NOBODY, cost, limit)
        return only.where(provider == rule.provider)
    return select(_subject(provider), NOBODY, cost, limit).group_by(provider)


def _of_user(rule: AlertRule, span: TimeRange, budgets: Budgets) -> AnySelect:
    spent = of_users.by_user(span).subquery("by_user")
    budget = func.coalesce(User.monthly_budget, budgets[numbers.USER_BUDGET])
    limit = _threshold(rule, budget)
    subject = literal("") if rule.user_id is not None else cast(User.id, Text)
    each = select(_subject(subject), User.id.label("user_id"), _sum(spent.c.spent), limit)
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


SPENDERS: Mapping[SpendOf, Callable[[AlertRule, TimeRange, Budgets], AnySelect]] = {
    SpendOf.ALL: _of_all,
    SpendOf.USER: _of_user,
    SpendOf.PROVIDER: _of_provider,
}
