"""Hatch build: before a wheel is built or the checkout installed, mend a checkout without links.

Git with `core.symlinks=false`, as usual on Windows, writes a line of text where a bundle has a link
to one of its configs. A copy of the config takes its place. hatchling runs this file in a fresh
environment, so it imports nothing of medseg.
"""

import shutil
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FlatNames(BuildHookInterface):
    """Runs before each build: of a wheel, of a source archive, and for `pip install -e`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Mend the bundles of the checkout that is built."""
        copy_over_lines(Path(self.root) / "bundles")


def copy_over_lines(bundles_dir: Path) -> None:
    """Replace the lines of text that stand for links by copies of the files that they name."""
    for target in sorted(bundles_dir.glob("*/configs/*")):
        place = target.parents[1] / target.name
        if place.is_file() and place.read_bytes().strip() == f"configs/{target.name}".encode():
            shutil.copyfile(target, place)
