"""Channels: values of several channels, each of its own kind, and channels that are missing."""
