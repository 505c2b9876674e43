"""Codestreams: what the bytes of JPEG, JPEG-LS and JPEG 2000 say by themselves."""
