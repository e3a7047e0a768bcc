"""Types of the fields of records, each with the check of its values."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from sweeps.journal import schema

Row: TypeAlias = Mapping[str, Any]
"""Values by column."""
TrialId: TypeAlias = Annotated[str, schema.TRIAL_ID]
TrialIds: TypeAlias = Annotated[tuple[str, ...], schema.list_of(schema.TRIAL_ID)]
Sha256: TypeAlias = Annotated[str, schema.SHA256]
Text: TypeAlias = Annotated[str, schema.TEXT]
Flag: TypeAlias = Annotated[bool, schema.FLAG]
Number: TypeAlias = Annotated[float, schema.NUMBER]
Index: TypeAlias = Annotated[int, schema.whole(0)]
Count: TypeAlias = Annotated[int, schema.whole(1)]
Epoch: TypeAlias = Annotated[int, schema.whole(0, schema.MOST_EPOCHS)]
"""Epochs trained so far; 0 before the first."""
Json: TypeAlias = Annotated[Row, schema.OBJECT]
