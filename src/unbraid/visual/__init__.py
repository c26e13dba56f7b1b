"""A page to look at the stems of a recording and to listen to them: one file, whole without a network."""

from unbraid.visual.gather import Recording, gather
from unbraid.visual.page import Facts, report_page

__all__ = ["Facts", "Recording", "gather", "report_page"]
