"""Imports point down the ranks of the layout, and packages of one rank never import each other."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

RANKS = {
    **dict.fromkeys(("base", "geometry", "labels"), 0),
    **dict.fromkeys(("ingest", "losses", "metrics", "networks", "plausibility", "transforms"), 1),
    **dict.fromkeys(("datasets", "engines", "inference"), 2),
    **dict.fromkeys(("export", "report"), 3),
    "bundles": 4,
    "cli": 5,
}


def imported_parts(source: str) -> Iterator[str]:
    """The parts of medseg that a source imports, wherever in the file: "geometry", "ingest", ..."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for package, *rest in (name.split(".") for name in names):
            if package == "medseg" and rest and rest[0] != "__version__":
                yield rest[0]


def violations(part: str, source: str) -> list[str]:
    """Imports of a source in `part` that do not point down."""
    rank = RANKS[part]
    return [
        f"{part} (rank {rank}) imports {other} (rank {RANKS[other]})"
        for other in imported_parts(source)
        if other != part and not RANKS[other] < rank
    ]


def _files(repository: Path) -> list[Path]:
    return sorted((repository / "medseg").rglob("*.py"))


def test_every_import_points_down(repository):
    root = repository / "medseg"
    found = {
        str(path.relative_to(root)): wrong
        for path in _files(repository)
        if (part := path.relative_to(root).parts[0].removesuffix(".py")) != "__init__"
        and (wrong := violations(part, path.read_text()))
    }
    assert not found


def test_every_part_has_a_rank(repository):
    root = repository / "medseg"
    parts = {path.relative_to(root).parts[0].removesuffix(".py") for path in _files(repository)}
    assert parts - {"__init__"} <= RANKS.keys()


def test_the_package_itself_imports_nothing_but_what_keeps_packages_from_reporting(repository):
    source = (repository / "medseg" / "__init__.py").read_text()
    assert list(imported_parts(source)) == ["base"]
    assert "from medseg.base.telemetry import" in source


def test_a_folder_holds_few_files(repository):
    """The core of DICOM holds up to 20, since a slice, its series and its stack belong together."""
    for path in {file.parent for file in _files(repository)}:
        place = path.relative_to(repository / "medseg").as_posix()
        files = [file for file in path.glob("*.py") if file.name != "__init__.py"]
        assert len(files) <= (20 if place == "ingest/dicom" else 16), place


def test_the_top_has_few_rooms(repository):
    root = repository / "medseg"
    rooms = [p for p in root.iterdir() if p.name not in ("__init__.py", "__pycache__", "py.typed")]
    assert len(rooms) <= 16


@pytest.mark.parametrize(
    ("part", "source"),
    [
        ("geometry", "from medseg.ingest import load"),
        ("ingest", "import medseg.transforms.slice_dataset"),
        ("ingest", "from medseg import transforms"),
        ("engines", "from medseg.inference import run_cases"),
        ("losses", "def late():\n    from medseg.networks import NestedUNet"),
        ("export", "from medseg.bundles import find"),
        ("bundles", "from medseg.cli import main"),
    ],
)
def test_an_import_up_or_across_is_found(part, source):
    assert len(violations(part, source)) == 1


@pytest.mark.parametrize(
    ("part", "source"),
    [
        ("ingest", "from medseg.geometry import Geometry"),
        ("ingest", "from medseg.ingest.dicom.series import find_series"),
        ("inference", "from medseg.transforms import LabelFromLogits"),
        ("datasets", "from medseg.ingest import find_series"),
        ("cli", "from medseg import bundles"),
        ("report", "from medseg import __version__"),
        ("losses", "import torch"),
    ],
)
def test_an_import_down_or_within_passes(part, source):
    assert not violations(part, source)


def test_a_relative_import_is_found():
    with pytest.raises(AssertionError, match="relative"):
        list(imported_parts("from . import geometry"))
