"""nnU-Net: its networks, built by the package dynamic-network-architectures."""
