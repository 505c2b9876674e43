"""Own: bundles for a user's own data, built from a task file that lies in the bundle itself."""
