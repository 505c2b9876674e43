"""Overlap-tile: a picture or volume predicted window by window, in bounded memory.

In `crop` mode each voxel is predicted once, and what the network says of the halo around it is cut
off. Where the halo covers the network's receptive field, the result is that of the whole image at
once, unless the network takes statistics of its window, as instance and group norm do. In `blend`
mode windows overlap and their weighted mean counts, as in MONAI's `sliding_window_inference`.

Source: Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", 2015, figure 2.
"""

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from math import prod
from typing import Any, cast

import torch
from monai.inferers import Inferer
from monai.utils import convert_to_dst_type
from torch import Tensor, nn

from medseg.base.class_values import Classes
from medseg.inference.outputs.source import list_files
from medseg.inference.predictor.predictor import CachedPerWeights, find_layers
from medseg.inference.tiles.canvas import Canvas, LabelCanvas, LogitsCanvas, open_probability_file
from medseg.inference.tiles.checks import check_mode, check_type, warn_of_content
from medseg.inference.tiles.expected_dice import ExpectedDice, keep_expected_dice
from medseg.inference.tiles.forward import Forward
from medseg.inference.tiles.mean_canvas import Companion, MeanCanvas
from medseg.inference.tiles.memory_plan import Plan, parse_bytes
from medseg.inference.tiles.memory_planner import Planner
from medseg.inference.tiles.settings import Settings
from medseg.inference.tiles.skip import Skip
from medseg.inference.tiles.sweep import CancelledError as CancelledError
from medseg.inference.tiles.sweep import Sweep
from medseg.inference.tiles.tiling import Numbers, Tiling
from medseg.inference.tiles.windows import Layout
from medseg.networks.device import require_device
from medseg.networks.output import takes_window_statistics

logger = logging.getLogger(__name__)

Target = str | os.PathLike

PATCH_FACTOR = 2.0
"""Windows with this many times more or fewer voxels than the training patch get a warning."""


