"""Request log: its cost, as the ratio of latencies and processor times with and without it.

Two gateways with databases of their own run at the same time, one with lines and events and one
without. They are measured in alternating rounds, so that other load on the machine affects both;
each pair of rounds gives one ratio. A third gateway, also without the log, is measured in the same
way: the deviation of its ratios from 1 is the noise. `--before ../other/src` adds a gateway of
another checkout, with the log.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import orjson
from ingest import JSON, Process, gateway, percentile

QUERY = "{ dreams(first: 20) { nodes { title } } }"
BODY = orjson.dumps({"query": QUERY})
ON = {"DREAMNET_REQUEST_LOG": "on", "DREAMNET_LOG_LEVEL": "info", "DREAMNET_LOG_FORMAT": "json"}
OFF = {"DREAMNET_REQUEST_LOG": "off", "DREAMNET_LOG_LEVEL": "warning"}
LOGS = {"on": ON, "off": OFF, "off again": OFF}
WARM_UP = 500  # requests to each

Times = dict[str, list[float]]  # milliseconds by gateway, one value a round
Gateways = dict[str, tuple[str, Process]]  # addresses and processes


async def asked(http: httpx2.AsyncClient, url: str, requests: int) -> list[float]:
    """Seconds of requests sent one after the other."""
    seconds = []
    for _ in range(requests):
        began = time.perf_counter()
        answer = await http.post(url, content=BODY, headers=JSON)
        seconds.append(time.perf_counter() - began)
        if answer.status_code != 200:
            raise SystemExit(answer.text)
    return seconds


async def measured(gateways: Gateways, options: argparse.Namespace) -> list[Times]:
    """The median and the 99th percentile of each round, and its processor time per request; each
    begins with another gateway."""
    figures: list[Times] = [{name: [] for name in gateways} for _ in range(3)]
    p50, p99, cpu = figures
    names = list(gateways)
    async with httpx2.AsyncClient(timeout=30) as http:
        for url, _ in gateways.values():
            await asked(http, url, WARM_UP)
        for _ in range(options.rounds):
            for name in names:
                url, process = gateways[name]
                used = process.seconds
                seconds = await asked(http, url, options.requests)
                cpu[name].append((process.seconds - used) / options.requests * 1000)
                p50[name].append(percentile(seconds, 50))
                p99[name].append(percentile(seconds, 99))
            names.append(names.pop(0))
    return figures


def show(what: str, times: Times) -> None:
    """Print the medians of all rounds, and the ratios to the gateway without the log."""
    for name in times:
        line = f"{what}  log {name:9}  {statistics.median(times[name]):6.3f} ms"
        if name != "off":
            ratios = [a / b for a, b in zip(times[name], times["off"], strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            line += f"   to off {middle:5.3f}, half of the rounds {low:5.3f} to {high:5.3f}"
        print(line)  # noqa: T201  its purpose


async def main(options: argparse.Namespace) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            before = {"before": {**ON, "PYTHONPATH": options.before}} if options.before else {}
            gateways: Gateways = {}
            for number, (name, variables) in enumerate((LOGS | before).items()):
                own = Path(folder) / str(number)
                own.mkdir()
                log = stack.enter_context((own / "log").open("wb"))
                started = gateway(own, log, **variables)
                gateways[name] = await stack.enter_async_context(started)
            figures = await measured(gateways, options)
    for what, times in zip(("p50", "p99", "CPU"), figures, strict=True):
        show(what, times)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--before", help="the folder `src` of another checkout")
    parser.add_argument("--requests", type=int, default=1000, help="to each gateway in each round")
    asyncio.run(main(parser.parse_args()))
