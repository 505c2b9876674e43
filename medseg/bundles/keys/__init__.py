"""Keys: what the keys of a config mean that a user may choose, and their defaults."""
