"""Tests of the order in which the files and folders of ingest build on each other."""

from __future__ import annotations

import ast
from pathlib import Path

ORDER = (
    *("reasons", "folder", "formats", "packing", "content", "checks", "metadata", "codestreams"),
    *("dicom/files", "dicom/header", "dicom/pixels", "dicom/consistency", "dicom/rules"),
    *("dicom/values", "dicom", "pictures", "volumes", "load", "inspect_files", "reader"),
)
"""Each imports those before it alone, but for what only types need."""


def _place(module: Path) -> int:
    """Where a file of ingest stands in `ORDER`: its folder does, or at the top the file itself."""
    folder = module.parent.as_posix()
    return ORDER.index(module.stem if folder == "." else folder)


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
