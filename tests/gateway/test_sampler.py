"""Sampler: how many requests are chosen, and what they weigh."""

import random

import pytest

from gateway.middleware import sampler
from gateway.middleware.sampler import Sampler


@pytest.mark.parametrize("rate", [10, 150, 250, 1_000, 20_000])
def test_weights_sum_to_the_requests_at_any_rate(rate: int) -> None:
    chosen: list[int] = []
    requests = Sampler[int](lambda _, weight: chosen.append(weight))
    for second in range(10):
        before = len(chosen)
        for moment in sorted(random.random() for _ in range(rate)):  # noqa: S311  no secret
            requests.add(second, second + moment)
        requests.flush_if_over(second + 2)
        requests.flush()
        assert min(rate, sampler.MOST) * 0.6 <= len(chosen) - before <= 2 * sampler.MOST
        assert sum(chosen) == (second + 1) * rate
    assert rate > sampler.MOST or set(chosen) == {1}


def test_no_second_has_more_than_the_most() -> None:
    chosen: list[int] = []
    requests = Sampler[int](lambda second, _: chosen.append(second))
    for second in range(10):
        for moment in range(5_000):
            requests.add(second, second + moment / 5_000)
    requests.flush()

    counts = [chosen.count(second) for second in range(10)]
    assert max(counts) <= sampler.MOST
    assert min(counts[1:]) > sampler.MOST / 2
