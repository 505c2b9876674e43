"""Analysis of a network: its cost, memory, receptive field and drawing."""
