"""History: the table epochs.csv of a run, a row for each epoch."""

import csv
import os
from pathlib import Path

from medseg.base.files import whole
from medseg.base.text import format_csv_cell
from medseg.engines.progress.lines import Epoch

HISTORY = "epochs.csv"
_PLAIN = ("epoch", "loss", "learning_rate", "seconds")


class History:
    """The epochs of a run, in its folder.

    The columns are `epoch`, `loss`, `learning_rate`, `seconds`, then each score of the validation
    by its name, and `NAME: CLASS` for the score NAME of each class. A cell is empty where an epoch
    had no validation. The file is written after each epoch, whole or not at all.

    Args:
        folder: of the run.

    Attributes:
        rows: the epochs by their number, each a column -> value.

    Raises:
        ValueError: in `begin`, a file that is damaged.
        OSError: it cannot be read, or in `add` written.

    Example:
        >>> history = History("runs/liver/2026-01-02_03-04-05")
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.path = Path(folder) / HISTORY
        self.rows: dict[int, dict[str, float]] = {}

    def begin(self, epoch: int) -> None:
        """Keep the epochs before this one, of a run that is resumed; drop all others.

        A run that was killed may already have a row for the epoch that it repeats.
        """
        found = _read(self.path) if epoch > 1 and self.path.is_file() else {}
        self.rows = {number: row for number, row in found.items() if number < epoch}

    def add(self, epoch: Epoch) -> None:
        """Add an epoch, and write the table."""
        row = {
            "epoch": float(epoch.number),
            "loss": epoch.loss,
            "learning_rate": epoch.learning_rate,
            "seconds": round(epoch.seconds, 3),
        }
        classes = {name_class(epoch.key, c): score for c, score in epoch.class_scores.items()}
        self.rows[epoch.number] = {**row, **epoch.scores, **classes}
        columns = list(dict.fromkeys([*_PLAIN, *(key for row in self._sort_rows() for key in row)]))
        with whole(self.path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([format_csv_cell(column) for column in columns])
            writer.writerows(
                [_format(row, column) for column in columns] for row in self._sort_rows()
            )

    def list_values(self, column: str) -> tuple[list[int], list[float]]:
        """The epochs that have a value in a column, and these values."""
        there = [(int(row["epoch"]), row[column]) for row in self._sort_rows() if column in row]
        return [epoch for epoch, _ in there], [value for _, value in there]

    def _sort_rows(self) -> list[dict[str, float]]:
        return [self.rows[number] for number in sorted(self.rows)]


def name_class(key: str, class_name: str) -> str:
    """The column of a class's score.

    Example:
        >>> name_class("val_mean_dice", "liver")
        'val_mean_dice: liver'
    """
    return f"{key}: {class_name}"


def _format(row: dict[str, float], column: str) -> str | int:
    if column == "epoch":
        return int(row["epoch"])
    return repr(row[column]) if column in row else ""


def _read(path: Path) -> dict[int, dict[str, float]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            read = [
                {column: float(value) for column, value in row.items() if value}
                for row in csv.DictReader(file, strict=True)
            ]
        return {int(row["epoch"]): row for row in read}
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise ValueError(
            f"{path} is damaged ({error}): remove it to continue without the earlier epochs"
        ) from error
