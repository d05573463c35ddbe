"""Rollup: sums of closed periods, kept so that aggregates over long times read few rows.

A period of a rollup is valid if it is closed and not marked; every other one is read from the rows
themselves, in the same statement. Triggers mark a closed period in every transaction that
writes to it. `rolling` computes marked periods. Decision 42.
"""

from db.core.rollup.declaring import (
    AT as AT,
    Measure as Measure,
    Parent as Parent,
    Rollup as Rollup,
    RollupTable as RollupTable,
    counted as counted,
    greatest as greatest,
    least as least,
    squared as squared,
    summed as summed,
)
from db.core.rollup.reading import Pieces as Pieces, combined as combined
from db.core.rollup.state import RollupMark as RollupMark, RollupState as RollupState
