"""Case files: the place of the label map of each case in the folder of the outputs."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from medseg.base.files import remove
from medseg.base.lock import hold_within


class CaseFiles:
    """The files `<output_dir>/<case><ending>`, of which several runs may write different ones.

    Args:
        output_dir: folder, made if absent.
        ending: what follows the name of a case in the name of its label map, such as ".nii.gz".
        replaces: what follows the name of the case in the names of files that show an earlier label
            map, such as ".png".
        existing: "overwrite" replaces a label map that is there. With "refuse" and "skip" there was
            none when the run began, so one that is there now is of another run, and stays.

    Example:
        >>> CaseFiles("masks", ".nii.gz").make_way("study")
        PosixPath('masks/study.nii.gz')
    """

    def __init__(
        self,
        output_dir: str | os.PathLike,
        ending: str,
        *,
        replaces: Sequence[str] = (),
        existing: str = "overwrite",
    ) -> None:
        self.output_dir = Path(output_dir)
        self.ending = ending
        self.replaces = tuple(replaces)
        self.replace = existing == "overwrite"

    def make_way(self, case: str) -> Path:
        """The path of a label map that is to be written; what shows an earlier one is removed."""
        path = self.output_dir / f"{case}{self.ending}"
        if self.replace or not path.exists():
            for end in self.replaces:
                remove(self.output_dir / f"{case}{end}")
        return path

    @contextmanager
    def claim(self, case: str) -> Iterator[None]:
        """Keep other runs from writing outputs of a case while the block computes and writes them.

        Two runs may share a folder, as long as each case is of one of them: else the label map
        could be of one and the probabilities, objects or preview of the other.

        Raises:
            FileExistsError: another run computes the case just now, or has written its label map
                since this run began.
            OSError: the folder cannot be made or written to.
        """
        path = self.output_dir / f"{case}{self.ending}"
        with hold_within(self.output_dir / f".{case}.lock") as mine:
            if not mine:
                raise FileExistsError(
                    f"another run is computing {path} now: wait for it, or give each run a folder "
                    "of its own"
                )
            if not self.replace and os.path.lexists(path):
                raise FileExistsError(
                    f"{path} was written by another run at the same time and is kept: give each "
                    "run a folder of its own"
                )
            yield
