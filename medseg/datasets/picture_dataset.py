"""Picture dataset: a dataset of pictures that `medseg prepare` writes anew as PNG files."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from medseg.datasets import output_folder, prepared
from medseg.datasets.sources.dataset_json import Item


@dataclass(frozen=True)
class PictureDataset:
    """What differs between the datasets of pictures.

    Attributes:
        name: as `medseg prepare` has it.
        convert: reads the published set, a folder or an archive, writes the pictures of each case
            below a folder, and gives the cases for training and the published test cases.
        label_values: every value that a mask may have.
        test_share: share of the patients held out for testing, whatever the fold, where no test
            cases are published; None for none.
        unit: what counts as a patient, in a word.
        options: names of the options of `prepare`: none.
    """

    name: str
    convert: Callable[[Path, Path], tuple[list[Item], list[Item]]]
    label_values: tuple[int, ...]
    test_share: float | None = None
    unit: str = "patient"
    options: ClassVar[tuple[str, ...]] = ()

    def prepare(self, source: str | os.PathLike[str], out: str | os.PathLike[str]) -> int:
        """Convert the published set, see the top of its module; return the number of cases.

        Cases that are done are left as they are, unless a published file of them has changed. So an
        interrupted run can be repeated: it ends with the files of a run that was not interrupted.

        Args:
            source: the folder of the set, or its archive.
            out: folder to write, made if absent.

        Raises:
            FileNotFoundError: no such source, or no cases of the set in it.
            ValueError: `out` is refused, see `check_output_folder`; a damaged archive, a picture
                without its mask or the other way round, or two files of one name: then nothing is
                written; an unreadable file, an empty mask, or one of another size or with other
                values than published: then the cases before it are done. The message names the
                file or the case.

        Example:
            >>> nuclei.prepare("stage1_train.zip", "data/nuclei")  # doctest: +SKIP
            598
        """
        output_folder.check_output_folder(out, source, name=self.name)
        training, testing = self.convert(Path(source), Path(out))
        prepared.write(
            *(out, self.name, training),
            testing=testing,
            test_share=None if testing else self.test_share,
            label_values=self.label_values,
        )
        return len(training) + len(testing)
