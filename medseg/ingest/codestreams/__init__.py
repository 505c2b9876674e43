"""Codestreams: read what JPEG, JPEG-LS and JPEG 2000 state about themselves, and check it."""
