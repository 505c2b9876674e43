"""LIDC-IDRI: lung nodules in chest CT, outlined by four readers, as patches and as slices.

`prepare` reads the collection as The Cancer Imaging Archive gives it, groups the marks of the
readers into nodules, agrees on one mask for each, and writes

- `patches/images/*.nii.gz`, `patches/labels/*.nii.gz`: a cube around each nodule, resampled;
- `slices/images/*.nii.gz`, `slices/labels/*.nii.gz`: its axial planes with a nodule in them;
- `patches/datalist.json`, `slices/datalist.json`: both with the same patients in each fold;
- `nodules.csv`: every nodule and non-nodule, see `medseg.datasets.lidc.measure.measure`;
- `problems.csv`: what could not be used as it is, see `REMEDIES`.

Images are in HU (int16), labels 0 and 1 (1 is every nodule in the patch, not only the central one),
both RAS+. Cases are named by the collection's pseudonym, the end of the Series Instance UID and a
hash of it, since eight patients have two scans.

Source: Armato et al., Data From LIDC-IDRI, The Cancer Imaging Archive, 2015,
doi:10.7937/K9/TCIA.2015.LO9QL9SX (CC BY 3.0). Patches of 64 x 64 x 64 at 1 mm: Zhou et al.,
UNet++, IEEE Transactions on Medical Imaging 39, 2020, section IV.A.
"""

import csv
import json
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from medseg.base.files import remove, whole
from medseg.base.text import count_noun, format_csv_cell
from medseg.datasets import output_folder, prepared
from medseg.datasets.lidc.download_state import Run
from medseg.datasets.lidc.measure import COLUMNS
from medseg.datasets.lidc.problems import LEFT_OUT, REMEDIES, Problem, format_lines, list_unreadable
from medseg.datasets.lidc.scan import VIEWS, Settings
from medseg.datasets.lidc.scan_record import Record
from medseg.datasets.lidc.source import find_annotations, find_ct
from medseg.datasets.sources.dataset_json import Item
from medseg.datasets.sources.layouts import make_not_found_error

__all__ = ["REMEDIES", "VIEWS", "Problem", "Report", "Settings", "list_cases", "prepare"]

logger = logging.getLogger(__name__)

TEST_SHARE = 0.2
"""Share of the patients held out for testing, whatever the fold."""

LABEL_VALUES = (0, 1)

_NAME = "lung_nodule"
_SETTINGS = "settings.json"
_PROBLEM_COLUMNS = ("case", "code", "finding", "remedy")


