"""Draw the pictures of the documentation, or check that they are what the code draws.

python scripts/draw_topologies.py [--check]
"""

import argparse
import sys
import tempfile
from pathlib import Path

from medseg.networks import TOPOLOGIES, draw

DEPTH = 4


def main() -> int:
    """Exit status 1 if `--check` finds a picture that is not what the code draws."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when a drawing is out of date"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("docs/explanation"),
        help="folder for the drawings (%(default)s)",
    )
    args = parser.parse_args()
    odd = []
    for name in TOPOLOGIES:
        path = args.out / f"{name}.svg"
        if args.check:
            odd += [] if is_current(name, path) else [path]
        else:
            draw(name, DEPTH, path)
    for path in odd:
        sys.stdout.write(f"{path} is not what this code and this Matplotlib draw: draw it again\n")
    return int(bool(odd))


def is_current(topology: str, path: Path) -> bool:
    """Whether a picture has the very bytes that `draw` writes."""
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / path.name
        draw(topology, DEPTH, drawn)
        return path.is_file() and path.read_bytes() == drawn.read_bytes()


if __name__ == "__main__":
    sys.exit(main())
