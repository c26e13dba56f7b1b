"""Everything behind the API, which every request sees."""

from dataclasses import dataclass, field

from unbraid.service.database import Database
from unbraid.service.limits import Limits
from unbraid.service.pulls import Pulls
from unbraid.service.queue import Queue, Room
from unbraid.service.security import Guard
from unbraid.service.storage import Storage
from unbraid.service.supervisor import Supervisor


@dataclass
class Service:
    """A data folder, its queue and workers, and the rules for requests."""

    storage: Storage
    guard: Guard
    limits: Limits
    workers: int
    queue: Queue = field(init=False)
    supervisor: Supervisor = field(init=False)
    pulls: Pulls = field(init=False)
    uploads: int = field(init=False, default=0)  # under way
    live: int = field(init=False, default=0)  # streams under way

    def __post_init__(self) -> None:
        """Open the queue."""
        room = Room(self.limits.queued, self.limits.jobs_per_client)
        self.queue = Queue(Database(self.storage.database), room)
        self.pulls = Pulls(self.limits.memory_bytes)
        self.supervisor = Supervisor(self.storage, self.limits, self.workers)
