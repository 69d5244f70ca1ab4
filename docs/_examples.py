"""Examples of docstrings as code: what begins with `>>>`, with what it prints, to the end of the paragraph."""

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"(?:^|(?<=\n\n))(>>> .*?)(?=\n\n|\Z)", re.DOTALL)


class ExamplesAsCode(griffe.Extension):
    """Of every object that has a docstring."""

    def on_instance(self, *, obj: Any, **kwargs: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = EXAMPLE.sub(r"```python\n\1\n```", obj.docstring.value)
