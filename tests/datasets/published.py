"""Published: what the tests of several converters need around a dataset as published."""

import zipfile
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from numpy.typing import ArrayLike
from PIL import Image

from medseg.datasets import fold_split, prepared
from medseg.datasets.sources.dataset_json import Item

Prepare = Callable[[Path, Path], int]


def save(array: ArrayLike, path: Path) -> None:
    """Write a picture of 8 bits in the format of the suffix; missing folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array, np.uint8)).save(path)


def picture(path: Path, value: int = 0, *, shape: tuple[int, int] = (4, 5)) -> None:
    """Write a picture of one grey value."""
    save(np.full(shape, value), path)


def case(root: Path, name: str, *, patient: str | None = None, value: int | None = None) -> Item:
    """A case of one picture and its mask; the picture's grey value is its own unless given."""
    value = int(name[1:]) if value is None else value
    picture(root / "images" / f"{name}.png", value)
    picture(root / "masks" / f"{name}.png", 255)
    return {
        "case": name,
        "patient": patient or name,
        "image": f"images/{name}.png",
        "label": f"masks/{name}.png",
    }


def items(root: Path, count: int, **options: Any) -> list[Item]:
    """So many cases, each of a patient of its own unless given."""
    return [case(root, f"p{number:02d}", **options) for number in range(count)]


def write(root: Path, cases: Iterable[Item], **options: Any) -> dict[str, Any]:
    """Write the datalist of a set called toy."""
    return prepared.write(root, "toy", cases, **({"label_values": (0, 255)} | options))


def pack(folder: Path, path: Path, *, below: str = "") -> Path:
    """Write the zip archive of a folder, its files below the path `below`; return its path."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, Path(below) / file.relative_to(folder))
    return path


def read(out: Path, part: str, case: str) -> np.ndarray:
    """A prepared picture, for instance of the part "masks"."""
    return np.asarray(Image.open(out / part / f"{case}.png"))


def contents(folder: Path) -> dict[Path, bytes]:
    """Map each file below a folder -> its bytes."""
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def listed(out: Path) -> tuple[list[Item], list[Item]]:
    """The training and the testing cases of a prepared set."""
    made = fold_split.read(out / "datalist.json")
    return made["training"], made["testing"]


def sections(out: Path, **split: int) -> list[list[Item]]:
    """The cases to train on, of the validation fold, and for testing."""
    return [prepared.list_cases(out, name, **split) for name in ("training", "validation", "test")]


def refused(
    prepare: Prepare, source: Path, out: Path, *, error: type[Exception] = ValueError
) -> str:
    """What a converter says to a source that it refuses, in one line."""
    with pytest.raises(error) as caught:
        prepare(source, out)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def rerun(prepare: Prepare, source: Path, out: Path) -> int:
    """Run a converter twice: the second run changes no picture; return the number that it gives."""
    prepare(source, out)
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*.png")}
    cases = prepare(source, out)
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*.png")} == before
    return cases


def written_again(prepare: Prepare, source: Path, out: Path) -> set[str]:
    """Run a converter on a changed source: the files below `out` that it wrote, but the datalist.

    The others keep their content, their date and their place on the disk.
    """
    before, dates = contents(out), _dates(out)
    prepare(source, out)
    after = contents(out)
    kept = {path for path, date in _dates(out).items() if dates.get(path) == date}
    assert all(after[path] == before[path] for path in kept)
    return {path.as_posix() for path in after.keys() - kept} - {"datalist.json"}


def _dates(folder: Path) -> dict[Path, tuple[int, int]]:
    found = [(path, path.stat()) for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder): (stat.st_ino, stat.st_mtime_ns) for path, stat in found}


def run_interrupted(
    prepare: Prepare,
    source: Path,
    out: Path,
    *,
    written: int,
    method: tuple[type, str] = (Path, "replace"),
) -> int:
    """Interrupt a run, then repeat it: it ends with the files of a run that was not interrupted.

    Args:
        prepare: the converter.
        source: what it reads.
        out: folder to write a whole run to; the interrupted one goes beside it.
        written: number of files that are there when the run is interrupted, half of the next one
            being written.
        method: class and name of the method that writes a file, its first argument of type Path.

    Returns:
        The number that the repeated run gives.
    """
    prepare(source, out)
    again = out.with_name("again")
    write, calls = getattr(*method), count()

    def interrupted(*arguments: Any, **options: Any) -> Any:
        if next(calls) == written:
            next(a for a in arguments if isinstance(a, Path)).write_bytes(b"half")
            raise KeyboardInterrupt
        return write(*arguments, **options)

    with mock.patch.object(*method, interrupted), pytest.raises(KeyboardInterrupt):
        prepare(source, again)
    assert len(contents(again)) == written
    cases = prepare(source, again)
    assert contents(again) == contents(out)
    return cases
