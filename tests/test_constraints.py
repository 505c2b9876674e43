"""Tests of the constraints: one pin per package and Python, and the lowest that are allowed."""

import re
from importlib.metadata import PackageNotFoundError, distribution, requires

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
EXTRAS = (
    *("", "tracking", "export", "fast"),
    *("encoders", "nnunet", "datasets", "gateway", "docs", "dev"),
)


def _environment(python, extra=""):
    full = {"python_version": python, "python_full_version": f"{python}.0"}
    return {**default_environment(), **full, "extra": extra}


@pytest.fixture(scope="module")
def pins(repository):
    lines = (repository / "constraints.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


def _read_dependencies(repository):
    """The base dependencies that pyproject.toml lists."""
    listed = (repository / "pyproject.toml").read_text().partition("\ndependencies = [\n")[2]
    lines = re.findall(r'^    "(.*)",$', listed.partition("\n]")[0], re.M)
    return [Requirement(line) for line in lines]


def _pins_of(pins, python):
    """Name and version of each pin that applies, duplicates included."""
    return [
        (canonicalize_name(pin.name), str(pin.specifier).removeprefix("=="))
        for pin in pins
        if pin.marker is None or pin.marker.evaluate(_environment(python))
    ]


@pytest.mark.parametrize("python", PYTHONS)
def test_each_package_has_one_pin(pins, python):
    names = [name for name, _ in _pins_of(pins, python)]
    assert sorted(names) == sorted(set(names))
    assert all(str(pin.specifier).startswith("==") and pin.url is None for pin in pins)


@pytest.mark.parametrize("python", PYTHONS)
def test_every_requirement_of_medseg_has_a_pin_that_satisfies_it(pins, python):
    found = dict(_pins_of(pins, python))
    environments = [_environment(python, extra) for extra in EXTRAS]
    for need in map(Requirement, requires("medseg")):
        applies = not need.marker or any(map(need.marker.evaluate, environments))
        if applies and need.name != "medseg":
            assert need.specifier.contains(found[canonicalize_name(need.name)]), need


@pytest.mark.parametrize("python", PYTHONS)
def test_no_pin_needs_a_newer_python(pins, python):
    """Of the pins that are installed here: of others the needs are not known offline."""
    checked = 0
    for name, version in _pins_of(pins, python):
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            continue
        if installed.version.partition("+")[0] == version:
            needs = installed.metadata.get("Requires-Python", "")
            assert SpecifierSet(needs).contains(f"{python}.13"), f"{name} {version} needs {needs}"
            checked += 1
    assert checked > 50


def test_medseg_is_installed_with_the_requirements_of_pyproject(repository):
    """Else these tests and those of the licences look at what is no longer required."""
    installed = {str(n).lower() for n in map(Requirement, requires("medseg")) if not n.marker}
    now = {str(need).lower() for need in _read_dependencies(repository)}
    assert installed == now, "install medseg again, by `make venv` or `pip install -e .`"


def test_the_lowest_version_of_every_base_dependency_is_pinned(repository):
    """`make test-lowest` installs these, so that the lower bounds of pyproject.toml are tested."""
    lowest = {
        need.name: next(Version(each.version) for each in need.specifier if each.operator == ">=")
        for need in _read_dependencies(repository)
    }
    lines = (repository / "tests" / "lowest_constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert {name: Version(version) for name, version in pinned.items()} == lowest
