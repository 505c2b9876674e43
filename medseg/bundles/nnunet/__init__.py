"""nnU-Net: trained models of nnU-Net as bundles."""