@dataclass(frozen=True)
class Report:
    """What `prepare` made.

    Attributes:
        cases: CT series in the result, those without a nodule included.
        nodules: nodules of 3 mm and more, outlined by at least one reader.
        patches, slices: number of images of either view.
        radiographs: XML files with reads of a radiograph, which are set aside.
        problems: what could not be used as it is; also in `problems.csv`.
    """

    cases: int
    nodules: int
    patches: int
    slices: int
    radiographs: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether everything could be used as it is."""
        return not self.problems

    @property
    def exclusions(self) -> tuple[Problem, ...]:
        """The problems for which a whole scan or file was left out."""
        return tuple(problem for problem in self.problems if problem.code in LEFT_OUT)


def list_cases(
    dataset_dir: str | os.PathLike[str],
    section: str = "training",
    *,
    fold: int = 0,
    folds: int = 5,
    seed: int = 0,
    view: str = "patches",
) -> list[Item]:
    """List the patches or the slices of one section of a prepared set, for a bundle's dataset.

    Args:
        dataset_dir: folder that `prepare` wrote.
        section: as `fold`, `folds` and `seed`, see `medseg.datasets.prepared.list_cases`.
        view: "patches", volumes of one cube, or "slices", volumes of one plane, (size, size, 1).

    Raises:
        FileNotFoundError: no prepared set there.
        ValueError: unknown view, a section or fold without cases, or too few patients.

    Example:
        >>> list_cases("data/lung_nodule", "validation", view="slices")  # doctest: +SKIP
        [{"image": "/data/lung_nodule/slices/images/LIDC-IDRI-0001_...
    """
    if view not in VIEWS:
        raise ValueError(f"view {view!r} is unknown: choose one of {', '.join(VIEWS)}")
    return prepared.list_cases(dataset_dir, section, fold=fold, folds=folds, seed=seed, part=view)


def prepare(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    annotations: str | os.PathLike[str] | None = None,
    settings: Settings | None = None,
) -> Report:
    """Convert the collection, see the top of this file.

    Scans that are done are left as they are, unless the marks in their XML or the bytes of their CT
    have changed. So an interrupted run can be repeated: it ends with the same files as one that was
    not interrupted. A copy of a series is skipped. A series whose slices lie in several folders is
    left out, see `medseg.datasets.lidc.download_state.Run.add`. A scan that cannot be used is
    logged and listed in the report, and the others are converted. Problems of a kind share a line.

    Args:
        source: a folder with CT series, and XML files beside them or in a tree of their own.
        out: folder to write, made if absent.
        annotations: another folder of XML files, such as `LIDC-XML-only`.
        settings: agreement, size and spacing, and whether irregular series are resampled; None for
            the defaults.

    Raises:
        FileNotFoundError: no such folder, or neither XML of a CT nor a CT series in it; nothing is
            written then.
        ValueError: settings out of range, or `out` was prepared with others or is refused, see
            `output_folder.check_output_folder`.

    Example:
        >>> report = prepare("LIDC-IDRI", "data/lung_nodule")  # doctest: +SKIP
        >>> report.patches, [problem.code for problem in report.problems]  # doctest: +SKIP
        (14, ["zero-area"])
    """
    root, target, chosen = Path(source), Path(out), settings or Settings()
    folders = [root] if annotations is None else [root, Path(annotations)]
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(f"no such folder: {folder.absolute()}: give LIDC-IDRI")
        output_folder.check_output_folder(target, folder, name=_NAME, views=VIEWS)
    _check_settings(target, chosen)
    found = find_annotations(folders)
    if not found.ct:
        raise _make_no_annotations_error(folders, unreadable=len(found.faults))
    run = Run(found, target, chosen)
    for series in find_ct(root, resample=chosen.resample):
        if not run.scans:
            _keep_settings(target, chosen)
        run.add(series)
    if not run.scans:
        raise FileNotFoundError(
            f"no CT series in {root.absolute()}: give the folder LIDC-IDRI with the DICOM files"
        )
    problems = [*list_unreadable(found), *run.problems]
    return _finish(target, run.records, problems, radiographs=found.radiographs)


def _make_no_annotations_error(folders: Sequence[Path], *, unreadable: int) -> FileNotFoundError:
    others = f" and in {folders[1].absolute()}" if len(folders) > 1 else ""
    lost = f", {count_noun(unreadable, 'XML file')} cannot be read" if unreadable else ""
    return make_not_found_error(
        _NAME,
        folders[0],
        looked_for=f"XML annotation files of a CT in that folder{others}{lost}",
        remedy="give LIDC-IDRI with the XML beside the DICOM files, with --source, or the folder "
        "of the XML by --annotations",
    )


def _finish(
    target: Path, records: Sequence[Record], problems: Iterable[Problem], *, radiographs: int
) -> Report:
    """Write the tables and datalists of all scans together, in the order of the case names."""
    records = sorted(records, key=lambda record: record["case"])
    rows = [row for record in records for row in record["rows"]]
    items = {view: [i for record in records for i in record["items"][view]] for view in VIEWS}
    faults = [Problem(**fault) for record in records for fault in record["problems"]]
    every = sorted([*problems, *faults], key=lambda p: (p.case, p.code, p.finding))
    if not items["patches"]:
        scans = count_noun(len(records), "scan")
        every.append(Problem("", "no-nodules", f"{scans} without a nodule" if records else scans))
    for line in format_lines(every):
        logger.warning("%s", line)
    _write_table(target / "nodules.csv", COLUMNS, rows)
    shown = [asdict(problem) | {"remedy": REMEDIES[problem.code]} for problem in every]
    _write_table(target / "problems.csv", _PROBLEM_COLUMNS, shown)
    _write_datalists(target, items)
    nodules = sum(row["readers"] > 0 for row in rows)
    counts = {view: len(items[view]) for view in VIEWS}
    return Report(len(records), nodules, **counts, radiographs=radiographs, problems=tuple(every))


def _write_datalists(target: Path, items: dict[str, list[Item]]) -> None:
    """Write that of either view; where nothing is left to list, remove those of an earlier run."""
    for view in VIEWS:
        if not items["patches"]:
            remove(target / view / prepared.FILE)
            continue
        prepared.write(
            target / view,
            f"{_NAME}-{view}",
            items[view],
            test_share=TEST_SHARE,
            label_values=LABEL_VALUES,
            warn_of_few=view == VIEWS[0],  # both have the same patients
        )


def _check_settings(target: Path, settings: Settings) -> None:
    """Refuse a folder that was prepared with other settings; one of before `resample` had none."""
    file, wanted = target / _SETTINGS, asdict(settings)
    try:
        had = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else wanted
    except ValueError as error:
        raise ValueError(f"{file} is not JSON ({error}): choose another folder") from error
    had = {"resample": False} | had
    if had != wanted:
        keys = sorted(key for key in wanted if had.get(key) != wanted[key])
        listed = ", ".join(f"{key} {had.get(key)} and not {wanted[key]}" for key in keys)
        raise ValueError(f"{target} was prepared with {listed}: choose another folder")


def _keep_settings(target: Path, settings: Settings) -> None:
    with whole(target / _SETTINGS) as partial:
        partial.write_text(json.dumps(asdict(settings), indent=1) + "\n", encoding="utf-8")


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    with whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {key: format_csv_cell(value) for key, value in row.items()} for row in rows
        )
