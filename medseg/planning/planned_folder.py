"""Planned folder: what was found in a folder of images and labels, and planned for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medseg.base.text import count_noun
from medseg.datasets import fold_split, prepared
from medseg.datasets.own.readers.agreement import FILE as AGREEMENT_FILE
from medseg.datasets.own.readers.agreement import write_agreement
from medseg.datasets.own.readers.combine import MEAN
from medseg.planning.case_facts import CaseFacts
from medseg.planning.checks.doubts import Doubt
from medseg.planning.describe_split import describe_split
from medseg.planning.fingerprint import Fingerprint
from medseg.planning.plan import (
    FEWEST_CASES,
    FOLDS,
    TEST_SHARE,
    count_training_cases,
    find_slices,
    make_plan,
)
from medseg.planning.reader_targets import ReaderTargets
from medseg.planning.task import Choice, Preset, make_task

LISTS = Path("data")
"""Folder of the datalists, below the working directory."""

LIST_FILES = (prepared.FILE, AGREEMENT_FILE)
"""What `PlannedFolder.write_datalist` writes into the folder of its datalist."""


@dataclass(frozen=True)
class PlannedFolder:
    """What was found in a folder of images and labels, and planned for it.

    Attributes:
        name: of the bundle.
        items: the cases, as a datalist has them, with absolute paths.
        found: what the cases have in common.
        choices: what was chosen, and why.
        classes: class name -> label values.
        datalist_dir: folder of the datalist.
        folds: how many folds the cases came with; None where they are to be chosen.
        dicom_rows: of DICOM: case, folder of the series, object, and what its names became.
        readers: what was made of their labels; None where each case has one label.
        facts: of each case.
        doubts: cases that differ from the others.
        preset: size of network and training.
        notes: what was told of the data while it was planned, a line each.
        in_slices: whether it is for a network in 2D that goes through volumes slice by slice.
    """

    name: str
    items: Sequence[Mapping[str, Any]]
    found: Fingerprint
    choices: Sequence[Choice]
    classes: Mapping[str, Sequence[int]]
    datalist_dir: Path
    folds: int | None = None
    dicom_rows: Sequence[tuple[str, str, str, str]] = ()
    readers: ReaderTargets | None = None
    facts: Sequence[CaseFacts] = ()
    doubts: Sequence[Doubt] = ()
    preset: Preset = "small"
    notes: Sequence[str] = ()
    in_slices: bool = False

    @property
    def slices(self) -> int:
        """Slices of a case that an epoch uses; 1 where a case goes through the network whole."""
        return find_slices(self.found, self.preset).per_case if self.in_slices else 1

    @property
    def task(self) -> dict[str, Any]:
        """The content of the task file."""
        return make_task(
            self.name,
            self.choices,
            classes=self.classes,
            values=self.found.values,
            dataset_dir=self.datalist_dir.as_posix(),
        )

    def with_patch(self, most_voxels: int) -> PlannedFolder:
        """A copy whose patches have so many voxels at most, with what follows from that."""
        plan = make_plan(
            self.found, preset=self.preset, most_voxels=most_voxels, in_slices=self.in_slices
        )
        made = {one.key: one for one in plan}
        keys = ("image_size", "strides", "kernel_size", "channels")
        kept = [choice for choice in self.choices if choice.key not in keys]
        return replace(self, choices=[*kept, *(made[key] for key in keys if key in made)])

    def cut_into_slices(self, name: str) -> PlannedFolder:
        """The plan of a network in 2D for the same volumes, slice by slice, under another name.

        Raises:
            ValueError: the labels are soft, of which no slices are cut.
        """
        if self.readers is not None and self.readers.method == MEAN:
            raise ValueError(
                "soft labels are learnt in 3D alone: leave --dims out, or pass another --readers"
            )
        in_3d = {choice.key for choice in make_plan(self.found, preset=self.preset)}
        plan = make_plan(self.found, preset=self.preset, in_slices=True)
        others = [choice for choice in self.choices if choice.key not in in_3d]
        return replace(self, name=name, choices=[*plan, *others], in_slices=True)

    def with_choice(self, key: str, value: Any, why: str) -> PlannedFolder:
        """A copy with another value of a key."""
        others = [choice for choice in self.choices if choice.key != key]
        return replace(self, choices=[*others, Choice(key, value, why)])

    def describe_split(self, *, folds: int = FOLDS, seed: int = 0) -> list[str]:
        """How the cases are split, see `describe_split`; nothing before the datalist is there.

        Args:
            folds: of a training.
            seed: of its split.
        """
        path = self.datalist_dir / prepared.FILE
        if not path.is_file():
            return []
        empty = {
            one.case for one in self.facts if not any(map(one.counts.get, filter(None, one.counts)))
        }
        return describe_split(prepared.read_split(path, folds=folds, seed=seed), empty=empty)

    def count_training_cases(self, task: Mapping[str, Any]) -> int:
        """How many cases a training learns from, in the mean over the folds of a task.

        Before the datalist is there, it is an estimate.
        """
        folds, path = task.get("folds", FOLDS), self.datalist_dir / prepared.FILE
        if not path.is_file():
            return count_training_cases(self.found.cases, folds=folds)
        split = prepared.read_split(path, folds=folds, seed=task.get("split_seed", 0))["training"]
        numbers = {item["fold"] for item in split}
        return count_training_cases(len(split), folds=len(numbers), test_share=0)

    def fit_folds(self) -> PlannedFolder:
        """A copy with the seed of the datalist that was written, and no more folds than it has."""
        made = fold_split.read(self.datalist_dir / prepared.FILE)
        planned, folds, seed = self, int(made["folds"]), int(made["seed"])
        if seed:
            planned = planned.with_choice("split_seed", seed, "of the test patients and the folds")
        if self.folds is not None or folds >= FOLDS:
            return planned
        return planned.with_choice("folds", folds, "one for each patient that is not for testing")

    def write_datalist(self, *, seed: int = 0) -> Path:
        """Write the list of the cases, a fifth of the patients held out for testing.

        Patients for testing in the list that is there stay so with the same seed. Cases that came
        with folds keep them, and none is held out. Of several readers the table of
        reader against reader is written beside it.

        Raises as `medseg.datasets.prepared.write`, and ValueError where too few patients are left
        since cases have the same image; nothing is written then.
        """
        made = prepared.write(
            *(self.datalist_dir, self.name, self.items),
            test_share=TEST_SHARE,
            label_values=self.found.values,
            seed=seed,
            warn_of_few=False,
            own=True,
        )
        if not made["training"]:
            (self.datalist_dir / prepared.FILE).unlink()
            with suppress(OSError):  # it holds what was converted from DICOM
                self.datalist_dir.rmdir()
            patients = {item["patient"] for item in made["testing"]}
            raise ValueError(
                f"{describe_few(made['testing'], patients)}, for copies of an image count as "
                f"one, and no split may separate those: give cases of {FEWEST_CASES} or more"
            )
        if self.readers is not None:
            write_agreement(self.datalist_dir / AGREEMENT_FILE, self.readers.agreement)
        return self.datalist_dir / prepared.FILE


def describe_few(items: Sequence[Mapping[str, Any]], patients: Collection[str]) -> str:
    return f"the {count_noun(len(items), 'case')} are of {count_noun(len(patients), 'patient')}"
