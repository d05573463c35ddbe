"""Peak memory: that of `dreamnet` in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

MEASURED = """
import resource, sys
from gateway.cli.main import app
try:
    app(sys.argv[1:])
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def peak_memory(folder: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    """The KiB and the output of a command that has to succeed, run in a folder."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *arguments],
        env=os.environ | variables,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stderr.split()[-1]), done.stdout


def metrics_at(time: str, count: int) -> str:
    """A statement that inserts metrics of one time, an expression, each with a long tag."""
    return f"""
        insert into performance_metrics (id, metric_name, value, tags, timestamp)
        select cast(lpad(to_hex(cast(extract(epoch from at) * 1000 as bigint)), 12, '0') || '7000'
                    || '8' || lpad(to_hex(n), 15, '0') as uuid),
               'cpu', n, jsonb_build_object('host', repeat(md5(n::text), 20)), at
        from generate_series(1, {count}) as n, lateral (select {time} as at) as at
    """  # noqa: S608  of tests
