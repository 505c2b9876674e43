"""Run: run an evaluator over the cases of a dataset one by one, or only log their plans."""

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any

from monai.data import list_data_collate
from monai.engines import SupervisedEvaluator
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from medseg.base.channels.case_paths import list_paths
from medseg.base.console_streams import is_on_terminal, log_from
from medseg.base.errors import (
    find_root_cause,
    forget_frames,
)
from medseg.base.text import count_noun, escape_unprintable, shorten_list
from medseg.base.together.together import together
from medseg.base.watch import Watch
from medseg.inference.cases.check_image import RefusedImageError
from medseg.inference.cases.kinds_of_failure import KindsOfFailure, describe_failure
from medseg.inference.cases.read_ahead import ReadAhead
from medseg.inference.cases.report import DONE, FAILED, LEFT_OUT, PLANNED, report_case
from medseg.inference.cases.series_cases import ONE_OF
from medseg.inference.outputs.notes import FACTS, FOUND
from medseg.inference.tiles.memory_plan import Plan, find_device
from medseg.inference.tiles.sweep import CancelledError
from medseg.ingest.load import split_series_path

logger = logging.getLogger(__name__)


class CasesFailedError(RuntimeError):
    """Some cases of a run failed; the others are done and their outputs are on disk.

    The message counts them and does not repeat the reasons, each of which was logged; of a run of a
    single case it is the reason.

    Attributes:
        failures: case name -> reason.
        total: number of cases of the run.
        remain: the cases whose outputs are there, where those of others got lost.
        exit_status: of a command that ends with this error: 1, since it is no wrong input.
    """

    exit_status = 1

    def __init__(
        self,
        failures: dict[str, str],
        total: int,
        *,
        remain: Sequence[str] | None = None,
        shown: Mapping[str, str] | None = None,
    ) -> None:
        self.failures = failures
        self.total = total
        self.remain = remain
        see = "the reason is above" if len(failures) == 1 else "the reasons are above"
        if remain is not None:
            there = f"{count_noun(len(remain), 'case')}{' (' * bool(remain)}{shorten_list(remain)}"
            see += f"; the outputs of {there}{')' * bool(remain)} remain"
        only = next(iter(failures)) if total == 1 else ""
        super().__init__(
            f"case {only} failed: {shown[only]}"
            if shown and only in shown
            else f"{len(failures)} of {count_noun(total, 'case')} failed "
            f"({shorten_list(list(failures))}): {see}"
        )


