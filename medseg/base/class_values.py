"""Class values: what the label values of a dataset, its classes and what it ignores have to be.

Nothing heavy is imported, so that a command line is refused before data are read. The transforms
that use the values, see `medseg.transforms.classes`, keep the same rules.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from medseg.base.arguments import is_integer

Classes = Mapping[str, Sequence[int]]
"""Class name -> the label values of the dataset that it gathers, outer regions first."""

Ignored = int | Sequence[int] | None
"""Label values of a dataset that are ignored: one, several or none."""

IGNORE = 255
"""Class index of an ignored voxel: the largest of uint8, and Cityscapes' own train id of void."""

BACKGROUND = "background"
"""What voxels of no class are called in label tables."""

MOST_CLASSES = IGNORE - 1
"""Foreground classes of a task, at most: 0 is the background and `IGNORE` marks what is ignored."""

INTERPRETED = ("$", "@", "%", "_", "+")
"""What no name may begin with, since MONAI evaluates or interprets it in a config."""


def list_ignored_values(ignore: Ignored) -> tuple[int, ...]:
    """The ignored label values as a tuple.

    Raises:
        TypeError: neither a whole number nor a list of them.

    Example:
        >>> list_ignored_values(255), list_ignored_values([0, 255]), list_ignored_values(None)
        ((255,), (0, 255), ())
    """
    values = () if ignore is None else ignore if isinstance(ignore, Sequence) else (ignore,)
    if isinstance(values, str) or not all(map(is_integer, values)):
        raise TypeError(
            f"the values to ignore must be whole numbers, got {ignore!r}: "
            "pass for instance 255, [0, 255], or None for none"
        )
    return tuple(values)


def check_classes(classes: Classes) -> None:
    """Refuse classes that make no sense, whatever the dataset.

    Raises:
        TypeError: a class with something else than a list of whole numbers.
        ValueError: no classes, more than `MOST_CLASSES`, one that gathers no value, is called as
            the background or by what is no name (see `check_name`), or regions that do not lie
            within each other, see `check_regions`.
    """
    if isinstance(classes, Mapping) and len(classes) > MOST_CLASSES:
        raise ValueError(describe_too_many(len(classes)))
    if not isinstance(classes, Mapping) or not classes:
        raise ValueError(
            f"classes must map 1 to {MOST_CLASSES} names to their label values, got {classes!r}: "
            "pass for instance {'liver': [1, 2]}"
        )
    for name, values in classes.items():
        check_name(str(name))
        if not isinstance(values, Sequence) or isinstance(values, str):
            raise TypeError(f"class {name!r} has the label values {values!r}: write a list")
        if not values:
            raise ValueError(f"class {name!r} has no label value: give it at least one")
        if name == BACKGROUND:
            raise ValueError(
                f"a class is called {name!r}, as what is in no class: leave it out, or give it "
                "another name"
            )
        if wrong := [value for value in values if not is_integer(value)]:
            raise TypeError(
                f"class {name!r} has the label value {wrong[0]!r}: label values are whole "
                f"numbers, write for "
                "instance [1, 2]"
            )
    check_regions(classes)


def check_name(name: str) -> None:
    """Refuse a class whose name MONAI would evaluate or interpret in a config.

    Names come from files of others, such as a dataset.json, and no text from outside is evaluated.

    Raises:
        ValueError: it begins with one of `INTERPRETED`, or holds what divides the ids of a config.
    """
    if name.startswith(INTERPRETED) or "#" in name or "::" in name:
        raise ValueError(
            f"a class is called {name!r}, which a config would not take for text: give it a name "
            f"that begins with none of {' '.join(INTERPRETED)} and holds neither # nor ::"
        )


def check_names(key: str, names: Iterable[str], classes: Classes) -> None:
    """Refuse a setting that names what is no class.

    Raises:
        ValueError: with the names that there are.

    Example:
        >>> check_names("fill_holes", ["liver"], {"liver": [1]})
    """
    for name in names:
        if name not in classes:
            raise ValueError(
                f"{key} names {name!r}, which is no class of this bundle: name some of "
                f"{', '.join(classes)}"
            )


def check_regions(classes: Classes) -> None:
    """Refuse classes that overlap in part, are the same, or whose inner region is named first.

    Raises:
        ValueError: see above.
    """
    for (first, outer), (second, inner) in combinations(classes.items(), 2):
        shared = set(outer) & set(inner)
        if shared and not set(inner) < set(outer):
            raise ValueError(
                f"label value {min(shared)} is in two classes, {first!r} and {second!r}, and the "
                "second does not lie within the first: leave it in one, or name the outer one first"
            )


def check_values(classes: Classes, ignore: Ignored, label_values: Sequence[int] | None) -> None:
    """Refuse classes and ignored values that contradict each other or the dataset.

    Args:
        classes: class name -> label values.
        ignore: label values that are ignored.
        label_values: every value that a label map of the dataset may have; None if unknown.

    Raises:
        TypeError: values to ignore that are no whole numbers.
        ValueError: a value that is in a class and ignored, or that the dataset does not have.
    """
    ignored = list_ignored_values(ignore)
    for name, value in ((name, value) for name, values in classes.items() for value in values):
        if value in ignored:
            raise ValueError(
                f"label value {value} is in class {name!r} and ignored: choose one of the two, "
                "--classes or --ignore"
            )
        if label_values is not None and value not in label_values:
            raise ValueError(
                f"class {name!r} includes label value {value}, but the dataset has "
                f"{list(label_values)}: choose among these in --classes, or pass --label_values "
                "with what your label maps hold"
            )
    for value in ignored:
        if label_values is not None and value not in label_values:
            raise ValueError(
                f"label value {value} is ignored, but the dataset has {list(label_values)}: "
                "choose among these in --ignore, or pass --label_values with what your label maps "
                "hold"
            )


def describe_too_many(count: int) -> str:
    """What is wrong with so many classes."""
    return (
        f"{count} classes are more than {MOST_CLASSES}, the most that a label map of bytes can "
        f"hold beside the background, 0, and ignored voxels, {IGNORE}: join some of them"
    )
