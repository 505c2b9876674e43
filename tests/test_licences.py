"""Tests of the licences of what `pip install medseg` brings along: none is copyleft or unknown."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PERMISSIVE = re.compile(
    r"\b(MIT|BSD|Apache|ISC|HPND|PSF|Python Software Foundation|CMU|Unlicense|0BSD|Zlib|CC0)", re.I
)
COPYLEFT = re.compile(r"GPL|General Public|EUPL|CeCILL|SSPL", re.I)
FILE_BY_FILE = re.compile(r"\bMPL|Mozilla Public", re.I)
"""MPL-2.0: a changed file stays open, what merely uses it does not have to be."""

WITH_EXCEPTION = re.compile(r"GPL\S* with (gcc|classpath|linking)\S*exception", re.I)
OF_CUDA = ("nvidia-", "cuda-")
"""NVIDIA's own libraries, which a build of torch for CUDA brings along, and none for the CPU."""


def is_base(requirement, extras):
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def base_packages():
    """Names of what medseg needs without extras, and of what that needs, where it is installed."""
    found, seen, waiting = set(), set(), [("medseg", frozenset())]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            lines = requires(name) or ()
        except PackageNotFoundError:
            continue  # needed by another system or Python
        found.add(name)
        for needed in map(Requirement, lines):
            if is_base(needed, extras):
                waiting.append((canonicalize_name(needed.name), frozenset(needed.extras)))
    return sorted(found - {"medseg"})


def licence_of(name):
    """What a package says of its licence: the expression, else its classifiers, else the text."""
    metadata = distribution(name).metadata
    if expression := metadata.get("License-Expression"):
        return expression
    classifiers = [c for c in metadata.get_all("Classifier") or () if c.startswith("License ::")]
    names = [c.rpartition(" :: ")[2] for c in classifiers if not c.endswith("OSI Approved")]
    return "; ".join(names) or (metadata.get("License") or "").strip()[:300]


def fault_of(licence):
    """Why a licence does not go with Apache-2.0; empty where it does."""
    if COPYLEFT.search(WITH_EXCEPTION.sub("", licence)):
        return f"copyleft: {licence}"
    if PERMISSIVE.search(licence) or FILE_BY_FILE.search(licence):
        return ""
    return f"unknown: {licence or 'none stated'}"


def test_the_base_dependencies_are_followed_to_theirs():
    names = base_packages()
    assert {"torch", "monai", "imagecodecs", "pydicom", "sympy", "markupsafe"} <= set(names)
    assert "pylibjpeg-libjpeg" not in names


@pytest.mark.parametrize("name", base_packages())
def test_no_base_dependency_is_copyleft_or_of_an_unknown_licence(name):
    if name.startswith(OF_CUDA):
        pytest.skip("comes with a build of torch for CUDA alone")
    assert fault_of(licence_of(name)) == ""


def test_the_decoder_under_the_gpl_is_none_of_them_and_would_be_noticed():
    assert fault_of(licence_of("pylibjpeg-libjpeg")).startswith("copyleft")


@pytest.mark.parametrize(
    "licence",
    ["MIT", "BSD-3-Clause AND Apache-2.0", "MPL-2.0", "MPL-2.0 AND MIT", "3-Clause BSD License"],
)
def test_a_permissive_licence_has_no_fault(licence):
    assert fault_of(licence) == ""


@pytest.mark.parametrize(
    "licence",
    ["GPL V3.0", "MIT; GNU Affero General Public License v3", "LGPL-2.1-or-later", "AGPL-3.0", ""],
)
def test_copyleft_and_silence_are_faults(licence):
    assert fault_of(licence) != ""
