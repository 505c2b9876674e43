"""File dataset: a dataset whose files a bundle reads as published, or as `medseg prepare` copied
them.
"""

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medseg.datasets import output_folder, prepared
from medseg.datasets.fold_split import build, hold_out, select
from medseg.datasets.sources import msd
from medseg.datasets.sources.copy_cases import copy_cases
from medseg.datasets.sources.dataset_json import Item
from medseg.datasets.sources.layouts import BY_EITHER_OPTION, is_other_task, make_not_found_error
from medseg.datasets.sources.msd_folders import describe_tasks_below

VOLUME_OPTIONS = ("volume", "affine", "units")
"""Options of `prepare` for volume files, see `medseg.ingest.load`."""


@dataclass(frozen=True)
class FileDataset:
    """What differs between the datasets whose files are copied and not converted.

    Attributes:
        name: as `medseg prepare` has it.
        find_cases: gives the training and the test cases of a folder as published, with absolute
            paths; no training cases where the folder has another layout.
        label_values: every value that a label map may have.
        looked_for: the files that make the layout, in words.
        give: what to give where they are not there, in words.
        folders: key of a file -> its folder in a prepared set.
        test_share: share of the patients held out for testing, whatever the fold; None where only
            the published test cases are for testing.
        task: name of its task folder in the Medical Segmentation Decathlon; "" for none.
        phantom: kind of phantom that has this layout, offered where there is no data; "" for none.
        unit: what counts as a patient, in a word.
        options: names of the options of `prepare`.
    """

    name: str
    find_cases: Callable[[Path], tuple[list[Item], list[Item]]]
    label_values: tuple[int, ...]
    looked_for: str
    give: str
    folders: Mapping[str, str]
    test_share: float | None = None
    task: str = ""
    phantom: str = ""
    unit: str = "patient"
    options: tuple[str, ...] = ()

    def list_cases(
        self,
        dataset_dir: str | os.PathLike[str],
        section: str = "training",
        *,
        fold: int = 0,
        folds: int = 5,
        seed: int = 0,
    ) -> list[Item]:
        """List the cases of one section, for a bundle's dataset.

        Args:
            dataset_dir: folder as published, the folder that holds it, or one that `prepare` wrote;
                a relative one starts from the working directory.
            section: "training" (every fold but `fold`), "validation" (`fold`) or "test" (the
                published test cases, with a label where it is known, and those held out by `seed`
                alone).
            fold: the fold kept for validation, 0 to folds - 1.
            folds: number of folds.
            seed: seed of the cases held out and of the folds.

        Returns:
            Dictionaries with the absolute paths "image" and "label", "case" and "patient".

        Raises:
            FileNotFoundError: no data there; the message names where to get them.
            ValueError: no file can be used, a section or fold has no cases, too few cases.

        Example:
            >>> lits.list_cases("data/liver", "validation", fold=1)  # doctest: +SKIP
            [{"image": "/data/liver/imagesTr/liver_4.nii.gz", "label": ..., "case": "liver_4"}, ...]
        """
        if prepared.is_prepared(dataset_dir):
            return prepared.list_cases(dataset_dir, section, fold=fold, folds=folds, seed=seed)
        return self.list_published_cases(dataset_dir, section, fold=fold, folds=folds, seed=seed)

    def list_published_cases(
        self,
        dataset_dir: str | os.PathLike[str],
        section: str = "training",
        *,
        fold: int = 0,
        folds: int = 5,
        seed: int = 0,
    ) -> list[Item]:
        """List the cases of one section as `list_cases` does, by the files alone."""
        return select(self.make_datalist(dataset_dir, folds=folds, seed=seed), section, fold=fold)

    def make_datalist(
        self, dataset_dir: str | os.PathLike[str], *, folds: int = 5, seed: int = 0
    ) -> dict[str, Any]:
        """Make the datalist of a folder as published, with absolute paths.

        Raises as `list_cases`.
        """
        training, testing = self._find(Path(dataset_dir).absolute())
        if self.test_share is not None:
            training, held = hold_out(training, self.test_share, seed=seed)
            testing = [*held, *testing]
        return build(self.name, training, testing=testing, folds=folds, seed=seed)

    def prepare(
        self, source: str | os.PathLike[str], out: str | os.PathLike[str], **reading: Any
    ) -> int:
        """Check every file of a folder as published and copy it; return the number of cases.

        `list_cases` reads the published folder as well; preparing adds the checks of
        `prepared.write`. A second run does what is left and what has changed. The label values are
        those that dataset.json declares, or else `label_values`.

        Args:
            source: the folder as published.
            out: the folder to write.
            reading: values of `options`, see `medseg.ingest.load`. With any of them each volume is
                rewritten as NIfTI.

        Raises:
            FileNotFoundError: no data in `source`.
            ValueError: no file can be used, or what `check_output_folder` or `prepared.write`
                refuses.
        """
        output_folder.check_output_folder(out, source, name=self.name)
        root, values = Path(source).absolute(), self.label_values
        if self.task and is_other_task(self.name, root):
            raise self._make_not_found_error(root)
        training, testing = (
            copy_cases(out, cases, parts=self.folders, reading=reading)
            for cases in self._find(root)
        )
        if self.task:
            values = msd.read_label_values(msd.find_task(root, self.task), values)
        prepared.write(
            *(out, self.name, training),
            testing=testing,
            test_share=self.test_share,
            label_values=values,
        )
        return len(training) + len(testing)

    def read_declared_values(
        self, dataset_dir: str | os.PathLike[str], label_values: Sequence[int]
    ) -> tuple[int, ...]:
        """The values that a label map of a folder may hold, for the reader of a bundle.

        These are the given ones that dataset.json declares too; all of them where there is none,
        where it declares none, or where `prepare` has checked the folder.

        Args:
            dataset_dir: as that of `list_cases`.
            label_values: those of the bundle.

        Raises:
            ValueError: dataset.json is broken, or declares none of them but the background.

        Example:
            >>> lits.read_declared_values("data/nothing", [0, 1, 2])  # doctest: +SKIP
            (0, 1, 2)
        """
        if prepared.is_prepared(dataset_dir):
            return prepared.read_declared_values(dataset_dir, label_values)
        task = msd.find_task(Path(dataset_dir).absolute(), self.task)
        return msd.choose_label_values(task, label_values)

    def _find(self, root: Path) -> tuple[list[Item], list[Item]]:
        training, testing = self.find_cases(root)
        if not training and not testing:
            raise self._make_not_found_error(root)
        return training, testing

    def _make_not_found_error(self, root: Path) -> FileNotFoundError:
        is_own = self.task and not is_other_task(self.name, root)
        if is_own and (below := describe_tasks_below(root)):
            return FileNotFoundError(f"no {self.name} data in {root} itself, {below}")
        remedy = f"give {self.give} {BY_EITHER_OPTION}"
        if self.phantom:
            is_free = not root.exists() or (root.is_dir() and not any(root.iterdir()))
            folder = shlex.quote(str(root)) if is_free else "DIR"
            remedy += (
                f", or make a synthetic set with `medseg phantom {self.phantom} --out {folder}`"
            )
        return make_not_found_error(self.name, root, looked_for=self.looked_for, remedy=remedy)
