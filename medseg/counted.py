"""Counted: a number with its noun, in the singular or the plural."""


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
