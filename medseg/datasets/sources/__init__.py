"""Sources: how published files become cases: pairs, archives, links, stamps, integrity."""
