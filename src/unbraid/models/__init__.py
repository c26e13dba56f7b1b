"""The networks as PyTorch modules, one file each."""

from unbraid.errors import lacking

try:
    from unbraid.models.audio_transformer import AudioTransformer
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise ModuleNotFoundError(str(lacking("unbraid.models", "torch")), name="torch") from None

__all__ = ["AudioTransformer"]
