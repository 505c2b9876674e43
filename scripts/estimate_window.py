"""Estimate the HU window of windowed slices from a CT that shows the same patient.

    python scripts/estimate_window.py --ct IMAGE --slice images/049_016.png 49 [--slice PNG K ...]

K is the slice of the CT, from its lower end, that a PNG shows at half its size, in RAS orientation.
"""

import argparse
import itertools
import sys

import nibabel as nib
import numpy as np
from PIL import Image

LOWS, HIGHS = range(-60, 62, 2), range(140, 322, 2)


def main() -> int:
    """Print, for each slice, the window that reproduces its grey values best."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ct", required=True, help="CT in HU, NIfTI")
    parser.add_argument("--slice", nargs=2, action="append", required=True, metavar=("PNG", "K"))
    args = parser.parse_args()
    volume = np.asarray(nib.as_closest_canonical(nib.load(args.ct)).dataobj)
    for png, k in args.slice:
        grey = np.asarray(Image.open(png), dtype=float)
        error, low, high = best_window(volume[:, :, int(k)].astype(float), grey)
        sys.stdout.write(f"{png}: [{low}, {high}] HU, mean difference {error:.2f} grey values\n")
    return 0


def best_window(hu: np.ndarray, grey: np.ndarray) -> tuple[float, int, int]:
    """Mean difference, low and high of the best window; clipped first, then halved by area."""
    return min(
        (float(np.abs(windowed(hu, low, high) - grey).mean()), low, high)
        for low, high in itertools.product(LOWS, HIGHS)
    )


def windowed(hu: np.ndarray, low: int, high: int) -> np.ndarray:
    """Grey values 0 to 255 of (I, J) HU in a window, at half the size."""
    rows, columns = (n // 2 for n in hu.shape)
    clipped = np.clip(hu, low, high).reshape(rows, 2, columns, 2).mean(axis=(1, 3))
    return (clipped - low) / (high - low) * 255


if __name__ == "__main__":
    sys.exit(main())
