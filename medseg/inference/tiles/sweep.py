"""Sweep: compute the windows of images batch by batch, and put the results in their place."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from monai.data.utils import compute_importance_map
from scipy.ndimage import gaussian_filter1d
from torch import Tensor
from tqdm import tqdm

from medseg.inference.tiles.blend import Blender
from medseg.inference.tiles.canvas import Box, Canvas, fill_background
from medseg.inference.tiles.forward import Forward
from medseg.inference.tiles.settings import Settings
from medseg.inference.tiles.skip import is_skipped
from medseg.inference.tiles.windows import Layout, Window, fetch

SIGMA_SCALE = 0.125
"""Standard deviation of the Gaussian weights over the window, in MONAI and nnU-Net."""


class CancelledError(RuntimeError):
    """The caller asked to stop before the last window; there is no result, and no file.

    It also ends a run of several cases; the cases that are done keep their outputs.
    """


class Sweep:
    """Goes over images once, window by window.

    Args:
        image: (B, C, *spatial).
        settings: of the inference.
        layout: the windows of the image.
        forward: maps windows to logits.
        canvas: receives the logits of the voxels.
    """

    def __init__(
        self, image: Tensor, settings: Settings, *, layout: Layout, forward: Forward, canvas: Canvas
    ) -> None:
        self.image = image
        self.settings = settings
        self.layout = layout
        self.forward = forward
        self.canvas = canvas
        self.skip = settings.tiling.skip
        self.device = image.device if settings.device is None else settings.device
        self.blender = self._make_blender() if settings.tiling.mode == "blend" else None

    def run(self, *, cancelled: Callable[[], bool] | None = None, progress: bool = False) -> Tensor:
        """Compute the windows that are not skipped, and return what the canvas has gathered.

        If all of them are skipped, and the result has a channel for each class, one window is
        computed nevertheless, and its logits are replaced by background: only the network knows how
        many classes there are.

        Args:
            cancelled: asked before each batch whether to stop.
            progress: show a progress bar, on a terminal.

        Raises:
            CancelledError: `cancelled` returned True.
            ValueError: values that are not finite.
        """
        count, done = self.layout.count, 0
        wanted = self._list_windows_to_compute()
        with tqdm(
            total=count, unit="window", disable=None if progress else True, leave=False
        ) as bar:
            while True:
                if cancelled is not None and cancelled():
                    raise CancelledError(f"stopped after {done} of {count} windows")
                if not (batch := list(islice(wanted, self.settings.batch_size))):
                    break
                done = batch[-1][0] + 1
                self._put([(window, voxels) for _, window, voxels in batch])
                del batch  # free them before the next ones are fetched
                bar.update(done - bar.n)
            bar.update(count - bar.n)
        if done == 0 and (self.settings.probabilities or not self.settings.labels):
            first = self.layout.list_windows()[0]
            self._put([(first, fetch(self.image, first, self.layout))], blank=True)
        return self.canvas.get_result() if self.blender is None else self.blender.finish()

    def _list_windows_to_compute(self) -> Iterator[tuple[int, Window, Tensor]]:
        """The windows to compute, each with its number among all windows and its voxels."""
        for number, window in enumerate(self.layout.list_windows()):
            voxels = fetch(self.image, window, self.layout).contiguous()
            _check_finite(voxels, window)
            seen = voxels
            if not callable(self.skip) and self.layout.fill == "zero":
                seen = voxels[
                    _extend_to_all_channels(window.inner)
                ]  # and not the zeros around the image
            if not is_skipped(seen, self.skip):
                yield number, window, voxels

    def _put(self, batch: Sequence[tuple[Window, Tensor]], *, blank: bool = False) -> None:
        """Compute windows together, and put their logits, or background, in their place."""
        windows, parts = zip(*batch, strict=True)
        voxels = torch.cat(parts) if parts[1:] else parts[0]
        logits = self.forward(voxels.to(self.device)).to(self.image.device)
        if blank:
            logits = fill_background(logits, regions=self.settings.regions)
        for window, part in zip(windows, logits.split(len(self.image)), strict=True):
            inner = part[_extend_to_all_channels(window.inner)]
            if self.blender is None:
                self.canvas.put(window.given, inner)
            else:
                self.blender.add(window.given, window.inner, inner)

    def _make_blender(self) -> Blender:
        size, weights = self.layout.size, self.settings.weights
        return Blender(
            self.canvas,
            size=self.image.shape[2:],
            axis=self.layout.slowest,
            weight=_weigh_as_nnunet(size)
            if weights == "nnunet"
            else compute_importance_map(size, mode=weights, sigma_scale=SIGMA_SCALE),
            regions=self.settings.regions,
        )


def _weigh_as_nnunet(size: Sequence[int]) -> Tensor:
    """The weights of nnU-Net: a Gaussian, in float16 with 10 in the middle; no weight is 0.

    Source: nnunetv2, compute_gaussian.
    """
    weight = np.ones(())
    for n in size:
        middle = np.zeros(n)
        middle[n // 2] = 1
        line = gaussian_filter1d(middle, n * SIGMA_SCALE, mode="constant")
        weight = weight[..., None] * line
    rounded = torch.from_numpy(10 * weight / weight.max()).half().float()
    rounded[rounded == 0] = rounded[rounded > 0].min()
    return rounded


def _extend_to_all_channels(box: Box) -> Box:
    """A box of (B, C, *spatial), in all images and channels."""
    return (slice(None), slice(None), *box)


def _check_finite(voxels: Tensor, window: Window) -> None:
    if not voxels.isfinite().all():
        where = ", ".join(f"{s.first}:{s.stop}" for s in window.spans)
        raise ValueError(
            f"values of the image in the window around [{where}] are not finite: correct the "
            "image, or fill them before the intensity transforms"
        )
