"""Settings: documented, from the environment, refused in one sentence, and silent about secrets."""

import re
from pathlib import Path

import pytest

from gateway.settings import LIMITS, Settings, SettingsRefused, load
from graph.core.execution.bounds import Limits
from graph.core.execution.limits import INTROSPECTION_DEPTH, MAX_REPEATED
from graph.core.types.input_values import BATCH

DOCS = Path(__file__).parents[2] / "docs"
OPERATIONS, LIMITS_DOCUMENT = DOCS / "operations.md", DOCS / "limits.md"
URL = "postgresql://dreamnet:hunter2@db.example/dreamnet"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no file of the developer's decides."""
    for name in Settings.model_fields:
        monkeypatch.delenv(Settings.variable(name), raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    default = Settings.model_fields[name].default
    shown = {None: ("none", "by environment")}.get(default, (f"`{default}`",))
    rows = [f"| `{Settings.variable(name)}` | {text} | " for text in shown]
    assert any(row in OPERATIONS.read_text() for row in rows)
    assert Settings.model_fields[name].description


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_is_described_as_in_the_document(name: str) -> None:
    """Except for the references of the document to its other sections."""
    rows = re.findall(r"^\| `([A-Z_]+)` \| [^|]* \| (.*) \|$", OPERATIONS.read_text(), re.MULTILINE)
    text = dict(reversed(rows))[Settings.variable(name)]
    text = re.sub(r"; see \[.*?\]\(.*?\)| (See|For) [^.]*\[.*?\]\(.*?\)\.", "", text)
    assert Settings.model_fields[name].description == re.sub(r"\[(.*?)\]\(.*?\)", r"\1", text)


def test_operations_have_the_declared_limits() -> None:
    assert load().operation_limits == Limits()


@pytest.mark.parametrize(
    ("row", "limit"),
    [
        ("tokens, comments included (code `GRAPHQL_PARSE_FAILED`)", Limits().tokens),
        ("operations and fragments", Limits().definitions),
        ("levels of fields", Limits().depth),
        ("levels of introspection", INTROSPECTION_DEPTH),
        ("fields at the root", Limits().root_fields),
        ("fields in total", Limits().selections),
        ("aliases", Limits().aliases),
        ("directives", Limits().directives),
        ("repetitions of a field in one selection set", MAX_REPEATED),
        ("points", Limits().cost),
        ("values of the inputs of a subscription", Limits().values_subscription),
        ("values of a batch of reports, events, metrics, actions or tests", BATCH),
    ],
)
def test_the_document_states_the_declared_limits(row: str, limit: int) -> None:
    assert f"\n| {row} | {limit:,} |\n" in LIMITS_DOCUMENT.read_text()


def test_nothing_needs_to_be_set() -> None:
    settings = load()
    assert (settings.env, settings.host, settings.port) == ("development", "127.0.0.1", 8000)
    assert settings.database_url is None
    assert not settings.log_as_json


def test_the_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("DREAMNET_PORT=1\nDREAMNET_POOL_SIZE=2\nSOMETHING_ELSE=3\n")
    monkeypatch.setenv("DREAMNET_PORT", "4")
    assert (load().port, load().pool_size) == (4, 2)


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("DREAMNET_PORT", "")
    assert (load().database_url, load().port) == (None, 8000)


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    settings = load()
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == URL
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize("name", LIMITS)
def test_production_has_limits(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("DREAMNET_ENV", "production")
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv(Settings.variable(name), "0")
    with pytest.raises(SettingsRefused) as refused:
        load()
    expected = f"{Settings.variable(name)}=0 is no limit: that is for development."
    assert str(refused.value) == expected
    monkeypatch.setenv("DREAMNET_ENV", "development")
    assert getattr(load(), name) == 0


@pytest.mark.parametrize("uri", ["memory://", "async+nowhere://", "async+valkey://h", "nonsense"])
def test_spent_points_are_counted_where_they_can_be(
    monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    monkeypatch.setenv("DREAMNET_BUDGET_STORAGE", uri)
    with pytest.raises(SettingsRefused, match="DREAMNET_BUDGET_STORAGE is invalid"):
        load()
    monkeypatch.setenv("DREAMNET_BUDGET_STORAGE", "async+memory://")
    assert load().budget_storage is not None


def test_production_logs_for_collectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DREAMNET_ENV", "production")
    monkeypatch.setenv("DATABASE_URL", URL)
    assert load().log_as_json
    monkeypatch.setenv("DREAMNET_LOG_FORMAT", "console")
    assert not load().log_as_json


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"DREAMNET_ENV": "production"},
            "DREAMNET_ENV=production needs DATABASE_URL: the embedded database is for development.",
        ),
        (
            {"DREAMNET_HOST": "0.0.0.0"},  # noqa: S104  the address that must be refused
            "DREAMNET_ENV=development acts as an administrator and listens on loopback only: "
            "DREAMNET_HOST=0.0.0.0 needs DREAMNET_ENV=production.",
        ),
        (
            {"DATABASE_URL": "mysql://root:hunter2@db.example/x"},
            "DATABASE_URL is invalid: must start with postgresql://.",
        ),
        (
            {"DREAMNET_OIDC_JWKS_URL": "https://ada:hunter2@issuer.example/keys"},
            "DREAMNET_OIDC_JWKS_URL is invalid: must not contain a user name or password, "
            "because it is shown and logged.",
        ),
        (
            {"DREAMNET_EVENT_SEVERITIES": "*_failed=ERROR,paid"},
            "DREAMNET_EVENT_SEVERITIES is invalid: must have rules such as *_failed=ERROR, with "
            "letters, digits and _.:/-* before the =; rule 2 has not.",
        ),
        (
            {"DREAMNET_EVENT_SEVERITIES": "*_failed=FATAL"},
            "DREAMNET_EVENT_SEVERITIES is invalid: must name a severity after each =, one of "
            "DEBUG, INFO, WARNING, ERROR, CRITICAL; rule 1 does not.",
        ),
        (
            {"DREAMNET_PORT": "0", "DREAMNET_POOL_SIZE": "-1"},
            "DREAMNET_POOL_SIZE is invalid: Input should be greater than or equal to 1.\n"
            "DREAMNET_PORT is invalid: Input should be greater than or equal to 1.",
        ),
    ],
)
def test_invalid_input_is_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], sentence: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsRefused) as refused:
        load()
    assert str(refused.value) == sentence


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_by_any_name(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("DREAMNET_HOST", host)
    assert load().host == host


@pytest.mark.parametrize("names", ["REGION,RELEASE", " REGION , RELEASE ,"])
def test_the_variables_that_may_be_stored_are_listed(
    names: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMNET_SYNC_ENVIRONMENT", names)
    assert load().storable_variables == {"REGION", "RELEASE"}


@pytest.mark.parametrize("names", ["REGION;RELEASE", "a b", "*", "1X"])
def test_invalid_variables_cannot_be_listed(names: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DREAMNET_SYNC_ENVIRONMENT", names)
    with pytest.raises(SettingsRefused, match="DREAMNET_SYNC_ENVIRONMENT"):
        load()


@pytest.mark.parametrize(
    ("audit", "changes", "is_accepted"),
    [(30, 30, True), (31, 30, True), (0, 0, True), (0, 30, True), (29, 30, False), (365, 0, False)],
)
def test_the_audit_log_is_kept_as_long_as_changes(
    audit: int, changes: int, is_accepted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMNET_KEEP_AUDIT_DAYS", str(audit))
    monkeypatch.setenv("DREAMNET_KEEP_CHANGES_DAYS", str(changes))
    if is_accepted:
        assert ("audit" in load().keep) == (audit > 0)
    else:
        with pytest.raises(SettingsRefused, match="DREAMNET_KEEP_AUDIT_DAYS must be at least"):
            load()


@pytest.mark.parametrize(("name", "least"), [("ALERTS", 7), ("DELIVERIES", 2)])
def test_what_rules_and_webhooks_need_is_kept(
    name: str, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"DREAMNET_KEEP_{name}_DAYS", str(least))
    assert load().keep[name.lower()].days == least
    monkeypatch.setenv(f"DREAMNET_KEEP_{name}_DAYS", str(least - 1))
    with pytest.raises(SettingsRefused, match=f"DREAMNET_KEEP_{name}_DAYS must be at least"):
        load()