def run_cases(
    evaluator: SupervisedEvaluator,
    dataset: Dataset,
    *,
    claim: Callable[[str], AbstractContextManager[Any]] = nullcontext,
    on_failure: Callable[[str, str], None] | None = None,
) -> int:
    """Run the evaluator over each case of the dataset on its own; a case that fails is not the end.

    While one case is computed, the next is read and preprocessed in a thread of its own, where
    there is memory for both, of which the inferer's plan tells, if it makes one. Of a case that is
    done or has failed nothing stays in memory, the evaluator's `state` included. Each case that is
    done is a line of the log: what was found, as the volume of each class, and the seconds. Of
    cases that fail for one kind of reason the first is a line, and the others are counted at the
    end. A program learns the same, with the reason of each, from `report_case`. One of several
    series of a study that turns out to be of another kind than the bundle is for is left out with a
    warning, and is a failure only where no case was done.

    Args:
        evaluator: its handlers and post-processing do with each result what they do.
        dataset: a MONAI dataset whose `data` are the cases, each with a `case` name.
        claim: holds a case, by its name, while it is computed and written, and raises where another
            run does the same, see `CaseFiles.claim`.
        on_failure: is called with the name of each case that fails, and the reason.

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
    kinds = KindsOfFailure(len(cases))
    left_out: dict[str, str] = {}
    made: dict[str, list[Path]] = {}
    reader = ReadAhead(dataset, len(cases))
    with (
        logging_redirect_tqdm(),
        log_from(evaluator.logger, logging.CRITICAL),  # failures are logged here
        closing(reader),
        closing(kinds),
        closing(Watch()) as watch,
    ):
        for case in tqdm(cases, "cases", unit="case", disable=None, leave=False):
            before, begun = len(watch.written), time.monotonic()
            try:
                found, facts = _run_case(evaluator, reader, claim(case["case"]))
                made[case["case"]] = watch.written[before:]
                seconds = time.monotonic() - begun
                _log_done(case["case"], found, seconds=seconds)
                told = {**_find_place(case), **facts, "seconds": round(seconds, 3)}
                report_case(DONE, case["case"], **told)
            except CancelledError:  # no failure of the case: the whole run is to stop
                raise
            except Exception as error:  # whatever it is, it must not cost the other cases
                if _is_series_of_other_kind(case, error):
                    left_out[case["case"]] = _leave_out(case, error)
                    continue
                failures[case["case"]] = kinds.log(case["case"], error)
                told = {"reason": failures[case["case"]], **_find_series(case)}
                report_case(FAILED, case["case"], **told)
                forget_frames(error)
                if on_failure is not None:
                    on_failure(case["case"], failures[case["case"]])
    _check_outputs(watch, made, failures, total=len(cases))
    counted = failures if made else failures | left_out
    return _count_or_raise(counted, len(cases), kinds.shown) - len(left_out)


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
    with closing(KindsOfFailure(len(cases))) as kinds:
        for index, case in enumerate(cases):
            name = case["case"]
            try:
                plan = _plan(inferer, network, dataset[index]["image"])
            except Exception as error:  # as in run_cases
                if _is_series_of_other_kind(case, error):
                    _leave_out(case, error)
                    continue
                failures[name] = kinds.log(name, error)
                report_case(FAILED, name, reason=failures[name])
            else:
                logger.info("case %s: %s", name, plan or "its windows are not known before it runs")
                report_case(PLANNED, name, plan=None if plan is None else plan.describe())
    return _count_or_raise(failures, len(cases), kinds.shown)


def _run_case(
    evaluator: SupervisedEvaluator, reader: ReadAhead, claimed: AbstractContextManager[Any]
) -> tuple[list[str], dict[str, Any]]:
    """Run the evaluator over the next case; what its writers say was found, as texts and facts."""
    # else Ignite takes the generator of a run that failed up again, and the next case is not run
    evaluator.interrupt_resume_enabled = False
    evaluator.runs_single_cases = True  # the handlers go on from case to case
    item = reader.take_next()
    with claimed:
        reader.start_next(beside=_estimate_needed_bytes(evaluator, item))
        evaluator.data_loader = [list_data_collate([item])]
        del item
        evaluator.state.epoch_length = 1
        try:
            with together():  # all outputs of the case, or none
                evaluator.run()
            found = _find_found(evaluator.state.output)
        finally:  # the next case needs the memory
            evaluator.data_loader = []
            evaluator.state.dataloader = evaluator.state.batch = evaluator.state.output = None
    if evaluator.state.iteration != 1:
        raise RuntimeError(f"the engine ran {evaluator.state.iteration} batches of the case, not 1")
    return found


def _find_place(case: Mapping[str, Any]) -> dict[str, str]:
    """Where the image of a case, or its first channel, is read from, as a fact; none without."""
    paths = list_paths(case.get("image"))
    return {"image": os.path.abspath(paths[0])} if paths else {}


def _find_found(output: Any) -> tuple[list[str], dict[str, Any]]:
    """The texts and the facts that `add_found` has put into the output of a step."""
    items = output if isinstance(output, list) else [output]
    told = [item for item in items if isinstance(item, Mapping)]
    texts = [text for item in told for text in item.get(FOUND, ())]
    return texts, {name: fact for item in told for name, fact in item.get(FACTS, {}).items()}


def _log_done(case: str, found: Sequence[str], *, seconds: float) -> None:
    """Say in one line what was found in a case, and how long it took.

    On a terminal the line stands alone, above the bar, elsewhere it is part of the log.
    """
    line = f"case {case}: {', '.join([*found, f'{seconds:.1f} s'])}"
    if is_on_terminal() and logger.isEnabledFor(logging.INFO):
        tqdm.write(escape_unprintable(line), file=sys.stderr)
    else:
        logger.info("%s", line)


def _estimate_needed_bytes(evaluator: SupervisedEvaluator, item: Mapping[str, Any]) -> int:
    """Bytes of this computer's memory that the inferer will take for an item; 0 without a plan."""
    if not hasattr(evaluator.inferer, "plan"):
        return 0
    plan = _plan(evaluator.inferer, evaluator.network, item["image"])
    at = find_device(evaluator.network)
    return plan.needed_bytes if plan is not None and (at is None or at.type == "cpu") else 0


def _plan(inferer: Any, network: Any, image: Tensor) -> Plan | None:
    """The plan for an image of a dataset, on the device of the network."""
    return inferer.plan(image[None].to(find_device(network) or image.device), network)


def _is_series_of_other_kind(case: Mapping[str, Any], error: BaseException) -> bool:
    """Whether a case is one series of a study, of another kind than the bundle is for."""
    return ONE_OF in case and isinstance(find_root_cause(error), RefusedImageError)


def _find_series(case: Mapping[str, Any]) -> dict[str, str]:
    """The UID of a case that is one series of a study, as a fact; none of another case."""
    image = case.get("image")
    if ONE_OF not in case or not isinstance(image, str):
        return {}
    _, uid = split_series_path(Path(image))
    return {} if uid is None else {"series_uid": uid}


def _leave_out(case: Mapping[str, Any], error: BaseException) -> str:
    """Log and report that a series is left out; the reason."""
    reason, shown = describe_failure(error)
    logger.warning("case %s is left out: %s", case["case"], shown)
    report_case(LEFT_OUT, case["case"], reason=reason, **_find_series(case))
    forget_frames(error)
    return reason


def _check_outputs(
    watch: Watch, made: Mapping[str, Sequence[Path]], failures: dict[str, str], *, total: int
) -> None:
    """Fail cases whose outputs are gone by now, or were changed by another program."""
    lost = set(watch.find_lost())
    changed = set(watch.find_changed())
    for case, files in made.items():
        gone = [file.name for file in files if file in lost]
        other = [file.name for file in files if file in changed]
        if gone or other:
            what = "is no longer in" if gone else "was changed by another program in"
            failures[case] = (
                f"{shorten_list(gone or other)} was written and {what} {files[0].parent}"
            )
            logger.error("case %s failed: %s", case, failures[case])
            report_case(FAILED, case, reason=failures[case])
    if any(case in failures for case in made):
        raise CasesFailedError(failures, total, remain=[c for c in made if c not in failures])
    if not failures:
        watch.check()


def _count_or_raise(failures: dict[str, str], total: int, shown: Mapping[str, str]) -> int:
    """The number of cases; raises if any failed."""
    if failures:
        raise CasesFailedError(failures, total, shown=shown)
    return total
