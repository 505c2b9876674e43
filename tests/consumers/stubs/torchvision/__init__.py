"""Stands for torchvision, whose drawing functions MONAI Label imports and does not call here."""
