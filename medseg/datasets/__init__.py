"""Datasets: a public dataset as downloaded becomes the cases that a bundle trains on.

There is one module for each dataset, with its record: a `FileDataset`, which a bundle reads as
published too, or a `PictureDataset`. `prepare` converts a dataset by its name, `fold_split` is the
file format and its folds, and `phantom` makes synthetic sets with exact masks.
"""
