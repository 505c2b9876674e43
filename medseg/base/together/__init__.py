"""Together: the files of one case take their places all at once, or none of them does."""