class OverlapTileInferer(Inferer):
    """Predicts images (B, C, *spatial) window by window.

    Args:
        roi_size: voxels per axis that the network sees at once, or one number for all. In `crop`
            mode windows are as small as their number allows, and no larger than the image needs;
            in `blend` mode they have this size, as in MONAI.
        mode: "crop" or "blend".
        halo: for `crop`, the least voxels of context on each side, per axis or one number for all;
            "auto" for the receptive field.
        edge: for `crop`, "mirror" gives the voxels at the image's edge a mirrored halo, as the
            U-Net paper does; "network" leaves the edge to the network's own padding, as it is when
            the whole image goes through at once, and needs fewer windows; "zero" has windows of
            just `roi_size`, which see zeros beyond the edge, as training patches often do.
        overlap: for `blend`, the part of a window that overlaps with the next, in [0, 1).
        even: for `blend`, all windows overlap alike, as those of nnU-Net do; else the last one of
            an axis overlaps more, as in MONAI.
        weights: for `blend`, "gaussian", which is nowhere below a thousandth of its middle, as in
            MONAI, "nnunet", whose corners weigh next to nothing, or "constant".
        batch_size: windows that go through the network together.
        slices: the axis of a volume along which a 2D network goes slice by slice; `roi_size`,
            `halo` and `stride` are then those of the two other axes. None for a network of as many
            dimensions as the image.
        flips: axes for test-time flips: the logits are the mean over all combinations of them.
        level: prune the network to this level first, see `NestedUNet.prune`; the pruned network is
            in eval mode, whatever the mode of the whole one.
        skip: a number: only windows that hold a value above it are computed, and in `crop` mode
            windows cover no more than the box around such values and a halo. Or a function that
            says whether to skip a window (B, C, *size). A voxel that no window covers is
            background. None computes all.
        output: "logits" (B, classes, *spatial), float32 where windows blend or are flipped, else in
            the network's type, or "labels" (B, 1, *spatial), uint8, for which no more logits are
            held than those of a window, or of a slab in `blend` mode.
        classes: of the task; they tell how many channels the network gives, and whether these are
            regions, each with its sigmoid. None: any number, and the first of several is the
            background.
        probabilities: a function that gives, for the images, the path of a .npy file for their
            probabilities, see `ProbabilityFile`, or a context manager of that path, which ends
            after the file is there; None for no such file.
        companion: another network whose probabilities are averaged with those of the network, for
            one image at a time; None for none. What the skip excludes is background all the same.
        stride: total stride of the network, per axis or one number for all; "auto" for its
            attribute `total_stride`, 1 where it has none and needs none.
        patch_size: of the training patches. For a network that takes statistics of its window, a
            warning is logged once if windows have at least twice as many voxels, or at most half as
            many.
        device: where windows are computed; None for where the image is.
        memory_limit: memory that the inference may take in addition to image and weights, in bytes
            or as "6 GiB", but never more than is free; None for all that is free. An inference that
            needs more is refused before it begins.
        progress: show a progress bar.
        cancelled: asked before each batch of windows whether to stop.

    Raises:
        ValueError: an argument out of range; in `__call__`, see `Tiling.make_layout`, values that
            are not finite, a network in training with dropout or norms of running statistics, and
            logits that do not fit the window or the classes.
        TypeError: in `__call__`, images or logits that are no tensor.
        MemoryLimitError: in `__call__`, the memory does not suffice; a `ValueError` too.
        CancelledError: in `__call__`, `cancelled` returned True.

    Example:
        >>> inferer = OverlapTileInferer((128, 128, 64), halo=16, output="labels")
        >>> inferer(torch.zeros(1, 1, 300, 300, 100), network).shape  # doctest: +SKIP
        torch.Size([1, 1, 300, 300, 100])
    """

    def __init__(
        self,
        roi_size: Numbers,
        *,
        mode: str = "crop",
        halo: Numbers | str = "auto",
        edge: str = "mirror",
        overlap: float = 0.25,
        even: bool = False,
        weights: str = "gaussian",
        batch_size: int = 1,
        slices: int | None = None,
        flips: Sequence[int] = (),
        level: int | None = None,
        skip: Skip | None = None,
        output: str = "logits",
        classes: Classes | None = None,
        probabilities: Callable[[Tensor], Target | AbstractContextManager[Target]] | None = None,
        companion: Companion | None = None,
        stride: Numbers | str = "auto",
        patch_size: Sequence[int] | None = None,
        device: str | torch.device | None = None,
        memory_limit: int | str | None = None,
        progress: bool = False,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        super().__init__()
        self.tiling = Tiling(
            roi_size=roi_size,
            mode=mode,
            halo=halo,
            edge=edge,
            overlap=overlap,
            even=even,
            slices=slices,
            stride=stride,
            skip=skip,
        )
        self.settings = Settings(
            tiling=self.tiling,
            weights=weights,
            batch_size=batch_size,
            flips=flips,
            output=output,
            classes=classes,
            probabilities=probabilities is not None,
            patch_size=patch_size,
            device=None if device is None else require_device(device),
            memory_limit=None if memory_limit is None else parse_bytes(memory_limit),
        )
        self.level = level
        self.probabilities = probabilities
        self.companion = companion
        self.progress = progress
        self.cancelled = cancelled
        self._planner = Planner(self.settings)
        self._prune = CachedPerWeights(lambda network: cast(Any, network).prune(level).eval())
        self._warned = False

    @torch.no_grad()
    def __call__(
        self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any
    ) -> Tensor:
        """The result for whole images, (B, classes, *spatial) or (B, 1, *spatial), see `output`."""
        network = self._prepare(inputs, network)
        check_mode(network)
        image = inputs.as_subclass(Tensor)
        if (self.probabilities or self.companion) and len(image) != 1:
            raise ValueError(
                f"probabilities are written or averaged for one image at a time, got {len(image)}: "
                "pass them one by one"
            )
        layout = self._planner.plan(image, network).layout
        self._warn_of_size(layout, find_layers(network))
        warn_of_content(image, layout, list_files(inputs))

        forward = Forward(
            lambda windows: network(windows, *args, **kwargs),
            slices=self.tiling.slice_axis(image.ndim - 2),
            flips=self.settings.flips,
            channels=self.settings.channels,
        )
        with ExitStack() as stack:
            canvas = self._make_canvas(image, inputs, layout, stack)
            expected = ExpectedDice(canvas, regions=self.settings.regions)
            mean = self._open_companion(inputs, expected, stack)
            if mean is not None and mean.share == 1:
                mean.put_others(layout.slowest)
                answer = mean.get_result()
            else:
                given = expected if mean is None else mean
                sweep = Sweep(image, self.settings, layout=layout, forward=forward, canvas=given)
                answer = sweep.run(cancelled=self.cancelled, progress=self.progress)
        if len(image) == 1 and self.settings.classes is not None:
            keep_expected_dice(inputs, expected.list_values())
        return convert_to_dst_type(answer, inputs, dtype=answer.dtype)[0]  # with its meta data

    def plan(self, image: Tensor, network: Callable[..., Tensor]) -> Plan:
        """What `__call__` would compute and need for images (B, C, *spatial); nothing is computed.

        A companion computes its own before; a line of the log says what it needs then.

        Raises:
            ValueError: as `__call__` before its first window, except that a network in training
                mode is not refused: its plan is that of eval mode.
            TypeError: images that are no tensor.
            MemoryLimitError: as `__call__`, the memory does not suffice.
        """
        if self.companion is not None and self.companion.plan is not None:
            logger.info("companion: %s", self.companion.plan(image))
        return self._planner.plan(image, self._prepare(image, network))

    def _prepare(self, image: Tensor, network: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """Check the images, and return the network pruned to `level`."""
        if not isinstance(image, Tensor):
            raise TypeError(
                f"images must be a tensor (B, C, *spatial), got {type(image).__name__}: pass "
                "torch.as_tensor(image)"
            )
        check_type(image, find_layers(network))
        return self._prune_to_level(network)

    def _prune_to_level(self, network: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """The network pruned to `level`, made once for the same weights; itself for None."""
        if self.level is None:
            return network
        if not (isinstance(network, nn.Module) and hasattr(network, "prune")):
            raise ValueError(
                f"level {self.level} needs a network that can be pruned, got "
                f"{type(network).__name__}: prune it before it is wrapped in a Predictor, or pass "
                "level=None"
            )
        return self._prune(network)

    def _open_companion(
        self, inputs: Tensor, canvas: Canvas, stack: ExitStack
    ) -> MeanCanvas | None:
        """A canvas that averages with what the companion finds; None without a companion."""
        if self.companion is None:
            return None
        others = stack.enter_context(self.companion.find(inputs))
        share, regions = self.companion.share, self.settings.regions
        return MeanCanvas(canvas, others, share=share, regions=regions)

    def _make_canvas(
        self, image: Tensor, inputs: Tensor, layout: Layout, stack: ExitStack
    ) -> Canvas:
        """The canvas that takes the logits, inside a file of probabilities if one is wanted."""
        device, regions = image.device, self.settings.regions
        canvas: Canvas
        if self.settings.labels:
            shape = (image.shape[0], *image.shape[2:])
            canvas = LabelCanvas(shape, regions=regions, device=device)
        else:
            canvas = LogitsCanvas(image.shape[2:], regions=regions, device=device)
        if self.probabilities is None:
            return canvas
        target = self.probabilities(inputs)
        if not isinstance(target, str | os.PathLike):
            target = stack.enter_context(target)
        file = open_probability_file(
            target,
            canvas,
            size=image.shape[2:],
            regions=regions,
            axis=layout.slowest,
            filled=self.tiling.skip is not None,
        )
        return stack.enter_context(file)

    def _warn_of_size(self, layout: Layout, network: nn.Module | None) -> None:
        patch = self.settings.patch_size
        if self._warned or patch is None or network is None:
            return
        factor = prod(n for n in layout.size if n > 1) / prod(n for n in patch if n > 1)
        if 1 / PATCH_FACTOR < factor < PATCH_FACTOR or not takes_window_statistics(network):
            return
        self._warned = True
        logger.warning(
            "windows of %s voxels have %.2g times the voxels of the training patch %s, and the "
            "network normalises over its window, which changes the label map: set roi_size to "
            "about the size of the patch",
            "x".join(map(str, layout.size)),
            factor,
            "x".join(map(str, patch)),
        )
