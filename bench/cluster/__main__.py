"""Kill each part of a cluster under load, and print what its clients noticed.

    PYTHONPATH=bench python -m cluster --only "a worker" PgBouncer

Everything is real and on this machine. `--keep` names a folder for the logs.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

from cluster.parts import PARTS
from cluster.run import Finding, Spending, all_parts
from cluster.world import described, running

HEAD = (
    f"{'killed':24} {'away s':>7} {'requests':>9} {'5xx':>6} {'for s':>6} {'slowest s':>10} "
    f"{'lost':>6} {'missed':>7} {'resets':>7}"
)
PROGRAMS = ("haproxy", "pgbouncer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [part.name for part in PARTS]
    parser.add_argument("--only", nargs="*", choices=names, help="parts")
    parser.add_argument("--keep", type=Path, help="a folder for the logs")
    chosen = parser.parse_args()
    if missing := [each for each in PROGRAMS if not shutil.which(each, path="/usr/sbin:/usr/bin")]:
        raise SystemExit(f"Not installed: {', '.join(missing)}. Run `make haproxy pgbouncer`.")
    with tempfile.TemporaryDirectory(prefix="cluster-") as temporary:
        folder = chosen.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        sys.exit(asyncio.run(measured(folder, chosen.only or names)))


async def measured(folder: Path, names: list[str]) -> int:
    began, problems = time.monotonic(), 0
    async with running(folder) as world:
        print(f"{described()}, started in {time.monotonic() - began:.0f} s\n\n{HEAD}", flush=True)
        async for finding in all_parts(world, [part for part in PARTS if part.name in names]):
            problems += shown(finding)
    print(f"\n{problems} problems in {time.monotonic() - began:.0f} s")
    return min(1, problems)


def shown(finding: Finding | Spending) -> int:
    """Print a finding; return the number of problems."""
    print(finding, *(f"  PROBLEM: {each}" for each in finding.problems), sep="\n", flush=True)
    return len(finding.problems)


if __name__ == "__main__":
    main()
