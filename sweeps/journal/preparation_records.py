"""Records of what the trials of a sweep share: preparations, and bytes on the nodes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from sweeps.journal import schema
from sweeps.journal.field_types import Index, Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparationRecord:
    """Preparation ``key`` is stored: sha256 of its ``files``, written after the files."""

    kind: ClassVar[str] = "prepared"
    key: Annotated[str, schema.PREPARATION_KEY]
    identity: Sha256
    files: Annotated[Mapping[str, str], schema.mapping_of(schema.SHA256, schema.FILE)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedBytes:
    """Bytes of the objects that nodes share, as Ray measured them; written when they have grown.

    ``theta_0`` (with the other results of preparations), ``data`` and ``files`` (data files, held
    while preparations need them) are all on the driver's node, one of ``nodes`` with any of them;
    ``sent`` is the maximum that another node received.
    """

    kind: ClassVar[str] = "shared"
    theta_0: Index
    data: Index
    files: Index
    nodes: Index
    sent: Index
