"""Own run: what MONAI needs beside the config of a bundle of another origin to run it."""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from medseg.base.path_keys import escape_for_monai_if_needed
from medseg.bundles.zoo.metadata import name_input, read_metadata

logger = logging.getLogger(__name__)

_OWN_CODE = "scripts"
"""Folder of a bundle with code of its own, as the model zoo calls it."""


def list_changes(
    before: Mapping[str, Any], config: Mapping[str, Any], bundle: Path, source: str | None
) -> dict[str, Any]:
    """What to change in the config of a file so that it becomes the completed one.

    Pictures are segmented by the bundle alone: of these medseg has no volume to check or measure.

    Args:
        before: the config in the file.
        config: the completed one; of a bundle of ours it is the same.
        bundle: its folder.
        source: the images of a completed inference.
    """
    changes = {
        key: "$None" if value is None else value  # MONAI takes None for nothing given
        for key, value in config.items()
        if key not in before or before[key] != value
    }
    if not changes or source is None:
        return changes
    from medseg.inference import find_pictures, holds_pictures

    if not holds_pictures(source):
        return changes
    logger.warning(
        "%s is a bundle of another origin: it reads pictures and writes the results in its own "
        "way, and medseg checks neither",
        bundle,
    )
    name = name_input(read_metadata(bundle))
    images = [
        {name: escape_for_monai_if_needed(str(Path(case["image"]).absolute()))}
        for case in find_pictures(source, existing=None)
    ]
    own = before.get("run", before.get("evaluating", ["$@evaluator.run()"]))
    return {"dataset#data": images, "inference": own, "planning": own}


@contextmanager
def importable(bundle: Path) -> Iterator[None]:
    """Let the code that a bundle carries be imported, as from a shell in its folder.

    A bundle without such code changes nothing.
    """
    if not (bundle / _OWN_CODE).is_dir():
        yield
        return
    place = str(bundle.absolute())
    for name in [name for name in sys.modules if name.partition(".")[0] == _OWN_CODE]:
        del sys.modules[name]  # of another bundle
    sys.path.insert(0, place)
    try:
        yield
    finally:
        sys.path.remove(place)
