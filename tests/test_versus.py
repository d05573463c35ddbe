"""The comparison with other servers: answers, shares, tables and locks. Nothing is measured."""

import json
from pathlib import Path
from typing import Any

import pytest

from versus.__main__ import in_order, setting
from versus.answers import difference, normalised
from versus.install import (
    InstallationFailed,
    available,
    is_older,
    missing_programs,
    reason,
)
from versus.load import Figures, duration, result_of
from versus.operations import OPERATIONS, body, statement, variables
from versus.servers import LIMIT, NODE_FOLDER, OURS, OURS_DEFAULT, PEERS, SERVERS, STANDARD
from versus.tables import Cell, Start, best_peer, median, per_cpu_second, report, share

UUID = "01979c2e-b400-7000-8abc-0123456789ab"
REFERENCE = {"dreams": [{"id": UUID, "title": "Fly", "createdAt": "2025-06-30T00:00:00+00:00"}]}


def figures(rate: float, **more: float) -> Figures:
    zeros = dict.fromkeys(Figures.__dataclass_fields__, 0.0)
    return Figures(**{**zeros, "requests_per_second": rate, **more})


def differs(answer: Any, reference: Any = REFERENCE) -> str | None:
    return difference(normalised({"data": answer}), normalised({"data": reference}))


def test_spellings_of_ids_times_and_pages_are_equal() -> None:
    dream = {
        "title": "Fly",
        "id": f"dream_{UUID.replace('-', '')}",
        "createdAt": "2025-06-30T02:00:00.000+02:00",
    }

    assert differs({"dreams": {"nodes": [dream]}}) is None


@pytest.mark.parametrize(
    ("field", "value", "other"),
    [("cost", "0.001000", 0.001), ("duration", "8151", 8151), ("lastActive", None, None)],
)
def test_spellings_of_a_value_are_equal(field: str, value: object, other: object) -> None:
    assert differs({"x": {field: value}}, {"x": {field: other}}) is None


def test_two_pages_of_agents_are_one_list() -> None:
    pages = {"agents": {"nodes": [{"status": "IDLE"}]}, "rest": {"nodes": [{"status": "ERROR"}]}}

    assert differs(pages, {"agents": [{"status": "IDLE"}, {"status": "ERROR"}]}) is None


def test_a_payload_is_its_result() -> None:
    assert (
        differs({"update": {"result": {"status": "IDLE"}}}, {"update": {"status": "IDLE"}}) is None
    )


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"title": "Swim"}, "data.dreams[0].title is 'Swim', not 'Fly'"),
        ({"id": UUID.replace("a", "b")}, "data.dreams[0].id is"),
        ({"createdAt": "2025-06-30T00:00:00.001Z"}, "data.dreams[0].createdAt is"),
        ({"more": 1}, "data.dreams[0] is"),
    ],
)
def test_another_value_is_a_difference(changed: dict[str, object], problem: str) -> None:
    found = differs({"dreams": [{**REFERENCE["dreams"][0], **changed}]})

    assert found is not None
    assert found.startswith(problem)


def test_a_missing_row_is_a_difference() -> None:
    assert differs({"dreams": []}) is not None


@pytest.mark.parametrize("answer", [{"errors": [{}], "data": {}}, {"data": None}, {}])
def test_an_answer_with_errors_is_refused(answer: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="has errors"):
        normalised(answer)


FOUND = {
    Cell(LIMIT, "Q1", 16): figures(1000),
    Cell("mercurius", "Q1", 16): figures(400),
    Cell("yoga", "Q1", 16): figures(500),
    Cell(OURS, "Q1", 16): figures(50),
    Cell(OURS, "Q2", 16): figures(60),
}


def test_the_best_peer_is_neither_limit_nor_the_gateway() -> None:
    assert best_peer(FOUND, "Q1", 16) == "yoga"
    assert best_peer(FOUND, "Q2", 16) is None
    assert not {LIMIT, OURS, OURS_DEFAULT} & set(PEERS)


def test_a_share_is_the_ratio_of_answers_per_second() -> None:
    ours = Cell(OURS, "Q1", 16)

    assert share(FOUND, ours, LIMIT) == 0.05
    assert share(FOUND, ours, "yoga") == 0.1
    assert share(FOUND, ours, None) is None
    assert share(FOUND, Cell(OURS, "Q2", 16), LIMIT) is None


def test_a_share_of_cpu_is_higher_for_less_cpu() -> None:
    ours, yoga = Cell(OURS, "Q1", 16), Cell("yoga", "Q1", 16)
    found = {ours: figures(0, server_cpu_ms=4), yoga: figures(0, server_cpu_ms=1)}

    assert share(found, ours, "yoga", per_cpu_second) == 0.25


