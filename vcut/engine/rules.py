"""Names of the ways objects share the pixels. No torch, so that options are checked at once."""

from __future__ import annotations

from typing import Literal, get_args

from vcut.errors import OptionError

Rule = Literal["product", "union", "naive", "winner"]
RULES: tuple[Rule, ...] = get_args(Rule)
"""See :func:`vcut.engine.aggregate.combine`."""

DEFAULT_RULE: Rule = "product"


def check_rule(name: str) -> Rule:
    """The rule of that name. Raises OptionError for an unknown one."""
    if name not in RULES:
        raise OptionError(f"unknown --aggregation '{name}'", f"known ones: {', '.join(RULES)}")
    return name
