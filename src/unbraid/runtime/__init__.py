"""Engines that run the network of a model folder: arrays in, arrays out."""

from unbraid.runtime.base import Executor, open_executor

__all__ = ["Executor", "open_executor"]
