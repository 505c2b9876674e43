"""Statistics: what the scores of cases say of other cases."""
