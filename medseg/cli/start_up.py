"""Start-up: what a command does not import, so that it starts at once."""

import sys
from collections.abc import Sequence


def put_off_mlflow(words: Sequence[str]) -> None:
    """Let MLflow look as if it were not installed, unless the command asks for `--tracking`.

    MONAI imports every package that it knows, and MLflow takes more than a second. A bundle whose
    config names MLflow gets it, see `medseg.bundles.tracking.allow_mlflow`. Nothing is changed
    where it is imported already.

    Args:
        words: of the command line.

    Example:
        >>> put_off_mlflow(["medseg", "train", "--tracking", "mlflow"])
    """
    if not any(word.partition("=")[0] == "--tracking" for word in words):
        sys.modules.setdefault("mlflow", None)  # type: ignore[arg-type]
