"""Parts: which part of a network a weight belongs to."""

from __future__ import annotations

import re

from medseg.base.choices.rules import NETWORK_PARTS

PARTS = NETWORK_PARTS
"""The contracting path, all nodes that read more than one map, and what gives the logits."""

_FIRST_COLUMN = re.compile(r"nodes\.x\d+_0\.")


def find_part(key: str) -> str:
    """The part of a `NestedUNet` that a weight belongs to, by its key.

    The encoder is the column X(i, 0), or the network of timm in its place. The class guide, which
    tells which classes are there, counts among the heads.

    Example:
        >>> [find_part(f"nodes.{key}") for key in ("x1_0.first", "x0_1.first", "x0_1.head.weight")]
        ['encoder', 'decoder', 'heads']
    """
    if ".head." in key or ".guide." in key:
        return "heads"
    return "encoder" if key.startswith("encoder.") or _FIRST_COLUMN.match(key) else "decoder"
