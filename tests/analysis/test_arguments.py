"""Public functions with arguments of the wrong type: a one-line error that names them."""

import inspect
import re
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

import analysis

ANYTHING = [
    *(3, -1.5, True, None, "x", b"x", [1, 2], {}, {"seed": 1}, object(), np.arange(3), len),
    *(pd.DataFrame(), pd.DataFrame({"a": [1]}), pd.Series([1.0]), pd.Series(["x"])),
]
FUNCTIONS = [
    pytest.param(function, id=f"{module.__name__}.{name}")
    for module in (analysis, analysis.xnn)
    for name in module.__all__
    if inspect.isfunction(function := getattr(module, name))
]
CURED = re.compile(r"must|needs|is text or|no (such )?column|no sweep at|cannot be", re.IGNORECASE)


def refused(function, arguments) -> str | None:
    """The error message for ``arguments``, or None if they are accepted."""
    try:
        function(**arguments)
    except (TypeError, ValueError, analysis.StorageError) as error:
        return str(error)
    return None


@pytest.mark.parametrize("function", FUNCTIONS)
def test_wrong_arguments_are_refused_with_a_line_of_ours(function):
    signature = inspect.signature(function)
    needed = [name for name, p in signature.parameters.items() if p.default is p.empty]
    for value in ANYTHING:
        message = refused(function, dict.fromkeys(needed, value))
        assert message is None or CURED.search(message), f"{value!r}: {message}"
        assert message is None or "\n" not in message


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_frame_or_manifest_is_never_taken_for_something_else(function):
    parameters = inspect.signature(function).parameters
    for name in {"trials", "epochs", "table", "rows", "manifest", "storage"} & set(parameters):
        needed = [n for n, p in parameters.items() if p.default is p.empty]
        for value in (3, None, "x" if name != "storage" else object(), [1]):
            message = refused(function, dict.fromkeys(needed, value))
            assert message is not None, f"{name}={value!r} is taken"


def test_control_an_unchecked_function_answers_with_a_line_of_pythons():
    unchecked = inspect.unwrap(analysis.soundness)
    message = refused(unchecked, {"rows": 3})
    assert message
    assert not CURED.search(message)


def test_control_the_public_functions_are_found():
    assert len(FUNCTIONS) > 20
    assert isinstance(analysis.xnn, ModuleType)
