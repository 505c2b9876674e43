"""Case: find the cases of an input, and run an evaluator over them one by one."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from monai.data import list_data_collate
from monai.engines import SupervisedEvaluator
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from medseg.base.arguments import require_bool
from medseg.base.errors import (
    forget_frames,
    is_documented,
    root_cause,
    show_traceback,
    with_page,
)
from medseg.base.files import check_apart
from medseg.base.path_keys import require_path
from medseg.base.text import LeftOut, counted, listed
from medseg.base.watch import Watch
from medseg.inference.cases.existing import Case, cases_to_do, check_existing, check_names
from medseg.inference.cases.read_ahead import ReadAhead
from medseg.inference.tiles.cancelled import CancelledError
from medseg.inference.tiles.plan import Plan, device_of
from medseg.ingest import IngestError
from medseg.ingest.dicom.header import read_header
from medseg.ingest.formats import is_volume_file, volume_files, without_suffix
from medseg.ingest.pictures.load import is_picture
from medseg.ingest.volumes.file import files_of

logger = logging.getLogger(__name__)

_PROBABILITIES = ("_probabilities.npy", "_probabilities.json")  # what `ProbabilityFiles` writes
_NEEDED = "this bundle segments volumes (NIfTI, NRRD, MetaImage, MGH or DICOM)"


class CasesFailedError(RuntimeError):
    """Some cases of a run failed; the others are done and their outputs are on disk.

    The message counts them and does not repeat the reasons, each of which was logged.

    Attributes:
        failures: case name -> reason.
        total: number of cases of the run.
        remain: the cases whose outputs are there, where those of others got lost.
    """

    def __init__(
        self, failures: dict[str, str], total: int, *, remain: Sequence[str] | None = None
    ) -> None:
        self.failures = failures
        self.total = total
        self.remain = remain
        see = "the reason is above" if len(failures) == 1 else "the reasons are above"
        if remain is not None:
            there = f"{counted(len(remain), 'case')}{' (' * bool(remain)}{listed(remain)}"
            see += f"; there remain the outputs of {there}{')' * bool(remain)}"
        super().__init__(
            f"{len(failures)} of {counted(total, 'case')} failed ({listed(list(failures))}): {see}"
        )


def find_cases(
    path: str | os.PathLike,
    *,
    output_dir: str | os.PathLike | None = None,
    existing: str | None = "refuse",
    probabilities: bool = False,
) -> list[Case]:
    """The volumes of an input, as `{"case": name, "image": path}`, sorted by name.

    A file is one case, and so is a folder that holds DICOM files, its subfolders included. In any
    other folder each volume file and each subfolder but `output_dir` is a case; other files are
    left out, which is logged with their number. What a case holds is judged when it is read, so
    that a subfolder without an image fails there and is not passed over.

    Args:
        path: a volume or DICOM file, a DICOM folder, or a folder of cases.
        output_dir: where each case's label map `<case>.nii.gz` and preview `<case>.png` will be
            written.
        existing: what outputs that are there already mean, see `cases_to_do`.
        probabilities: whether `ProbabilityFiles` will write there too. "skip" leaves a case that
            has its label map as it is, and warns of those that have no probabilities.

    Raises:
        FileNotFoundError: `path` does not exist.
        OSError: `output_dir` cannot be written.
        TypeError: `path` is no path, or `probabilities` is neither true nor false.
        ValueError: a picture, a folder without a case, DICOM beside volume files, two cases of one
            name, an unknown `existing`, an `output_dir` that is `path`, or outputs that are in the
            way, see `cases_to_do`.
    """
    if existing is not None:
        check_existing(existing)
    asked = require_bool(probabilities, "save_probabilities")
    source = Path(require_path(path, "input"))
    if not os.path.exists(source):
        raise FileNotFoundError(
            f"no such file or folder: {source.absolute()} (a volume file, a DICOM folder or a "
            "folder of cases is needed)"
        )
    target = None if output_dir is None else Path(output_dir)
    if target is not None:
        check_apart(target, source)
    cases = [{"case": case_name(p), "image": str(p)} for p in _images(source, target)]
    check_names(cases, source)
    if target is None:
        return cases
    return cases_to_do(
        cases,
        target,
        existing=existing,
        label=".nii.gz",
        preview=".png",
        asked=_PROBABILITIES if asked else (),
        unasked=() if asked else _PROBABILITIES,
    )


def case_name(path: Path) -> str:
    """A folder's name, or a file's without the suffix of a volume or of DICOM.

    Links are not followed: the name is the one that the user sees.
    """
    name = os.path.basename(os.path.abspath(path))
    return name if os.path.isdir(path) else without_suffix(name)


def run_cases(
    evaluator: SupervisedEvaluator,
    dataset: Dataset,
    *,
    on_failure: Callable[[str, str], None] | None = None,
) -> int:
    """Run the evaluator over each case of the dataset on its own; a case that fails is not the end.

    While one case is computed, the next is read and preprocessed in a thread of its own, where
    there is memory for both, of which the inferer's plan tells, if it makes one. Of a case that is
    done or has failed nothing stays in memory, the evaluator's `state` included.

    Args:
        evaluator: its handlers and post-processing do with each result what they do.
        dataset: a MONAI dataset whose `data` are the cases, each with a `case` name.
        on_failure: told the name of each case that fails, and the reason.

    Returns:
        The number of cases done.

    Raises:
        CasesFailedError: after the last case, if any failed, or if outputs of one are gone or were
            changed by another program.
        FileNotFoundError: after the last case, if the folder of the outputs was removed, moved or
            replaced, and what is gone is of earlier runs.
        CancelledError: the inferer was told to stop; the cases after this one are not begun.
        KeyboardInterrupt: likewise, at once; what is being read is not waited for.
    """
    cases: Sequence[dict[str, Any]] = dataset.data  # type: ignore[attr-defined]
    failures: dict[str, str] = {}
    made: dict[str, list[Path]] = {}
    reader = ReadAhead(dataset, len(cases))
    with (
        logging_redirect_tqdm(),
        _quiet(evaluator.logger),
        closing(reader),
        closing(Watch()) as watch,
    ):
        for case in tqdm(cases, "cases", unit="case"):
            before = len(watch.written)
            try:
                _run_case(evaluator, reader)
                made[case["case"]] = watch.written[before:]
            except CancelledError:  # no failure of the case: the whole run is to stop
                raise
            except Exception as error:  # whatever it is, it must not cost the other cases
                failures[case["case"]] = _failed(case["case"], error)
                forget_frames(error)
                if on_failure is not None:
                    on_failure(case["case"], failures[case["case"]])
    _check_made(watch, made, failures, total=len(cases))
    return _all_done(failures, len(cases))


def plan_cases(inferer: Any, network: Any, dataset: Dataset) -> int:
    """Log for each case what the inferer would compute and need; no window is computed.

    Args:
        inferer: has `plan(images, network)`, as `OverlapTileInferer` and `PredictorInferer`.
        network: as the inferer takes it; its weights do not count.
        dataset: as for `run_cases`; a case is read and preprocessed, since that tells its size.

    Returns:
        The number of cases.

    Raises:
        CasesFailedError: after the last case, if any could not be read or planned.
    """
    cases: Sequence[dict[str, Any]] = dataset.data  # type: ignore[attr-defined]
    failures: dict[str, str] = {}
    for index, case in enumerate(cases):
        try:
            plan = _plan(inferer, network, dataset[index]["image"])
        except Exception as error:  # as in run_cases
            failures[case["case"]] = _failed(case["case"], error)
        else:
            logger.info("case %s: %s", case["case"], plan)
    return _all_done(failures, len(cases))


def _run_case(evaluator: SupervisedEvaluator, reader: ReadAhead) -> None:
    # else Ignite takes the generator of a run that failed up again, and the next case is not run
    evaluator.interrupt_resume_enabled = False
    item = reader.next()
    reader.read_on(beside=_needed_bytes(evaluator, item))
    evaluator.data_loader = [list_data_collate([item])]
    del item
    evaluator.state.epoch_length = 1
    try:
        evaluator.run()
    finally:  # the next case needs the memory
        evaluator.data_loader = []
        evaluator.state.dataloader = evaluator.state.batch = evaluator.state.output = None
    if evaluator.state.iteration != 1:
        raise RuntimeError(f"the engine ran {evaluator.state.iteration} batches of the case, not 1")


def _needed_bytes(evaluator: SupervisedEvaluator, item: Mapping[str, Any]) -> int:
    """Of this computer's memory, what the inferer will take for an item, if it makes a plan."""
    if not hasattr(evaluator.inferer, "plan"):
        return 0
    plan = _plan(evaluator.inferer, evaluator.network, item["image"])
    at = device_of(evaluator.network)
    return plan.needed_bytes if plan is not None and (at is None or at.type == "cpu") else 0


