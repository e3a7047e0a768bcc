"""Object store behind a URL: s3://, gs:// or az://, by obstore.

Credentials and endpoint come from the environment or the machine's role, as with the clients of
each provider: AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL; GOOGLE_APPLICATION_CREDENTIALS;
AZURE_STORAGE_ACCOUNT_NAME.
"""

import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import from_url

from sweeps.errors import UsageError
from sweeps.objects.store import Entry, Object, StoreError
from sweeps.text import first_line

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

SCHEMES = ("s3", "gs", "az")
PATIENCE = 180.0
"""Seconds after which a write that is not answered fails."""
READING = 8.0
"""The same of a reader, which loses nothing."""
# The provider's endpoint is https; http is for one that the environment names.
_CLIENT = {"allow_http": True, "connect_timeout": "5s", "timeout": "60s"}
_ATTEMPT, _PAUSE = 4.0, 0.2  # seconds of obstore's own repetitions, and between two of ours
_BACKOFF = {
    "init_backoff": timedelta(milliseconds=200),
    "max_backoff": timedelta(seconds=3),
    "base": 2,
}
_URL = re.compile(rf"({'|'.join(SCHEMES)})://[^/?#\s]+(/[^/?#\s]+)*/?")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"status code: (\d{3} [A-Za-z ]+)")

Result = TypeVar("Result")


class Bucket:
    """Objects below a URL such as s3://bucket/prefix.

    Args:
        patience: seconds after which an operation that is not answered fails.
    Raises:
        UsageError: the URL has no bucket, or the settings in the environment are incomplete.
    """

    def __init__(self, url: str, *, patience: float = PATIENCE) -> None:
        if not _URL.fullmatch(url):
            raise UsageError(
                f"storage {url} is not the URL of an object store; give {SCHEMES[0]}://BUCKET/NAME"
            )
        self.url, self._patience = url.rstrip("/"), patience
        self._store = self._opened()

    def _opened(self) -> Any:
        try:
            # Short, so that a signal is not kept waiting; the rest of the patience is ours.
            until = timedelta(seconds=min(_ATTEMPT, self._patience))
            retry = {"max_retries": 10_000, "retry_timeout": until, "backoff": _BACKOFF}
            return from_url(
                self.url,
                client_options=cast("ClientConfig", _CLIENT),
                retry_config=cast("RetryConfig", retry),
            )
        except BaseError as error:
            raise UsageError(
                f"storage {self.url} cannot be used ({_reason(error)}); set the variables of its "
                "provider in the environment"
            ) from error

    def create(self, name: str, content: bytes) -> bool:
        """See :meth:`.store.ObjectStore.create`."""
        return self._written(name, content, mode="create") is not None

    def replace(self, name: str, content: bytes, *, tag: str | None) -> str | None:
        """See :meth:`.store.ObjectStore.replace`."""
        return self._written(name, content, mode="create" if tag is None else {"e_tag": tag})

    def get(self, name: str) -> Object | None:
        """See :meth:`.store.ObjectStore.get`."""

        def whole() -> Object:
            answer = obstore.get(self._store, name)
            return Object(content=bytes(answer.bytes()), tag=_tag(answer.meta))

        try:
            return self._answer(whole)
        except FileNotFoundError:
            return None

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """See :meth:`.store.ObjectStore.list`."""

        def whole() -> Iterator[Entry]:
            pages = list(obstore.list(self._store, prefix.rstrip("/") or None))
            metas = (meta for page in pages for meta in page)
            return (Entry(name=m["path"], size=m["size"], tag=_tag(m)) for m in metas)

        return self._answer(whole)

    def delete(self, *names: str) -> None:
        """See :meth:`.store.ObjectStore.delete`."""
        if names:
            self._answer(lambda: obstore.delete(self._store, [*names]))

    def _written(self, name: str, content: bytes, *, mode: Any) -> str | None:
        """Tag of ``name`` once it holds ``content``; None if the condition of ``mode`` failed."""

        def put() -> str:
            meta = obstore.put(self._store, name, content, mode=mode, use_multipart=False)
            return _tag(meta)

        failure: StoreError | None = None
        try:
            return self._answer(put)
        except (AlreadyExistsError, PreconditionError):
            pass
        except StoreError as error:
            failure = error
        # The write may be our own, whose answer was lost on the way.
        present = self.get(name)
        if present and present.content == content:
            return present.tag
        if failure:
            raise failure
        return None

    def _answer(self, operation: Callable[[], Result]) -> Result:
        """Result of ``operation``, tried again until the store answers or patience ends."""
        until = time.monotonic() + self._patience
        while True:
            try:
                return operation()
            except (AlreadyExistsError, PreconditionError):
                raise
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error) or "ContainerNotFound" in str(error):
                    raise StoreError("the bucket does not exist") from error
                raise
            except StoreError:
                raise
            except (BaseError, OSError) as error:
                if _is_refusal(error) or time.monotonic() > until:
                    raise StoreError(_reason(error)) from error
            time.sleep(_PAUSE)


def _is_refusal(error: Exception) -> bool:
    """True if the store has answered with an error that another attempt does not cure."""
    status = _STATUS.search(str(error))
    return status is not None and status[1][0] == "4" and status[1][:3] not in ("408", "429")


def _tag(meta: Any) -> str:
    tag = meta["e_tag"]
    if not tag:
        raise StoreError("the store gives no tags of objects, on which safe replacement rests")
    return str(tag)


def _reason(error: Exception) -> str:
    """Reason of the provider: its code, the HTTP status, or the first line of the message."""
    text = str(error)
    code, status = _CODE.search(text), _STATUS.search(text)
    if code or status:
        parts = [match[1].strip() for match in (status, code) if match]
        return ", ".join(parts)
    if "error sending request" in text or "timed out" in text:
        return "no answer"
    return first_line(error)
