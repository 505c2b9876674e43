"""Overlays: a few validation cases as the training sees them, epoch by epoch."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from ignite.engine import Engine, Events
from torch import Tensor

from medseg.base.files import whole
from medseg.base.masks import compute_dice
from medseg.base.text import escape_unprintable
from medseg.evaluation.view import View, make_view
from medseg.inference.outputs.source import get_case_name, list_files
from medseg.inference.preview.caption import About, write_legend
from medseg.inference.preview.overlay import choose_colours, draw_overlay
from medseg.inference.preview.page import (
    GREY,
    LARGE,
    Block,
    draw_bar,
    draw_page,
    lay_out,
    put_beside,
    show,
    stack,
    write,
    write_paragraph,
)

FOLDER = "overlays"
"""Folder of the pictures, in that of a run."""

PICTURE = "epoch_{:04d}.png"
_TILE, _WIDTH = 290, 320
_MANY = 4
"""Classes of which each has its own Dice below a picture; of more the mean is shown."""
_PAGE = 3 * _WIDTH + 40


@dataclass(frozen=True)
class _Shot:
    """A case in one validation: its name, its view, and the Dice of each class in it."""

    name: str
    view: View
    dice: list[float]


class Judge(Protocol):
    """What judges a validation, such as `medseg.engines.BestWeights`."""

    epoch: int
    """The epoch of the best score so far."""


class Overlays:
    """Trainer handler that draws a few fixed validation cases, the truth above the prediction.

    It draws after the validations number 1, 2, 4, 8, ..., whenever the best score improves, and
    after the last epoch: `overlays/epoch_0004.png` in the run's folder, and in TensorBoard under
    Images. The cases are those of the first validation that lie a third of it apart (for three
    cases) and hold some truth; each is shown in the same plane every time, where its truth is
    largest, as the network sees it. Attach it after the handler of the best weights, in the first
    process of a run alone.

    Args:
        output_dir: folder of the run.
        evaluator: engine of the validation.
        best_weights: the handler that judges it.
        classes: names of the classes 1, 2, ...
        count: cases; 0 draws nothing.
        title: of the pictures, such as the name of the bundle.
        summary_writer: of TensorBoard; None for the files alone.

    Raises:
        ValueError: a negative count.
        OSError: after a validation, if a file cannot be written.

    Example:
        >>> Overlays("runs/liver/1", evaluator=evaluator, best_weights=best,
        ...          classes=["liver"]).attach(trainer)  # doctest: +SKIP
    """

    def __init__(
        self,
        output_dir: str | os.PathLike,
        *,
        evaluator: Engine,
        best_weights: Judge,
        classes: Sequence[str],
        count: int = 3,
        title: str = "",
        summary_writer: Any = None,
    ) -> None:
        if count < 0:
            raise ValueError(
                f"overlay_cases must be 0 or more validation cases, got {count}: pass 0 for none"
            )
        self.folder = Path(output_dir) / FOLDER
        self.evaluator = evaluator
        self.best_weights = best_weights
        self.classes = list(classes)
        self.count = count
        self.title = title
        self.writer = summary_writer
        self._chosen: dict[int, View] = {}
        self._is_chosen = False
        self._shots: list[_Shot] = []
        self._validations = 0

    def attach(self, engine: Engine) -> None:
        """Follow the validation."""
        if self.count:
            self.evaluator.add_event_handler(Events.STARTED, self.begin)
            self.evaluator.add_event_handler(Events.ITERATION_COMPLETED, self.keep_plane)
            self.evaluator.add_event_handler(Events.COMPLETED, self, engine)

    def begin(self, evaluator: Engine) -> None:
        """Forget the pictures of the validation before."""
        self._shots = []

    def keep_plane(self, evaluator: Engine) -> None:
        """Keep the plane of a case that is one of the chosen ones."""
        number = evaluator.state.iteration - 1
        if self._is_chosen and number not in self._chosen:
            return
        item, output = evaluator.state.batch[0], evaluator.state.output[0]
        if not self._is_chosen:
            target = len(self._chosen) * evaluator.state.epoch_length / self.count
            if len(self._chosen) == self.count or number < target:
                return
            if not output["label"][1:].any():  # without the background
                return
        label, pred = output["label"], output["pred"]
        view = self._chosen.get(number)
        if view is None or not _shows(view, label):
            view = self._chosen[number] = _place_view(item, label)
        self._shots.append(_Shot(_name_case(item), _fill(view, pred), _measure_dice(pred, label)))

    def __call__(self, evaluator: Engine, trainer: Engine) -> None:
        """Draw the cases if it is time."""
        self._is_chosen = self._is_chosen or bool(self._chosen)
        self._validations += 1
        epoch = trainer.state.epoch
        is_power = self._validations & (self._validations - 1) == 0
        is_last = epoch == trainer.state.max_epochs
        if self._shots and (is_power or is_last or self.best_weights.epoch == epoch):
            self._draw(evaluator, epoch)
        self._shots = []

    def _draw(self, evaluator: Engine, epoch: int) -> None:
        key = evaluator.state.key_metric_name
        score = float(evaluator.state.metrics[key])
        is_best = self.best_weights.epoch == epoch and round(score, 4) != 0  # at 0 nothing is found
        title = f"{self.title}, epoch {epoch}: {key} {score:.4f}{', the best so far' * is_best}"
        colours = choose_colours(on_colour=any(s.view.shades.ndim == 3 for s in self._shots))
        columns = [_draw_shot(shot, self.classes, colours) for shot in self._shots]
        legend = write_legend(enumerate(self.classes, start=1), About(), _PAGE, colours=colours)
        heading = write_paragraph(escape_unprintable(title), _PAGE, size=LARGE)
        page = draw_page(stack([heading, lay_out(columns, _PAGE, gap=20), legend], gap=16))
        with whole(self.folder / PICTURE.format(epoch)) as partial:
            page.save(partial, format="png")
        if self.writer is not None:
            self.writer.add_image(FOLDER, np.asarray(page), epoch, dataformats="HWC")
            self.writer.flush()


def _place_view(item: Mapping[str, Any], label: Tensor) -> View:
    """The view of a case, which no prediction changes; `pred` says which voxel each pixel is."""
    image = item["image"]
    affine = np.asarray(getattr(image, "affine", np.eye(4)), dtype=float)
    voxels = torch.arange(label[0].numel(), dtype=torch.int32).reshape(1, *label.shape[1:])
    is_slice = "slice" in item and image.ndim == 3
    if is_slice:
        image, label, voxels = (_turn_upright(x) for x in (image, label, voxels))
    view = make_view(image, _number_classes(label), voxels[0].numpy(), affine, by_truth=True)
    if is_slice:
        place = f"axial, slice {item['slice'] + 1} from the feet up"
        view = replace(view, place=place, sides=("R", "L"))
        if hasattr(item["image"], "affine"):
            view = _measure_in_mm(view, affine)
    return view


def _fill(view: View, masks: Tensor) -> View:
    """A view from `_place_view` with what a prediction says of its voxels."""
    return replace(view, pred=_cut(masks, view.pred))


def _shows(view: View, label: Tensor) -> bool:
    """Whether the truth of a view is that of a label: a validation may draw its cases anew."""
    if view.pred.max() >= label[0].numel():
        return False
    return np.array_equal(_cut(label, view.pred), view.true)


def _cut(masks: Tensor, voxels: np.ndarray) -> np.ndarray:
    """The class indices of some voxels, in the shape of their numbers."""
    numbers = torch.from_numpy(voxels.astype(np.int64)).to(masks.device)
    return _number_classes(masks.flatten(1)[:, numbers])


def _measure_dice(pred: Tensor, label: Tensor) -> list[float]:
    """The Dice of each class."""
    masks = zip(_to_masks(pred), _to_masks(label), strict=True)
    return [compute_dice(found, true) for found, true in masks]


def _turn_upright(plane: Tensor) -> Tensor:
    """A slice (channels, I, J) in RAS with the front on top and the patient's right on the left."""
    return torch.as_tensor(plane).flip(1, 2).transpose(1, 2)


