"""A page to look at the stems of a recording and to listen to them: one file, whole without a network."""

from unbraid.tasks.pages.gather import Recording, gather
from unbraid.tasks.pages.stems_page import RunFacts, report_page

__all__ = ["Recording", "RunFacts", "gather", "report_page"]
