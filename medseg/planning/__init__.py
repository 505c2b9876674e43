"""Planning: look at a user's own data, and choose how a network is trained on it."""
