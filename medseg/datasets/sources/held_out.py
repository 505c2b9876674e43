"""Held out: keep the patients that an earlier list has for testing when cases come or go."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from medseg.base.text import shorten_list
from medseg.datasets import fold_split
from medseg.datasets.sources.dataset_json import Item

logger = logging.getLogger(__name__)

DIGEST = "digest"
"""Key of an item, of its image's values: cases are known by it, whatever they are called."""

HELD_OUT = "held_out"
"""Marks an item whose patient was chosen for testing here, in contrast to published ones."""


def keep_test_patients(
    items: Sequence[Item], former: Mapping[str, Any], *, share: float, seed: int
) -> set[str] | None:
    """The patients for testing: those of the earlier list, and a share of those that are new.

    So weights that were trained on the earlier list have seen none of them.

    Args:
        items: the cases there are now, each with its `DIGEST`.
        former: the earlier datalist.
        share: of the new patients that are for testing.
        seed: of the choice among these.

    Returns:
        None where all are chosen anew, since the earlier list had another seed or no digests, or
        none of its test cases is left.
    """
    tested, trained = (
        {item[DIGEST] for item in former[section] if DIGEST in item}
        for section in ("testing", "training")
    )
    kept = {item["patient"] for item in items if item[DIGEST] in tested}
    known = {item["patient"] for item in items if item[DIGEST] in tested | trained}
    fresh = [item for item in items if item["patient"] not in known]
    count = len({item["patient"] for item in fresh})
    if former["seed"] != seed or not kept or len(kept) == len(known) + count:
        return None
    if count < 2 or round(share * count) == 0:
        return kept
    return kept | {item["patient"] for item in fold_split.hold_out(fresh, share, seed=seed)[1]}


def warn_of_trained_tests(testing: Sequence[Item], former: Mapping[str, Any]) -> None:
    """Say which cases are for testing now, and were not in the earlier list."""
    trained = {item.get(DIGEST) for item in former["training"]} - {None}
    if moved := [item["case"] for item in testing if item.get(DIGEST) in trained]:
        logger.warning(
            "for testing now, and for training in the list before: %s; weights trained before have "
            "seen them: train again before you score --section test",
            shorten_list(moved),
        )
