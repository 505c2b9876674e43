"""Preview: one picture per case that shows whether its segmentation is plausible."""
