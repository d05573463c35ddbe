"""The files of deploy/ that other machines read: linters accept them, and they name settings that
exist, with values that fit together."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from gateway.settings import Settings
from support.gateways import production
from support.programs import needed

DEPLOY = Path(__file__).parent.parent / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
KUBERNETES = "1.33"
INSTALLED = "/opt/dreamnet/bin/dreamnet"
LIMIT = 30  # of the exposure that systemd computes, in tenths: 100 is no protection

# What a Secret supplies.
SECRETS = {
    *("DATABASE_URL", "DREAMNET_DIRECT_URL"),
    *("DREAMNET_KEY_PEPPER", "DREAMNET_BUDGET_STORAGE"),
}


def documents() -> list[Any]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))


def of_kind(kind: str) -> Any:
    (found,) = [each for each in documents() if each["kind"] == kind]
    return found


def variables() -> set[str]:
    return {Settings.variable(name) for name in Settings.model_fields}


def stop_seconds() -> int:
    """The time that a gateway may take to stop, with several workers."""
    from gateway.process.workers import STOP_SECONDS

    settings = production()
    return settings.drain + settings.spread + settings.shutdown_seconds + STOP_SECONDS


@pytest.mark.parametrize("document", documents(), ids=lambda each: each["kind"])
def test_kubernetes_accepts_the_manifest(document: Any) -> None:
    kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_the_manifest_sets_settings() -> None:
    data = of_kind("ConfigMap")["data"]
    assert set(data) <= variables()
    assert not set(data) & SECRETS
    fields = {Settings.variable(name): name for name in Settings.model_fields}
    settings = production(**{fields[name]: value for name, value in data.items()})
    assert settings.gateways == of_kind("Deployment")["spec"]["replicas"]
    assert settings.port == _gateway()["ports"][0]["containerPort"]


def test_the_manifest_names_the_secrets_of_settings() -> None:
    first = (DEPLOY / "kubernetes.yaml").read_text().split("apiVersion")[0]
    assert variables() >= SECRETS
    assert [name for name in SECRETS if name not in first] == []


def test_pods_leave_the_service_before_they_stop() -> None:
    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    probe = _gateway()["readinessProbe"]
    assert probe["httpGet"]["path"] == "/api/health/ready"
    assert probe["periodSeconds"] * probe["failureThreshold"] < production().drain
    assert pod["terminationGracePeriodSeconds"] > stop_seconds()
    for name in ("startupProbe", "livenessProbe"):
        assert _gateway()[name]["httpGet"]["path"] == "/livez"


def test_containers_are_limited_and_cannot_become_root() -> None:
    for kind in ("Deployment", "Job"):
        pod = of_kind(kind)["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        (container,) = pod["containers"]
        assert container["resources"]["limits"]["memory"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_the_job_migrates_before_the_gateways_are_replaced() -> None:
    (container,) = of_kind("Job")["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["migrate", "up", "--phase", "pre"]


def test_the_container_file_is_linted() -> None:
    linter = Path(sys.executable).parent / "hadolint"
    done = subprocess.run(
        [linter, DEPLOY / "Containerfile"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_container_file_sets_settings() -> None:
    words = (DEPLOY / "Containerfile").read_text().split()
    names = {word.partition("=")[0] for word in words if word.startswith("DREAMNET_")}
    assert len(names) > 3
    assert names <= variables()


@pytest.fixture
def installed(tmp_path: Path) -> list[Path]:
    """The units with a program that is installed, which systemd looks for."""
    copies = []
    for unit in UNITS:
        copy = tmp_path / unit.name.replace("@.", "@pre.")
        copy.write_text(unit.read_text().replace(INSTALLED, "/bin/true"))
        copies.append(copy)
    return copies


def test_systemd_accepts_the_units(installed: list[Path]) -> None:
    analyze = needed("systemd-analyze")
    for options in (["verify"], ["security", "--offline=yes", f"--threshold={LIMIT}"]):
        done = subprocess.run(
            [analyze, *options, *installed], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_unit_gives_workers_the_time_to_stop() -> None:
    lines = (DEPLOY / "systemd" / "dreamnet.service").read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    assert int(values["TimeoutStopSec"]) > stop_seconds()
    assert "HUP" in values["ExecReload"]


def _gateway() -> Any:
    (container,) = of_kind("Deployment")["spec"]["template"]["spec"]["containers"]
    return container
