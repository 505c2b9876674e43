"""Stands for tritonclient, with which MONAI Deploy asks a server that nothing here needs."""
