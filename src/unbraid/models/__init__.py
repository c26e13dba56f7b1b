"""Networks: their sizes (config.py), torch modules (network.py) and ONNX graphs (graph.py).

`unbraid.models.AudioTransformer` is the torch module to build on; it needs PyTorch. Since the package is an
attribute of `unbraid`, a call of it, `unbraid.models()`, lists the models, as `unbraid.list_models()` does.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from unbraid.errors import lacking

if TYPE_CHECKING:
    from unbraid.models.audio_transformer.network.model import AudioTransformer

__all__ = ["AudioTransformer"]


def __getattr__(name: str) -> object:
    """Load the torch module when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'unbraid.models' has no attribute {name!r}")
    try:
        from unbraid.models.audio_transformer.network.model import AudioTransformer
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ModuleNotFoundError(str(lacking("unbraid.models", "torch")), name="torch") from None
    return AudioTransformer


class _Callable(ModuleType):
    def __call__(self) -> Any:
        """The list of models."""
        return import_module("unbraid.hub.listing").list_models()  # by its name, since it is built on this package


sys.modules[__name__].__class__ = _Callable