def test_each_figure_has_its_own_median() -> None:
    rounds = [figures(rate, p99_ms=p99) for rate, p99 in ((10, 7), (30, 1), (20, 4))]

    assert median(rounds) == figures(20, p99_ms=4)


def test_the_report_shows_shares_and_warns() -> None:
    rounds = {cell: [each] for cell, each in FOUND.items()}
    rounds[Cell(OURS, "Q1", 16)] = [figures(50, failed=2, foreign_cores=0.5)]

    lines = list(report(rounds, [Start(OURS, 1.25, 120, 300), Start(OURS, 1.35, 121, 310)]))

    assert "| **ours / LIMIT** | 0.050 | - |" in lines
    assert "| **ours / best peer** | 0.100 | - |" in lines
    assert "| **best peer / ours** | 1.000 | - |" in lines
    assert "| best peer | yoga | - |" in lines
    assert "| ours | 1.3 | 121 | 310 |" in lines
    assert "Failed requests: ours Q1 at 16: 2." in lines
    assert lines[-1].endswith("at most 0.50. Too many to compare figures: run it again.")


def test_two_gateways_are_compared_with_each_other() -> None:
    rounds = {Cell(OURS, "Q1", 16): [figures(60)], Cell(OURS_DEFAULT, "Q1", 16): [figures(40)]}

    lines = list(report(rounds, []))

    assert "| **ours / ours-default** | 1.500 |" in lines
    assert not [line for line in lines if "best peer" in line or "LIMIT" in line]


def test_every_second_round_runs_backwards() -> None:
    servers = [SERVERS[name] for name in STANDARD]

    assert in_order(servers, 0) == servers
    assert in_order(servers, 1) == servers[::-1]


def test_slow_servers_are_measured_for_longer() -> None:
    assert duration(seconds=3, connections=64, rate=10_000) == 3
    assert duration(seconds=3, connections=64, rate=40) == 4
    assert duration(seconds=3, connections=64, rate=1) == 12


def test_the_line_of_wrk_is_read() -> None:
    assert result_of('Running\nRESULT {"requests":5}\n') == {"requests": 5}


def test_a_setting_has_a_name_and_a_value() -> None:
    assert setting("DREAMNET_POOL_SIZE=10") == ("DREAMNET_POOL_SIZE", "10")


@pytest.mark.parametrize("name", STANDARD)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_server_has_a_request_for_every_operation(name: str, operation: str) -> None:
    values = variables(operation, [UUID])[0]

    request = json.loads(body(SERVERS[name], operation, values))

    assert request["operationName"] == operation
    assert f" {operation}" in request["query"]
    assert "$1" not in statement(operation, values)


def test_the_gateway_gets_ids_in_its_own_spelling() -> None:
    request = json.loads(body(SERVERS[OURS], "Q1", {"id": UUID}))

    assert request["variables"] == {"id": f"dream_{UUID.replace('-', '')}"}


def test_servers_without_their_packages_are_skipped_with_a_sentence() -> None:
    def fails() -> None:
        raise InstallationFailed("npm failed: no network")

    servers = [SERVERS[name] for name in (LIMIT, "yoga", OURS)]
    installers = {"gateway": lambda: None, "python": lambda: None, "node": fails}

    found, skipped = available(servers, installers)

    assert [server.name for server in found] == [LIMIT, OURS]
    assert skipped == ["yoga is skipped: npm failed: no network"]


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (
            "npm warn old\nnpm error code E404\nnpm error see log\n",
            "npm error code E404",
        ),
        ("WARNING: slow\nERROR: No matching distribution\n", "ERROR: No matching distribution"),
        ("Segmentation fault\n", "Segmentation fault"),
        ("", "no message"),
    ],
)
def test_the_first_error_of_an_installation_is_shown(output: str, shown: str) -> None:
    assert reason(output) == shown


def test_missing_programs_say_how_to_install_them() -> None:
    assert missing_programs({"sh": "sh is missing", "no-such-program": "It is missing."}) == [
        "It is missing."
    ]


def test_packages_are_installed_again_when_the_lock_is_newer(tmp_path: Path) -> None:
    installed, lock = tmp_path / "stamp", tmp_path / "lock"
    lock.touch()

    assert is_older(installed, lock)
    installed.touch()
    assert not is_older(installed, lock)


def test_every_package_of_node_is_pinned_with_its_hash_and_no_address() -> None:
    packages = json.loads((NODE_FOLDER / "package-lock.json").read_text())["packages"]
    own = packages.pop("")

    assert all(version[0].isdecimal() for version in own["dependencies"].values())
    assert [name for name, package in packages.items() if "integrity" not in package] == []
    assert [name for name, package in packages.items() if "resolved" in package] == []
