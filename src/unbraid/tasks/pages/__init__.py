"""HTML pages: the stems of a recording, attention, and the scores of an evaluation; each a file that works offline."""

from unbraid.tasks.pages.gather import Gathering
from unbraid.tasks.pages.stems_page import RunFacts, report_page

__all__ = ["Gathering", "RunFacts", "report_page"]
