"""Stands for tritonclient.http, of which MONAI Deploy calls nothing without a server."""
