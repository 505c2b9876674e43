"""Channels: cases of several images, such as the sequences of an MR."""
