"""Build the configs of all bundles, and the page of their keys, or check that they are up to date.

python scripts/build_bundles.py [--check]
"""

import argparse
import sys
from pathlib import Path

from medseg.bundles import build
from medseg.bundles.keys.page import build_page


def main() -> int:
    """Exit status 1 if `--check` finds a file that lags behind what it is built from."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when a file is out of date"
    )
    parser.add_argument(
        "--bundles-dir", default="bundles", help="folder of the bundles (%(default)s)"
    )
    parser.add_argument(
        "--page",
        type=Path,
        default=Path("docs/reference/keys.md"),
        help="page of the keys (%(default)s)",
    )
    args = parser.parse_args()
    act = build.find_stale if args.check else build.build
    paths = [p for name in build.list_names(args.bundles_dir) for p in act(name, args.bundles_dir)]
    if build_page(args.bundles_dir, args.page, check=args.check):
        paths.append(args.page)
    for path in paths:
        sys.stdout.write(f"{path} {'is out of date' if args.check else 'written'}\n")
    return int(args.check and bool(paths))


if __name__ == "__main__":
    sys.exit(main())
