"""Class scores: the key score of a validation for each class, without scoring again.

It reads what MONAI's metric handlers keep; the rest of the folder knows nothing of these.
"""

from collections.abc import Sequence

import torch
from ignite.engine import Engine


def find_class_scores(evaluator: Engine, classes: Sequence[str]) -> dict[str, float]:
    """The key metric of a validation that is done, for each class.

    MONAI's metric handlers keep the score of each image and class (`save_details`), those of all
    processes of a run. A class has the mean over the images in which its score is a number, as
    MONAI's reduction `mean_batch`.

    Args:
        evaluator: that is done.
        classes: their names, in the order of the channels that the metric scores.

    Returns:
        name -> score, not a number where no image has one. Empty where the key metric keeps no
        scores by class, or those of other channels.

    Example:
        >>> find_class_scores(evaluator, ["liver", "tumour"])  # doctest: +SKIP
        {'liver': 0.94, 'tumour': 0.61}
    """
    details = getattr(evaluator.state, "metric_details", {})
    scores = details.get(getattr(evaluator.state, "key_metric_name", None))
    if not isinstance(scores, torch.Tensor) or scores.ndim != 2 or scores.shape[1] != len(classes):
        return {}
    means = scores.float().nanmean(dim=0).tolist()
    return dict(zip(classes, means, strict=True))
