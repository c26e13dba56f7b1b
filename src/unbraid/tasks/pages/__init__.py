"""HTML pages: the stems of a recording, attention, and the scores of an evaluation; each a file that works offline."""

from unbraid.tasks.pages.gather import Recording, gather
from unbraid.tasks.pages.stems_page import RunFacts, report_page

__all__ = ["Recording", "RunFacts", "gather", "report_page"]
