"""What checks the shapes in signatures while tests run: beartype, of annotations that hold shapes and of no others.

Settings of a wrong kind are users' mistakes, which the package names itself; and stand-ins for objects are welcome.
"""

from typing import Any, get_args

from beartype import beartype
from jaxtyping import AbstractArray


def check_shapes(function: Any) -> Any:
    """`function`, a class or a function as jaxtyping gives it, with its shapes checked."""
    if not isinstance(function, type):
        names = function.__annotations__
        function.__annotations__ = {name: hint for name, hint in names.items() if _holds_shapes(hint)}
    return beartype(function)


def _holds_shapes(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return True
    return any(_holds_shapes(part) for part in get_args(hint))
