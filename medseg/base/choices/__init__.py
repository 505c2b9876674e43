"""Choices: what the keys of a config may be, a rule for each, checked before anything is computed.

Nothing heavy is imported, so that a command line is refused at once; the configs of all bundles ask
the same for what they are given otherwise.
"""

from medseg.base.choices.check import EXPRESSION_MARKS, check_choices
from medseg.base.choices.rule import Rule
from medseg.base.choices.rules import LR_SCHEDULES, RULES

__all__ = ["EXPRESSION_MARKS", "LR_SCHEDULES", "RULES", "Rule", "check_choices"]
