"""Counted: a number with its noun, and the first of many names, for messages."""

from collections.abc import Sequence

_NAMED = 5


def counted(number: int, noun: str, *, plural: str | None = None) -> str:
    """A number and what it counts, for messages.

    Args:
        number: how many.
        noun: in the singular.
        plural: where it is not the noun with an s.

    Example:
        >>> counted(1, "case"), counted(0, "case"), counted(2, "study", plural="studies")
        ('1 case', '0 cases', '2 studies')
    """
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def listed(names: Sequence[str]) -> str:
    """The first five names, and how many more there are.

    Example:
        >>> listed(["a", "b", "c", "d", "e", "f", "g"])
        'a, b, c, d, e and 2 more'
    """
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
