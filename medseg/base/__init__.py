"""Base: what every package may use: files, memory, text, errors, checks of arguments."""
