"""Imports point down the ranks, folders are small, tests mirror modules, the picture is current."""

import ast
from pathlib import Path

import pytest

INGEST_ORDER = (
    *("reasons", "folder", "formats", "file_words", "packing", "content", "checks", "turn"),
    *("metadata", "codestreams", "dicom/files", "dicom/header", "dicom/pixels"),
    *("dicom/consistency", "dicom/rules", "dicom/sample_checks", "dicom", "pictures", "volumes"),
    *("channels", "load", "inspect_files", "reader", "channel_loader"),
)
"""Each imports those before it alone, but for what only types need."""

OF_THE_REPOSITORY = (
    *("test_constraints.py", "test_licences.py"),
    *("test_docs.py", "test_docs_segment.py"),
)
"""Test files of no module: of the requirements and of the pages."""

FOLDERS_APART = ("integration", "scripts", "consumers")
"""Folders of tests that mirror no package."""


@pytest.fixture
def layout(script):
    return script("draw_layout")


def violations(layout, room: str, source: str) -> list[str]:
    """Imports of a source in `room` that do not point down."""
    ranks = layout.RANKS
    return [
        f"{room} (rank {ranks[room]}) imports {other} (rank {ranks[other]})"
        for other in layout.imported_rooms(source)
        if other != room and not ranks[other] < ranks[room]
    ]


def _files(repository: Path) -> list[Path]:
    return sorted((repository / "medseg").rglob("*.py"))


def _place(module: Path) -> int:
    """Where a file of ingest stands in `INGEST_ORDER`, by its folder or at the top by its name."""
    folder = module.parent.as_posix()
    return INGEST_ORDER.index(module.stem if folder == "." else folder)


def test_every_import_points_down(layout, repository):
    found = {
        str(path): wrong
        for path in _files(repository)
        if layout.room_of(path) != "__init__"
        and (wrong := violations(layout, layout.room_of(path), path.read_text()))
    }
    assert not found


def test_every_room_has_a_rank(layout):
    assert {room.name for room in layout.find_rooms()} <= layout.RANKS.keys()


def test_the_package_itself_imports_nothing_but_what_keeps_packages_from_reporting(
    layout, repository
):
    source = (repository / "medseg" / "__init__.py").read_text()
    assert list(layout.imported_rooms(source)) == ["base"]
    assert "from medseg.base.telemetry import" in source


def test_a_folder_holds_few_files(repository):
    for path in {file.parent for file in _files(repository)}:
        files = [file for file in path.glob("*.py") if file.name != "__init__.py"]
        assert len(files) <= 16, path


def test_the_top_has_few_rooms_and_few_arrows_between_them(layout):
    """40 arrows are between the stages that were there when the house was laid out anew."""
    later = {"planning", "export", "report", "gateway"}
    assert len({room.name for room in layout.find_rooms()} - later) <= 15
    assert sum(not later & set(arrow) for arrow in layout.count_imports()) <= 40
    assert all(sum(one in arrow for arrow in layout.count_imports()) <= 8 for one in later)


def test_the_picture_of_the_layout_is_drawn_from_the_imports_of_today(layout):
    pytest.importorskip("matplotlib")
    assert layout.is_current()


@pytest.mark.parametrize(
    ("room", "source"),
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
def test_an_import_up_or_across_is_found(layout, room, source):
    assert len(violations(layout, room, source)) == 1


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("ingest", "from medseg.geometry import Geometry"),
        ("ingest", "from medseg.ingest.dicom.find_series import find_series"),
        ("inference", "from medseg.transforms import LabelFromLogits"),
        ("datasets", "from medseg.ingest import find_series"),
        ("cli", "from medseg import bundles"),
        ("report", "from medseg import __version__"),
        ("losses", "import torch"),
    ],
)
def test_an_import_down_or_within_passes(layout, room, source):
    assert not violations(layout, room, source)


def test_a_relative_import_is_found(layout):
    with pytest.raises(ValueError, match="relative import"):
        list(layout.imported_rooms("from . import geometry"))


def test_ingest_reads_in_one_direction(repository):
    root = repository / "medseg" / "ingest"
    modules = [p.relative_to(root) for p in root.rglob("*.py") if p.name != "__init__.py"]
    for module in modules:
        tree = ast.parse((root / module).read_text())
        for imported in (n.module or "" for n in tree.body if isinstance(n, ast.ImportFrom)):
            _, _, below = imported.partition("medseg.ingest.")
            other = Path(*below.split(".")).with_suffix(".py") if below else None
            if other in modules:
                assert _place(other) <= _place(module), (module, imported)


def test_every_module_has_a_test_file(repository):
    assert not [path for path in _mirror(repository) if not (repository / "tests" / path).is_file()]


def test_every_test_file_has_a_module_unless_it_tests_several(repository):
    """Those that test several modules together, or no module, have folders of their own."""
    root = repository / "tests"
    found = {path.relative_to(root) for path in root.rglob("test_*.py")} - _mirror(repository)
    alone = {path for path in found if path.parts[0] not in FOLDERS_APART}
    assert alone == {Path(name) for name in OF_THE_REPOSITORY}


@pytest.mark.parametrize(
    ("module", "test"),
    [
        ("geometry.py", "test_geometry.py"),
        ("ingest/dicom/stack.py", "ingest/dicom/test_stack.py"),
        ("a/_private.py", "a/test_private.py"),
    ],
)
def test_a_test_file_lies_as_its_module_does(module, test):
    assert _tests_of(Path(module)) == Path(test)


def _mirror(repository: Path) -> set[Path]:
    """The test file of every module, below tests/."""
    modules = (path.relative_to(repository / "medseg") for path in _files(repository))
    return {_tests_of(module) for module in modules if module.name != "__init__.py"}


def _tests_of(module: Path) -> Path:
    """The test file of a module, both below their roots."""
    return module.with_name(f"test_{module.name.removeprefix('_')}")
