"""One tensor: what a network gives for an image, or a refusal that says so."""

from typing import Any

from torch import Tensor


def one_tensor(answer: Any) -> Tensor:
    """The answer of a network, if it is one tensor.

    Raises:
        TypeError: it is a list of heads, or anything else.
    """
    if isinstance(answer, Tensor):
        return answer
    raise TypeError(
        f"a network gives one tensor for an image, got {type(answer).__name__}: call eval(), or, "
        "if it is in eval, wrap it and give the answer that counts"
    )
