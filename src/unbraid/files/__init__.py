"""Files on disk: atomic writes, bounded reads, and the search of folders."""
