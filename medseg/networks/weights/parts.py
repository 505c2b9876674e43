"""Parts: which part of a network a weight belongs to."""

from __future__ import annotations

import re

_FIRST_COLUMN = re.compile(r"nodes\.x\d+_0\.")


def find_part(key: str) -> str:
    """The part of a `NestedUNet` that a weight belongs to, one of `NETWORK_PARTS`, by its key.

    The encoder, or contracting path, is the column X(i, 0), or the network of timm in its place.
    The heads give the logits; the class guide, which tells which classes are there, counts among
    them. All else is the decoder.

    Example:
        >>> [find_part(f"nodes.{key}") for key in ("x1_0.first", "x0_1.first", "x0_1.head.weight")]
        ['encoder', 'decoder', 'heads']
    """
    if ".head." in key or ".guide." in key:
        return "heads"
    return "encoder" if key.startswith("encoder.") or _FIRST_COLUMN.match(key) else "decoder"
