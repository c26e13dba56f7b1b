"""Archives of recordings: a manifest, worker processes, a cluster; the extra `batch`."""

from unbraid.batch.separate import Separate

__all__ = ["Separate"]
