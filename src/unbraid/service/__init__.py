"""The service: a queue of jobs on disk, workers that do them, REST, and a page for people; needs the extra `web`."""
