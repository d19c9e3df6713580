"""What the models' own words say: the docstrings of classes, and the strings that stand below a field."""

import ast
import inspect
import textwrap
from functools import cache
from types import ModuleType

from pydantic import BaseModel


def summary(model: type) -> str:
    """The first paragraph of the class's docstring, on one line."""
    return " ".join((model.__doc__ or "").strip().split("\n\n")[0].split())


def remarks(model: type) -> str:
    """The docstring behind its first paragraph."""
    paragraphs = inspect.cleandoc(model.__doc__ or "").split("\n\n")[1:]
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def of_fields(model: type[BaseModel]) -> dict[str, str]:
    """The meaning of each field that has one, inherited fields too, by the field's name in the model."""
    found: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if isinstance(one, type) and issubclass(one, BaseModel) and one is not BaseModel:
            found |= of_class(one)
    return found


@cache
def of_class(model: type) -> dict[str, str]:
    """The meanings of the fields that the class itself declares."""
    try:
        source = textwrap.dedent(inspect.getsource(model))
    except (OSError, TypeError):  # a class made by a call has no source of its own
        return {}
    (tree,) = ast.parse(source).body
    if not isinstance(tree, ast.ClassDef) or tree.name != model.__name__:
        return {}
    found = {}
    for field, words in zip(tree.body, tree.body[1:], strict=False):
        said = words.value.value if isinstance(words, ast.Expr) and isinstance(words.value, ast.Constant) else None
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(said, str):
            found[field.target.id] = " ".join(said.split())
    return found


def summary_of_module(module: ModuleType) -> str:
    """The first paragraph of the module's docstring, on one line."""
    return " ".join((module.__doc__ or "").strip().split("\n\n")[0].split())
