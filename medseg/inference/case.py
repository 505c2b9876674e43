"""Case: find the cases of an input, and run an evaluator over them one by one."""

import logging
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai.data import list_data_collate
from monai.engines import SupervisedEvaluator
from torch.utils.data import Dataset
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from medseg.errors import root_cause

logger = logging.getLogger(__name__)

_NIFTI = (".nii.gz", ".nii")
EXISTING = ("refuse", "skip", "overwrite")


class CasesFailedError(RuntimeError):
    """Some cases of a run failed; the others are done and their outputs are on disk.

    Attributes:
        failures: case name -> reason.
        total: number of cases of the run.
    """

    def __init__(self, failures: dict[str, str], total: int) -> None:
        self.failures = failures
        self.total = total
        listed = "; ".join(f"{case}: {reason}" for case, reason in failures.items())
        super().__init__(f"{len(failures)} of {total} cases failed: {listed}")


def find_cases(
    path: str | os.PathLike,
    *,
    output_dir: str | os.PathLike | None = None,
    existing: str = "refuse",
) -> list[dict[str, str]]:
    """The cases of an input, as `{"case": name, "image": path}`, sorted by name.

    A NIfTI file or a single DICOM file is one case, and so is a folder that holds DICOM files. In any
    other folder each NIfTI file and each subfolder is a case. Hidden files are left aside. Nothing is
    opened here: what a case holds is judged when it is read.

    Args:
        path: a file, a DICOM folder, or a folder of cases.
        output_dir: where each case's label map `<case>.nii.gz` will be written.
        existing: what a label map that is there already means: "refuse" the run, "skip" the case,
            or "overwrite" it.

    Raises:
        FileNotFoundError: `path` does not exist.
        ValueError: an empty folder, two cases of one name, an unknown `existing`, or label maps that
            exist while `existing` is "refuse".
    """
    if existing not in EXISTING:
        raise ValueError(f"existing must be one of {', '.join(EXISTING)}, got {existing!r}")
    source = Path(path)
    if not source.exists():
        raise FileNotFoundError(
            f"no such file or folder: {source.resolve()} (a NIfTI file, a DICOM folder or a folder "
            "of cases is needed)"
        )
    images = _images(source)
    if not images:
        raise ValueError(f"{source.resolve()} holds no case: it needs NIfTI or DICOM files")
    twice = [name for name, n in Counter(map(case_name, images)).items() if n > 1]
    if twice:
        raise ValueError(f"two cases in {source} are named {', '.join(twice)}: rename one of them")
    cases = [{"case": case_name(p), "image": str(p)} for p in images]
    return cases if output_dir is None else _keep(cases, Path(output_dir), existing)


def case_name(path: Path) -> str:
    """A file's name without `.nii` or `.nii.gz`, or a folder's name."""
    name = path.resolve().name
    for suffix in _NIFTI:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name if path.is_dir() else path.stem


def run_cases(evaluator: SupervisedEvaluator, dataset: Dataset) -> int:
    """Run the evaluator over each case of the dataset on its own; a case that fails is not the end.

    Args:
        evaluator: its handlers and post-processing do with each result what they do.
        dataset: a MONAI dataset whose `data` are the cases, each with a `case` name.

    Returns:
        The number of cases done.

    Raises:
        CasesFailedError: after the last case, if any failed.
    """
    cases: Sequence[dict[str, Any]] = dataset.data  # type: ignore[attr-defined]
    failures: dict[str, str] = {}
    evaluator.logger.setLevel(logging.CRITICAL)  # each failure is reported once, below
    with logging_redirect_tqdm():
        for index, case in enumerate(tqdm(cases, "cases", unit="case")):
            try:
                _run_case(evaluator, dataset, index)
            except (ValueError, TypeError, OSError, RuntimeError) as error:
                failures[case["case"]] = _reason(error)
                logger.error("case %s failed: %s", case["case"], _reason(error))
    if failures:
        raise CasesFailedError(failures, len(cases))
    return len(cases)


def _run_case(evaluator: SupervisedEvaluator, dataset: Dataset, index: int) -> None:
    evaluator.data_loader = [list_data_collate([dataset[index]])]
    evaluator.state.epoch_length = 1
    evaluator.run()


def _reason(error: BaseException) -> str:
    cause = root_cause(error)
    return " ".join(str(cause).split()) or type(cause).__name__


def _images(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    entries = sorted(p for p in source.iterdir() if not p.name.startswith("."))
    nifti = [p for p in entries if p.is_file() and p.name.lower().endswith(_NIFTI)]
    folders = [p for p in entries if p.is_dir()]
    if nifti:
        return sorted([*nifti, *folders])
    return [source] if any(p.is_file() for p in entries) else folders


def _keep(cases: list[dict[str, str]], output_dir: Path, existing: str) -> list[dict[str, str]]:
    done = [c for c in cases if (output_dir / f"{c['case']}.nii.gz").exists()]
    if done and existing == "refuse":
        raise ValueError(
            f"{len(done)} of {len(cases)} label maps exist in {output_dir.resolve()} "
            f"({done[0]['case']}.nii.gz): pass --existing skip, --existing overwrite, or another "
            "--output_dir"
        )
    return [c for c in cases if c not in done] if existing == "skip" else cases
