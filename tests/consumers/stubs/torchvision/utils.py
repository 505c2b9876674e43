"""The names that MONAI Label imports."""

make_grid = save_image = None
