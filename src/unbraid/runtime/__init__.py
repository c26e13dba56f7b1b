"""Engines that run the network of a model folder: arrays in, arrays out."""

from unbraid.runtime.executor import Engine, Executor
from unbraid.runtime.open import open_executor

__all__ = ["Engine", "Executor", "open_executor"]
