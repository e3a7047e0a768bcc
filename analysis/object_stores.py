"""Storages on object stores, read through copies of the objects that are needed.

obstore takes credentials and endpoint from the environment or the role of the machine, as the
clients of each provider do.
"""

import atexit
import re
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from analysis import bounds
from analysis.errors import AnalysisError

# A Path of a URL lacks a slash.
_URL = re.compile(r"(s3|gs|az):/{1,2}(?=[^/])")
_PATIENCE = timedelta(seconds=8)
_COPIES: "dict[str, _Copy]" = {}  # of this process, by URL


class ObjectStoreError(AnalysisError):
    """An object store cannot be read; one line that names the cure."""


class _Copy:
    def __init__(self, url: str) -> None:
        from obstore.store import from_url  # only where a storage is on an object store

        # Plain HTTP is for an endpoint that the environment names.
        client: Any = {"allow_http": True, "connect_timeout": "5s"}
        retry: Any = {"max_retries": 1000, "retry_timeout": _PATIENCE}
        self._url, self._store = url, from_url(url, client_options=client, retry_config=retry)
        self.folder = Path(tempfile.mkdtemp(prefix="hs-copy-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self._tags: dict[str, str | None] = {}

    def refresh(self) -> None:
        """Copy the objects at the root: tables, manifest and digests."""
        import obstore

        entries = obstore.list_with_delimiter(self._store)["objects"]
        if not entries:
            raise ObjectStoreError(f"{self._url} holds no tables of a sweep; check the URL")
        for entry in entries:
            if "/" not in entry["path"] and self._tags.get(entry["path"]) != entry["e_tag"]:
                self.copy(entry["path"])
                self._tags[entry["path"]] = entry["e_tag"]

    def copy(self, name: str) -> None:
        """Copy the object ``name``."""
        import obstore

        answer = obstore.get(self._store, name)
        if answer.meta["size"] > bounds.TABLE_BYTES:
            raise ObjectStoreError(f"{self._url}/{name} is over {bounds.TABLE_BYTES} bytes long")
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(answer.bytes())


def url_of(storage: str | Path) -> str | None:
    """URL of a ``storage`` on an object store, without a final slash; None for a folder."""
    text = str(storage)
    scheme = _URL.match(text)
    return f"{scheme[1]}://{text[scheme.end() :]}".rstrip("/") if scheme else None


def copied(url: str) -> Path:
    """Folder with the tables of the storage at ``url``, as they are now.

    Raises:
        ObjectStoreError: it cannot be read.
    """
    try:
        copy = _COPIES.get(url) or _Copy(url)
        copy.refresh()
    except AnalysisError:
        raise
    except Exception as error:  # obstore's share no base with others
        raise _unreadable(url, error) from error
    _COPIES[url] = copy
    return copy.folder


def fetch(folder: Path, name: str) -> None:
    """Copy the object ``name`` to ``folder``, if that is the copy of a storage, unless it has it.

    A missing object stays missing there.

    Raises:
        ObjectStoreError: it cannot be read.
    """
    for url, copy in _COPIES.items():
        if copy.folder == folder and not (folder / name).exists():
            try:
                copy.copy(name)
            except FileNotFoundError:
                pass
            except AnalysisError:
                raise
            except Exception as error:
                raise _unreadable(url, error) from error


def with_urls(text: str) -> str:
    """``text`` with the URLs of storages in place of their copies."""
    for url, copy in _COPIES.items():
        text = text.replace(str(copy.folder), url)
    return text


def _unreadable(url: str, error: Exception) -> ObjectStoreError:
    text = str(error)
    codes = re.findall(r"status code: (\d{3} [A-Za-z ]+)|<Code>(\w+)</Code>", text)
    reason = ", ".join(part.strip() for code in codes for part in code if part)
    if not reason:
        reason = "no answer" if "sending request" in text else text.partition("\n")[0]
    return ObjectStoreError(
        f"{url} cannot be read ({reason}); check its name, the credentials in the environment and "
        "the network"
    )