def _plan(inferer: Any, network: Any, image: Tensor) -> Plan | None:
    """The plan for an image of a dataset, where the network is, as it is when it is computed."""
    return inferer.plan(image[None].to(device_of(network) or image.device), network)


@contextmanager
def _quiet(engine_logger: logging.Logger) -> Iterator[None]:
    """Each failure is reported once, and not by the engine as well."""
    level = engine_logger.level
    engine_logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        engine_logger.setLevel(level)


def _failed(case: str, error: BaseException) -> str:
    """Log that a case failed, and give the reason."""
    cause = root_cause(error)
    text = " ".join(str(cause).split())
    reason = text if text and is_documented(cause) else f"{type(cause).__name__}: {text}"
    shown = " ".join(with_page(cause).split()) if is_documented(cause) and text else reason
    logger.error("case %s failed: %s", case, shown, exc_info=show_traceback())
    return reason


def _check_made(
    watch: Watch, made: Mapping[str, Sequence[Path]], failures: dict[str, str], *, total: int
) -> None:
    """Refuse to end well where outputs are gone meanwhile, or another program changed them."""
    lost = set(watch.lost())
    changed = set(watch.changed())
    for case, files in made.items():
        gone = [file.name for file in files if file in lost]
        other = [file.name for file in files if file in changed]
        if gone or other:
            what = "is no longer in" if gone else "was changed by another program in"
            failures[case] = f"{listed(gone or other)} was written and {what} {files[0].parent}"
            logger.error("case %s failed: %s", case, failures[case])
    if any(case in failures for case in made):
        raise CasesFailedError(failures, total, remain=[c for c in made if c not in failures])
    if not failures:
        watch.check()


