"""The locks pin all that is installed, so that no later release of anything can break an
installation.

Until 23.3, pip takes `coverage` and `coverage[toml]` for two packages. Where one of them is
required and only the other is pinned, it chooses the newest release, has no hash, and gives up.
"""

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
OTHERS = [
    "requirements-console.lock",
    "bench/versus/peers/python/requirements.lock",
    "tests/front_ends/python/requirements.lock",
]
GROUPS = {"requirements.lock": ["build"], "requirements-dev.lock": ["build", "dev"]}
Pins = dict[str, list[Requirement]]
SYSTEMS = {"linux": ("Linux", "x86_64"), "darwin": ("Darwin", "arm64")}
ENVIRONMENTS = [
    {
        "python_version": f"3.{minor}",
        "python_full_version": f"3.{minor}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "sys_platform": system,
        "platform_system": name,
        "platform_machine": machine,
    }
    for minor in (11, 12, 13, 14)
    for system, (name, machine) in SYSTEMS.items()
]


@pytest.mark.parametrize("lock", GROUPS)
def test_every_requirement_is_pinned_with_its_extras(lock: str) -> None:
    pins = pinned((ROOT / lock).read_text())

    assert problems(pins, _declared(lock)) == set()


@pytest.mark.parametrize("lacking", ["coverage", "coverage[toml]"])
def test_a_pin_with_other_extras_is_not_enough(lacking: str) -> None:
    text = (ROOT / "requirements-dev.lock").read_text()
    pins = pinned(text.replace(f"\n{lacking}==", "\nanother=="))

    [problem] = problems(pins, [Requirement("pytest-cov")])

    assert problem.startswith(lacking)


@pytest.mark.parametrize("lock", [*GROUPS, *OTHERS])
def test_every_pin_has_hashes_and_no_address(lock: str) -> None:
    lines = (ROOT / lock).read_text().splitlines()
    after_pins = [after for line, after in pairwise(lines) if line[:1].isalnum()]

    assert after_pins
    assert all(after.startswith("    --hash=sha256:") for after in after_pins)
    assert not [line for line in lines if "://" in line]


def pinned(text: str) -> Pins:
    """The pins of a lock. A package may have several, each for other environments."""
    pins: Pins = defaultdict(list)
    for line in text.splitlines():
        if line[:1].isalnum():
            pin = Requirement(line.removesuffix("\\"))
            pins[canonicalize_name(pin.name)].append(pin)
    return pins


def problems(pins: Pins, roots: Iterable[Requirement]) -> set[str]:
    """What is required somewhere, directly or not, and is not pinned as it is required."""
    return {
        str(each)
        for environment in ENVIRONMENTS
        for each in _needed(roots, environment)
        if not _is_pinned(each, pins, environment)
    }


def _needed(roots: Iterable[Requirement], environment: dict[str, str]) -> Iterator[Requirement]:
    """All requirements that apply in an environment, each once."""
    waiting, seen = [each for each in roots if _applies(each, environment)], set()
    while waiting:
        each = waiting.pop()
        if str(each) not in seen:
            seen.add(str(each))
            yield each
            waiting += _requirements(each, environment)
            waiting += [_without_extras(each)] if each.extras else []


def _requirements(of: Requirement, environment: dict[str, str]) -> list[Requirement]:
    """The requirements of a package with some extras, as the version that is installed declares
    them. Those of a package for other machines are not known here."""
    try:
        found = map(Requirement, requires(of.name) or [])
    except PackageNotFoundError:
        return []
    return [each for each in found if _applies(each, environment, of.extras)]


def _without_extras(each: Requirement) -> Requirement:
    return Requirement(f"{each.name}{each.specifier}")


def _applies(each: Requirement, environment: dict[str, str], extras: Iterable[str] = ()) -> bool:
    marker = each.marker
    return marker is None or any(
        marker.evaluate(environment | {"extra": extra}) for extra in ("", *extras)
    )


def _is_pinned(each: Requirement, pins: Pins, environment: dict[str, str]) -> bool:
    name = canonicalize_name(each.name)
    return any(_meets(pin, each) for pin in pins.get(name, []) if _applies(pin, environment))


def _meets(pin: Requirement, each: Requirement) -> bool:
    [exact] = pin.specifier
    return (
        exact.operator == "=="
        and each.extras == pin.extras
        and each.specifier.contains(exact.version, prereleases=True)
    )


def _declared(lock: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    texts = [*project["project"]["dependencies"]]
    for group in GROUPS[lock]:
        texts += project["dependency-groups"][group]
    return list(map(Requirement, texts))