def _measure_in_mm(view: View, affine: np.ndarray) -> View:
    """The view of a slice that is upright, whose columns lie along the first axis."""
    per_column, per_row = np.linalg.norm(affine[:3, :2], axis=0)
    width, height = view.size
    return replace(view, size=(width * per_column, height * per_row), unit="mm")


def _to_masks(channels: Tensor) -> np.ndarray:
    """The masks of all classes but the background."""
    return channels[1:].cpu().float().numpy() > 0


def _name_case(item: Mapping[str, Any]) -> str:
    if "case" in item:
        return str(item["case"])
    files = list_files(item["image"])
    return get_case_name(Path(files[0])) if files else "case"


def _number_classes(masks: Tensor) -> np.ndarray:
    """Class indices, (*spatial), of masks with the background first; inner regions lie on top."""
    numbered = np.zeros(masks.shape[1:], np.uint8)
    for index, mask in enumerate(masks[1:].cpu().float().numpy(), start=1):
        numbered[mask > 0] = index
    return numbered


def _describe_dice(dice: Mapping[str, float]) -> str:
    """The Dice of each class that is there, or the mean of many."""
    known = {name: value for name, value in dice.items() if not np.isnan(value)}
    if len(known) > _MANY:
        return f"mean Dice {sum(known.values()) / len(known):.2f} of {len(known)} classes"
    return f"Dice: {', '.join(f'{name} {value:.2f}' for name, value in known.items()) or 'none'}"


def _draw_shot(shot: _Shot, classes: Sequence[str], colours: Sequence[Any]) -> Block:
    view = shot.view
    scale = min(_TILE / side for side in view.size)
    size = max(1, round(view.size[0] * scale)), max(1, round(view.size[1] * scale))
    left, right = (write(letter, colour=GREY) for letter in view.sides)

    def frame(indices: np.ndarray) -> Block:
        picture = show(draw_overlay(view.shades, indices, size, colours=colours))
        return put_beside([left, picture, right], gap=4, centred=True)

    scores = _describe_dice(dict(zip(classes, shot.dice, strict=False)))
    return stack(
        [
            write_paragraph(escape_unprintable(shot.name), _WIDTH),
            write_paragraph(" · ".join(filter(None, [view.place, "truth"])), _WIDTH, colour=GREY),
            frame(view.true),
            write_paragraph(escape_unprintable(f"prediction; {scores}"), _WIDTH, colour=GREY),
            frame(view.pred),
            draw_bar(scale, max(size[0] / 3, scale), view.unit),
        ],
        gap=4,
    )