def _all_done(failures: dict[str, str], total: int) -> int:
    """The number of cases, if none failed."""
    if failures:
        raise CasesFailedError(failures, total)
    return total


def _images(source: Path, target: Path | None) -> list[Path]:
    """The paths of the cases; see `find_cases`. The folder of the outputs is none of them."""
    if not os.path.isdir(source):
        if is_picture(source):
            raise ValueError(f"{source.absolute()} is a picture: {_NEEDED}")
        return [source]
    entries = sorted(source.iterdir())
    left = LeftOut()
    hidden = [p for p in entries if p.name.startswith(".")]
    left.add("with a hidden name", (p.name for p in hidden if _is_hidden_volume(p)))
    entries = [p for p in entries if p not in hidden]
    if target is not None and os.path.isdir(target):
        own = os.path.realpath(target)
        entries = [p for p in entries if os.path.realpath(p) != own]
    folders = [p for p in entries if os.path.isdir(p)]
    volumes = volume_files(p for p in entries if p not in folders)  # a dangling link too
    parts = {part for volume in volumes for part in files_of(volume)}
    others = [p for p in entries if p not in folders and p not in parts]
    if any(map(is_dicom, others)):
        if volumes:
            raise ValueError(
                f"{source.absolute()} holds DICOM files beside {volumes[0].name}: "
                "pass the volume file itself, or put the DICOM files in a folder of their own"
            )
        return [source]
    if not volumes and not folders:
        pictures = [p for p in others if is_picture(p)]
        what = f", {pictures[0].name} is a picture" if pictures else ""
        raise ValueError(f"{source.absolute()} holds no case{what}: {_NEEDED}")
    left.add("of no format that is read", (p.name for p in others))
    left.warn(logger, source, used=len(volumes) + len(folders))
    return sorted([*volumes, *folders], key=case_name)


def _is_hidden_volume(path: Path) -> bool:
    """Whether a hidden file is more than the twin that archives made on a Mac hold of each file."""
    return is_volume_file(path) and not path.name.startswith("._")


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM, even if it is damaged; an empty file is nothing."""
    try:
        if not os.path.isfile(path) or path.stat().st_size == 0:
            return False
        return read_header(path) is not None
    except IngestError:
        return True
    except OSError:  # it may not be read, so that only its name tells
        return path.suffix.lower() in (".dcm", ".dicom", ".ima")
