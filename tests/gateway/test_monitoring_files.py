"""Alert rules and dashboard: accepted by Prometheus, about metrics that exist, and documented."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from db.core.durations import BOUNDS
from gateway.monitoring.metrics import METRICS, Distribution, Metric

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy/prometheus/alerts.yml"
DASHBOARD = ROOT / "deploy/grafana/dreamnet.json"
DOCUMENT = ROOT / "docs/monitoring.md"
NAME = re.compile(r"\b(?:dreamnet|http|db|process)_\w+(?=[\[{()\s,=>]|$)")
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not installed: apt-get install prometheus"
)


def samples(metric: Metric) -> set[str]:
    ends = ("_bucket", "_count", "_sum") if isinstance(metric, Distribution) else ("",)
    return {metric.name + end for end in ends}


EXPORTED = {name for metric in METRICS for name in samples(metric)}
LABELS = {label for metric in METRICS for label in metric.labels}


def expressions_of_alerts() -> dict[str, str]:
    rules = re.split(r"^ +- alert: ", ALERTS.read_text(), flags=re.MULTILINE)[1:]
    found = {}
    for rule in rules:
        name, _, rest = rule.partition("\n")
        found[name] = rest.partition("expr:")[2].partition("        labels:")[0]
    return found


def expressions_of_dashboard() -> Iterator[str]:
    dashboard: Any = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (each["definition"] for each in dashboard["templating"]["list"][1:])


def metrics_in(expression: str) -> set[str]:
    return set(NAME.findall(expression)) - LABELS


@needs_promtool
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts.test.yml"),
        ("check", "config", "prometheus.yml"),
    ],
    ids=" ".join,
)
def test_prometheus_accepts_the_rules(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [str(PROMTOOL), *arguments], cwd=ALERTS.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_accepts_the_queries_of_the_dashboard(tmp_path: Path) -> None:
    """As rules, with an interval in place of Grafana's variable."""
    expressions = [each for each in expressions_of_dashboard() if "label_values" not in each]
    rules = [
        {"record": f"r{number}", "expr": each.replace("$__rate_interval", "1m")}
        for number, each in enumerate(expressions)
    ]
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run(
        [str(PROMTOOL), "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(expressions) > 20


def test_alerts_and_dashboard_name_metrics_that_are_exported() -> None:
    expressions = [*expressions_of_alerts().values(), *expressions_of_dashboard()]
    named = {name for expression in expressions for name in metrics_in(expression)}
    assert len(named) > 15
    assert named <= EXPORTED


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {name for expression in expressions_of_dashboard() for name in metrics_in(expression)}
    assert {metric.name for metric in METRICS if not samples(metric) & shown} == set()


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_is_documented(metric: Metric) -> None:
    labels = ", ".join(f"`{label}` " for label in metric.labels).replace(" ,", ",")
    row = f"| `{metric.name}` | {labels}| {metric.description} |"
    assert row in DOCUMENT.read_text().splitlines()


def test_every_alert_is_documented() -> None:
    alerts, document = expressions_of_alerts(), DOCUMENT.read_text()
    assert len(alerts) > 10
    assert [name for name in alerts if f"### {name}\n" not in document] == []


def test_names_follow_prometheus() -> None:
    """Seconds and bytes are units, and totals are named as such."""
    for metric in METRICS:
        assert re.fullmatch(r"[a-z][a-z_]+[a-z]", metric.name)
        assert metric.name.endswith("_total") == (type(metric).__name__ == "Total")
        assert metric.name.endswith("_seconds") or not isinstance(metric, Distribution)
    assert list(BOUNDS) == sorted(BOUNDS)
