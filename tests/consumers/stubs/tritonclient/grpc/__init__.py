"""Stands for tritonclient.grpc."""
