"""Prune: score every level of a trained bundle, and export the smallest good enough one.

Train once, choose the depth afterwards: each head X(0,1) to X(0,L) of a network trained with deep
supervision is a network of its own. What each of them scores on the validation cases, and what it
costs on this machine, is measured here. The network is cut in `medseg.networks.NestedUNet.prune`,
by the nodes that `medseg.networks.Topology.prune` keeps.

Source: Zhou, Siddiquee, Tajbakhsh and Liang 2018, sections 3.2 and 4: pruning at L3 took 32.2 % off
the inference time for 0.6 points of IoU.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from medseg.base.console_streams import log_from, show_table
from medseg.base.files import check_folder
from medseg.base.scratch import remove_abandoned
from medseg.base.text import count_noun
from medseg.base.watch import Watch
from medseg.bundles.bundle import is_run, refuse_existing
from medseg.bundles.catalogue.locate import LOCAL, is_installed
from medseg.bundles.copy import write_copy
from medseg.bundles.pruning.level_evaluation import LevelEvaluation
from medseg.bundles.pruning.report import ALL_HEADS, CSV, PLOT, Row, format_card, make_table, write
from medseg.networks import NestedUNet

logger = logging.getLogger(__name__)

TOLERANCE_POINTS = 0.6
"""Points of IoU that a level may be below the best one: as much as L3 lost in the paper."""

LOW_IOU = 0.3
"""Mean IoU below which the choice of a level is warned of: a Dice of less than 0.46."""

REPEATS = 20


def prune_bundle(
    bundle: Path,
    *,
    out: Path | None = None,
    report_dir: Path | None = None,
    tolerance: float = TOLERANCE_POINTS,
    repeats: int = REPEATS,
    arguments: Sequence[str] = (),
) -> Path:
    """Score and measure every level of a bundle, write the report, and export the chosen level.

    The report is `prune.csv`, `prune.json` and `prune.png`; the scores of the cases are in a folder
    per level beside them. The chosen level is the smallest whose mean IoU lies at most `tolerance`
    points below that of the best level; it becomes a bundle of its own, with the same keys, data
    and split.

    Args:
        bundle: folder of a bundle that was trained with deep supervision.
        out: folder of the pruned bundle, whose name becomes the bundle's; None for
            `<bundle>_pruned` beside it, in `bundles/` where the bundle is part of an
            installed medseg.
        report_dir: folder of the report; None for `runs/<name>/prune`, in a training run
            for `prune` inside it.
        tolerance: in points of IoU, 0 to 100.
        repeats: how often each level is timed, in turns; the median counts.
        arguments: overrides of the bundle's evaluate.json, as in `run_bundle`.

    Returns:
        The folder of the pruned bundle.

    Raises:
        FileNotFoundError: no such bundle, or it has no weights.
        FileExistsError: `out` is there already.
        OSError: `out` or `report_dir` cannot be written, or the report is gone at the end.
        ValueError: an option out of range, an override that is not a key, a network with a single
            head, weights that do not fit; after the evaluation, a level without a score.

    Example:
        >>> prune_bundle(Path("bundles/liver"), tolerance=1.0)  # doctest: +SKIP
        PosixPath('bundles/liver_pruned')
    """
    _check_options(tolerance, repeats)
    root = bundle.resolve()
    beside = LOCAL if is_installed(bundle) else root.parent
    out = out or beside / f"{root.name}_pruned"
    evaluation = LevelEvaluation(bundle, arguments)
    refuse_existing(out, option="--out")
    report_dir = report_dir or (root if is_run(root) else Path("runs") / root.name) / "prune"
    for folder in (out, report_dir):
        check_folder(folder)
    with closing(Watch()) as watch:
        remove_abandoned(out.parent)
        remove_abandoned(report_dir, levels=1)
        network = evaluation.build_trained_network()
        rows = _measure_rows(evaluation, network, report_dir=report_dir, repeats=repeats)
        iou = {level: rows[f"L{level}"].iou for level in network.topology.levels}
        level = choose_level(iou, tolerance=tolerance)
        _warn_of_scores(rows[ALL_HEADS].iou, max(iou.values()), name=root.name, tolerance=tolerance)
        asked = {"out": str(out), "tolerance_points": tolerance, "repeats": repeats}
        about = {**evaluation.describe(), **asked}
        table = list(rows.values())
        write(report_dir, table, chosen=f"L{level}", about=about)
        logger.info("%s and %s: %s", CSV, PLOT, report_dir)
        show_table(make_table(table, chosen=f"L{level}"))
        note = f"{root.name} pruned at level {level} of {max(iou)} by `medseg prune`"
        write_copy(
            bundle,
            out,
            changes={**evaluation.read_choices(), "level": level, "encoder_weights": None},
            weights=network.prune(level).state_dict(),
            weights_of=evaluation.weights,
            scores={f"{about['section']}_mean_dice": round(rows[f"L{level}"].dice, 4)},
            card=format_card(out.name, table, chosen=f"L{level}", about=about, note=note),
            note=note,
        )
        watch.check()
    logger.info("level %d is the smallest within %g points of IoU: %s", level, tolerance, out)
    return out


def choose_level(iou: Mapping[int, float], *, tolerance: float) -> int:
    """The smallest level whose IoU lies at most `tolerance` points (hundredths) below the best.

    Example:
        >>> choose_level({1: 0.70, 2: 0.891, 3: 0.896, 4: 0.90}, tolerance=0.6)
        3
    """
    lowest = (
        max(iou.values()) - tolerance / 100 - 1e-9
    )  # a difference of exactly the tolerance passes
    return min(level for level, value in iou.items() if value >= lowest)


def _warn_of_scores(all_heads: float, best: float, *, name: str, tolerance: float) -> None:
    """Warn if no level is useful, or none is as good as the unpruned network."""
    if best == 0:
        logger.warning(
            "no level of %s finds anything, every IoU is 0: train it for longer before its depth "
            "is chosen",
            name,
        )
    elif best < LOW_IOU:
        logger.warning(
            "the best level of %s has a mean IoU of only %.1f %%: train it for longer before its "
            "depth is chosen",
            *(name, 100 * best),
        )
    if 100 * (all_heads - best) > tolerance:
        logger.warning(
            "all heads together, which the unpruned network computes, have %.1f points of IoU more "
            "than the best level: use the unpruned network where these count",
            100 * (all_heads - best),
        )


def _check_options(tolerance: float, repeats: int) -> None:
    if not 0 <= tolerance <= 100 or repeats < 1:
        raise ValueError(
            f"pruning needs a tolerance of 0 to 100 points and 1 or more repeats, got {tolerance} "
            f"and {repeats}: pass for instance --tolerance {TOLERANCE_POINTS} --repeats {REPEATS}"
        )


def _measure_rows(
    evaluation: LevelEvaluation, network: NestedUNet, *, report_dir: Path, repeats: int
) -> dict[str, Row]:
    """A row for each level, and one for all heads together."""
    choices: dict[str, int | None] = {f"L{level}": level for level in network.topology.levels}
    choices[ALL_HEADS] = None
    scores = {}
    for step, (name, level) in enumerate(choices.items(), start=1):
        with log_from(logging.getLogger("medseg"), logging.WARNING):  # the rest is in its folder
            found = scores[name] = evaluation.score_level(level, report_dir / name)
        means = f"mean IoU {100 * found['iou']:.2f} %, mean Dice {100 * found['dice']:.2f} %"
        cases = count_noun(int(found["cases"]), "case")
        logger.info("%d of %d: %s, %s of %s", step, len(choices), name, means, cases)
    logger.info("timing each level %s", count_noun(repeats, "time"))
    networks = {name: network.prune(n) if n else network for name, n in choices.items()}
    costs = evaluation.measure_costs(networks, repeats=repeats)
    return {name: Row.make(name, scores[name], costs[name]) for name in choices}
