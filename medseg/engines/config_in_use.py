"""Config in use: what a bundle's config says after its overrides, seen from inside the config.

MONAI gives an expression of a config the values that it refers to, and not the text of the config.
A record of a run needs that text, of every key, however a user changed it: by `medseg train` or by
`python -m monai.bundle run`.
"""

import inspect
from typing import Any

from monai.bundle.reference_resolver import ReferenceResolver


def config_in_use() -> dict[str, Any]:
    """The config whose expression calls this, overrides applied, nothing in it resolved.

    Returns:
        The config as MONAI's parser holds it: plain values, `@` references and `$` expressions.

    Raises:
        ValueError: no expression of a config calls this.

    Example:
        >>> from monai.bundle import ConfigParser
        >>> parser = ConfigParser({"a": {"b": 1}, "seen": "$config_in_use()"})
        >>> parser.globals["config_in_use"] = config_in_use
        >>> parser.get_parsed_content("seen")["a"]
        {'b': 1}
    """
    frame = inspect.currentframe()
    while frame is not None:
        resolver = frame.f_locals.get("self")
        if isinstance(resolver, ReferenceResolver) and "" in resolver.items:
            return dict(resolver.items[""].get_config())
        frame = frame.f_back
    raise ValueError("config_in_use() was called outside a config: call it in an expression of one")
