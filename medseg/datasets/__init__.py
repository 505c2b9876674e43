"""Datasets: a public dataset as downloaded becomes the cases that a bundle trains on.

One module per dataset, with `cases(dataset_dir, section, ...)` and `datalist(dataset_dir, ...)`;
`datalist` is the file format and its folds, `phantom` makes synthetic sets with exact masks.
"""
