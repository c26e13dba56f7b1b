"""An extension of Griffe for the API reference: the comment behind a field of a class becomes its documentation."""

from typing import Any

import griffe


class FieldComments(griffe.Extension):
    """Document fields by their comments: `wiener: int = 0  # iterations of the filter`."""

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """Take the comment of a public field without a docstring."""
        comment = attr.lines[-1].partition("  # ")[2].strip() if attr.lines else ""
        if (
            comment
            and attr.docstring is None
            and attr.parent
            and attr.parent.is_class
            and not attr.name.startswith("_")
        ):
            attr.docstring = griffe.Docstring(comment[0].upper() + comment[1:] + ".", parent=attr)
