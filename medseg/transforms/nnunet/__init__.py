"""nnU-Net: images as networks of nnU-Net see them."""
