"""Readers: several people who drew the label of one case, and the target that is made of theirs."""
