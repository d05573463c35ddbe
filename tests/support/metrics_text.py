"""Metrics text: what Prometheus reads of a gateway."""

from typing import Any

import httpx2
from prometheus_client.parser import text_string_to_metric_families


class MetricsText:
    """The samples of one answer of `/metrics`."""

    def __init__(self, text: str) -> None:
        self.families = {each.name: each for each in text_string_to_metric_families(text)}
        self.samples = [sample for each in self.families.values() for sample in each.samples]

    @property
    def names(self) -> set[str]:
        return {sample.name for sample in self.samples}

    @property
    def label_values(self) -> set[str]:
        return {value for sample in self.samples for value in sample.labels.values()}

    def sum(self, name: str, **labels: str) -> float:
        """The sum of the samples with these labels."""
        return sum(each.value for each in self.of(name) if labels.items() <= each.labels.items())

    def of(self, name: str) -> list[Any]:
        return [sample for sample in self.samples if sample.name == name]


async def read_metrics(port: int) -> MetricsText:
    async with httpx2.AsyncClient(timeout=30) as client:
        response = await client.get(f"http://127.0.0.1:{port}/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    return MetricsText(response.text)
