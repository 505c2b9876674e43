"""Build the configs of all bundles from their layers, or check that they are up to date.

python scripts/build_bundles.py [--check]
"""

import argparse
import sys

from medseg.bundles import build


def main() -> int:
    """Exit status 1 if `--check` finds a config that lags behind its layers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when a config is out of date"
    )
    parser.add_argument(
        "--bundles-dir", default="bundles", help="folder of the bundles (%(default)s)"
    )
    args = parser.parse_args()
    act = build.find_stale if args.check else build.build
    paths = [p for name in build.list_names(args.bundles_dir) for p in act(name, args.bundles_dir)]
    for path in paths:
        sys.stdout.write(f"{path} {'lags behind its layers' if args.check else 'written'}\n")
    return int(args.check and bool(paths))


if __name__ == "__main__":
    sys.exit(main())
