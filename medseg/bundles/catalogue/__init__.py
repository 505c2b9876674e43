"""Catalogue: which bundles there are, what each is, and an own copy of one."""
