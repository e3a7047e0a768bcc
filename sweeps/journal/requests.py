"""Requests to the driver of a storage: files in ``requests/``, taken up in the order of their ids.

Only the driver writes the log. Another process leaves a request as a file, written under a
temporary name and renamed; the driver records it and then removes the file. A crash between the
two leaves a file whose id the log names already, which is only removed.
"""

import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, Literal

from sweeps.journal import files, schema
from sweeps.journal.layout import NAMES
from sweeps.journal.storage import refused, replace, tidy

_FOLDER, _SUFFIX = "requests", ".json"
_MOST_BYTES = 2**20
_KINDS = ("stop", "enqueue", "retry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Request of a user.

    Args:
        kind: action.
        trials: ids of the trials to stop or to start again; for a retry () means all that failed.
        config: values by axis of a configuration to train, without its seed.
    """

    kind: Literal["stop", "enqueue", "retry"]
    trials: tuple[str, ...] = ()
    config: Mapping[str, Any] | None = None


def leave(storage: Path, request: Request) -> str:
    """Write ``request`` for the driver of ``storage``; its id.

    Raises:
        WriteError: the file system refused.
    """
    request_id = f"{time.time_ns():020d}-{token_hex(4)}"
    content = json.dumps(asdict(request), indent=1).encode()
    replace(_path(storage, request_id), content, root=storage, make=True)
    return request_id


def waits(storage: Path, request_id: str) -> bool:
    """True if no driver has taken up the request yet."""
    return _path(storage, request_id).exists()


def waiting(storage: Path, *, but: Collection[str]) -> list[str]:
    """Ids of the requests that were left, without those of ``but``, in their order."""
    return [request_id for request_id in _ids(storage) if request_id not in but]


def pending(storage: Path, say: Callable[[str], None], *, but: set[str]) -> dict[str, Request]:
    """Requests by id, in the order in which they were left.

    Files of other names are ignored; one without a request is removed, ``say`` told, and its id
    added to ``but``, the ids to leave out.

    Raises:
        WriteError: such a file cannot be removed.
    """
    found = {}
    for request_id in waiting(storage, but=but):
        try:
            content = files.read_json(_path(storage, request_id), most=_MOST_BYTES, root=storage)
            found[request_id] = _parsed(content)
        except FileNotFoundError:  # withdrawn by its user
            continue
        except (OSError, ValueError) as error:
            say(f"request {request_id} was ignored ({error}); give the command again")
            but.add(request_id)  # no regular file, if it stays
            remove(storage, request_id)
    return found


def remove(storage: Path, request_id: str) -> None:
    """Remove a request; harmless when repeated.

    Raises:
        WriteError: the file system refused.
    """
    path = _path(storage, request_id)
    try:
        with files.folder(path.parent, root=storage) as at:
            files.remove(at, path.name)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise refused(path, error) from error


def tidy_requests(storage: Path) -> None:
    """Remove temporary files of commands that were killed.

    Raises:
        WriteError: see :func:`.storage.tidy`.
    """
    tidy(storage / _FOLDER, root=storage)


def _ids(storage: Path) -> list[str]:
    try:
        names = files.names(storage / _FOLDER, root=storage)
    except OSError:  # none was ever left, or there is no folder of ours
        return []
    stems = [name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)]
    return [stem for stem in stems if NAMES["request"].fullmatch(stem)]


def _path(storage: Path, request_id: str) -> Path:
    return storage / _FOLDER / f"{request_id}{_SUFFIX}"


def _parsed(content: Any) -> Request:
    """Request in the ``content`` of a file.

    Raises:
        ValueError: it is none.
    """
    if fault := _CHECK(content, "request"):
        raise ValueError(fault)
    return Request(kind=content["kind"], trials=tuple(content["trials"]), config=content["config"])


_CHECK = schema.with_fields(
    {
        "kind": schema.holds(f"one of {', '.join(_KINDS)}", lambda v: v in _KINDS),
        "trials": schema.list_of(schema.TRIAL_ID),
        "config": schema.or_null(schema.OBJECT),
    }
)
