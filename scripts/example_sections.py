"""For the site: a docstring's "Example:" is shown as code, as griffe shows "Examples:"."""

import re
from typing import Any

import griffe


class ExampleSections(griffe.Extension):
    """Names the section as griffe knows it; the sources keep the singular of Google's style."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rename it in one object's docstring."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(
                r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE
            )
