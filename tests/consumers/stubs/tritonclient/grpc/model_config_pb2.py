"""Stands for the messages of tritonclient.grpc, which MONAI Deploy only imports here."""

DataType = ModelConfig = object
