"""Effort: how often tests of random actions and of kills repeat. `make faults` repeats more."""

import os

SEEDS = range(int(os.environ.get("TEST_SEEDS", "1")))
CYCLES = int(os.environ.get("TEST_CYCLES", "2"))
IS_HIGH = "TEST_CYCLES" in os.environ
