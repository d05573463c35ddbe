"""Executors: tests run with plans, or with graphql-core alone (`make test-core`)."""

import os

import pytest

PLANS_ARE_OFF = os.environ.get("DREAMNET_EXECUTOR") == "core"

needs_plans = pytest.mark.skipif(PLANS_ARE_OFF, reason="plans are switched off")
