"""Lines: what a training reports, each in one line."""

from collections.abc import Mapping
from dataclasses import dataclass, field

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


@dataclass(frozen=True)
class Epoch:
    """What is known of an epoch once its validation is done.

    Attributes:
        number: of the epoch, from 1.
        of: epochs of the whole run.
        loss: mean over the steps of the epoch.
        learning_rate: of the last step, of the first group of parameters.
        seconds: from the start of the epoch, with its validation.
        left: seconds until the run has all its epochs; it may stop earlier.
        key: name of the score that decides which weights are the best.
        scores: of the validation, by name; empty where the epoch had none.
        class_scores: the score `key` of each class.
        best: the highest score so far; None before the first, and while it is 0.
        best_epoch: the epoch that had it; 0 where there is none.
    """

    number: int
    of: int
    loss: float
    learning_rate: float
    seconds: float
    left: float
    key: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    class_scores: Mapping[str, float] = field(default_factory=dict)
    best: float | None = None
    best_epoch: int = 0


def format_epoch(epoch: Epoch) -> str:
    """An epoch as one line.

    Example:
        >>> format_epoch(Epoch(2, 50, -1.5, 0.001, 3.14, 151, key="dice", scores={"dice": 0.75},
        ...                    class_scores={"liver": 0.75}, best=0.75, best_epoch=2))
        'epoch 2/50: loss -1.5000, dice 0.7500 (liver 0.7500), learning rate 0.001, 3.1 s, 2.5 min \
left, the best so far'
    """
    parts = [f"loss {epoch.loss:.4f}", *_format_scores(epoch)]
    parts += [f"learning rate {epoch.learning_rate:.3g}", format_seconds(epoch.seconds)]
    if epoch.number < epoch.of:
        parts.append(f"{format_seconds(epoch.left)} left")
    if epoch.best is not None:
        is_new = epoch.best_epoch == epoch.number
        before = f"best {epoch.best:.4f} in epoch {epoch.best_epoch}"
        parts.append("the best so far" if is_new else before)
    return f"epoch {epoch.number}/{epoch.of}: {', '.join(parts)}"


def _format_scores(epoch: Epoch) -> list[str]:
    classes = ", ".join(f"{name} {score:.4f}" for name, score in epoch.class_scores.items())
    return [
        f"{name} {score:.4f}{f' ({classes})' if name == epoch.key and classes else ''}"
        for name, score in epoch.scores.items()
    ]


def format_facts(facts: Mapping[str, str]) -> str:
    """What a run is, as one line.

    Example:
        >>> format_facts({"bundle": "liver", "device": "cpu"})
        'bundle: liver; device: cpu'
    """
    return "; ".join(f"{name}: {value}" for name, value in facts.items())


def format_seconds(seconds: float) -> str:
    """A time with two or three digits in the unit that suits it.

    Example:
        >>> [format_seconds(time) for time in (0.125, 42, 150, 5400, 180_000)]
        ['0.1 s', '42 s', '2.5 min', '1.5 h', '2.1 d']
    """
    if seconds < 2 * _MINUTE:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    for unit, name, longest in ((_MINUTE, "min", _HOUR), (_HOUR, "h", 2 * _DAY)):
        if seconds < longest:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds / _DAY:.3g} d"


def format_count(number: int) -> str:
    """A large number, such as that of the parameters of a network.

    Example:
        >>> format_count(9_162_000), format_count(35_200), format_count(12)
        ('9.16 M', '35.2 k', '12')
    """
    if number >= 1e6:
        return f"{number / 1e6:.3g} M"
    return f"{number / 1e3:.3g} k" if number >= 1e3 else str(number)
