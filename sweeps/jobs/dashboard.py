"""REST client of Ray's Job API, which the dashboard of a cluster's head serves.

Ray's own ``JobSubmissionClient`` needs aiohttp, which only ``ray[default]`` installs. Neither
proxies nor redirects are followed here, since each request carries the token of the cluster.
"""

import http.client
import json
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from typing import Any
from urllib.parse import quote, urlsplit

from hedgecore.errors import HedgesweepError
from sweeps.errors import UsageError
from sweeps.execution.job_config import STORAGE
from sweeps.jobs.job import Job
from sweeps.jobs.package import Package
from sweeps.text import printable
from sweeps.trace_file import trace_file

_TIMEOUT = 8.0  # seconds for a connection, and for each part of an answer
_UPLOADING, _STARTING = 300.0, 60.0
_MOST_BYTES = 2**28  # of an answer
_DENIED = (401, 403)
# Seconds between SIGTERM and SIGKILL to a cancelled driver; Ray's own 3 may interrupt a commit.
_STOPPING = {"RAY_JOB_STOP_WAIT_TIME_S": "60"}


class UnreachableError(HedgesweepError):
    """The dashboard did not answer; the request may have taken effect.

    ``listening`` is True if a connection was made and then closed without an answer, as by the
    tunnel to a port that nothing listens on.
    """

    def __init__(self, reason: object, *, listening: bool = False) -> None:
        super().__init__(str(reason))
        self.listening = listening


class ServerError(HedgesweepError):
    """The dashboard answered that it failed; ``answer`` may be a stack trace.

    ``temporary`` is False if the fault is the request's, which a repetition does not cure.
    """

    def __init__(self, status: int, answer: str) -> None:
        self.answer, self.temporary = answer, not 400 <= status < 500
        lines = [line.strip() for line in answer.splitlines() if line.strip()]
        super().__init__(printable(f"status {status}: {lines[-1] if lines else ''}")[:200])


class Dashboard:
    """Requests to the dashboard at ``url``.

    Every method raises :class:`UnreachableError` or :class:`ServerError`, and a `UsageError` if
    the token is refused.

    Args:
        url: such as http://127.0.0.1:8265.
        name: cluster in messages.
        headers: headers that authenticate the requests.
        check: called once connected, before a request is sent; it may raise.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        headers: Mapping[str, str],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._url, self._name, self._headers = urlsplit(url), name, headers
        self._check = check

    def version(self) -> str:
        """Version of Ray that the head runs.

        Raises:
            UsageError: there is no Job API.
        """
        status, answer = self._request("GET", "/api/version")
        version = None
        if status != 404:
            self._expect_success(status, answer)
            version = self._parsed(answer, Mapping).get("ray_version")
        if not isinstance(version, str):
            raise UsageError(
                f"the server at {self._name} has no Job API of Ray; install 'ray[default]' on the "
                "head and start its Ray again, or give the address of its dashboard"
            )
        return version

    def upload(self, package: Package) -> None:
        """Store ``package`` on the head, unless it is there."""
        path = f"/api/packages/gcs/{package.name}"
        status, answer = self._request("GET", path)
        if status == 404:
            status, answer = self._request("PUT", path, package.content, timeout=_UPLOADING)
        self._expect_success(status, answer)

    def submit(self, job_id: str, *, entrypoint: str, package: Package, storage: str) -> None:
        """Start a job that runs ``entrypoint`` in the folder of ``package``.

        It asks for no CPU, so that it starts on a head that has none for trials.
        """
        request = {
            "submission_id": job_id,
            "entrypoint": entrypoint,
            "runtime_env": {"working_dir": package.uri, "env_vars": _STOPPING},
            "metadata": {STORAGE: storage},
        }
        body = json.dumps(request).encode()
        status, answer = self._request("POST", "/api/jobs/", body, timeout=_STARTING)
        self._expect_success(status, answer)

    def jobs(self) -> list[Job]:
        """Every job of a sweep that the cluster remembers, the latest last."""
        entries = self._json("/api/jobs/", list)
        jobs = [Job.of(entry) for entry in entries if isinstance(entry, Mapping)]
        return sorted((job for job in jobs if job.storage), key=lambda job: job.started)

    def job(self, job_id: str) -> Job | None:
        """The job ``job_id``; None if there is none."""
        status, answer = self._request("GET", f"/api/jobs/{quote(job_id, safe='')}")
        if status == 404:
            return None
        self._expect_success(status, answer)
        return Job.of(self._parsed(answer, Mapping))

    def logs(self, job_id: str) -> str:
        """Output of the job so far."""
        answer = self._json(f"/api/jobs/{quote(job_id, safe='')}/logs", Mapping)
        return str(answer.get("logs") or "")

    def stop(self, job_id: str) -> None:
        """Send SIGTERM to the processes of the job."""
        status, answer = self._request("POST", f"/api/jobs/{quote(job_id, safe='')}/stop", b"")
        self._expect_success(status, answer)

    def _json(self, path: str, kind: type) -> Any:
        status, answer = self._request("GET", path)
        self._expect_success(status, answer)
        return self._parsed(answer, kind)

    def _request(
        self, method: str, path: str, body: bytes | None = None, *, timeout: float = _TIMEOUT
    ) -> tuple[int, bytes]:
        """Status and body of the answer.

        Raises:
            UnreachableError: there is none.
            UsageError: the token is refused.
        """
        secure = self._url.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        assert self._url.hostname
        connection = kind(self._url.hostname, self._url.port, timeout=timeout)
        with closing(connection):
            try:
                connection.connect()
            except (OSError, UnicodeError) as error:  # UnicodeError: of a name that DNS has not
                raise UnreachableError(getattr(error, "strerror", None) or error) from error
            self._check()
            try:
                connection.request(method, f"{self._url.path}{path}", body, self._headers)
                response = connection.getresponse()
                answer = response.read(_MOST_BYTES)
                if response.length and len(answer) < _MOST_BYTES:
                    raise http.client.IncompleteRead(answer, response.length)
            except (OSError, http.client.HTTPException) as error:
                reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
                raise UnreachableError(reason, listening=True) from error
        if response.status in _DENIED:
            raise UsageError(
                f"{self._name} refuses the token ({response.status}); copy that of its head node "
                "to ~/.ray/auth_token, and unset RAY_AUTH_TOKEN and RAY_AUTH_TOKEN_PATH"
            )
        return response.status, answer

    def _expect_success(self, status: int, answer: bytes) -> None:
        if status != 200:
            raise ServerError(status, answer.decode(errors="replace"))

    def _parsed(self, answer: bytes, kind: type) -> Any:
        """Value of ``kind`` in the JSON of an ``answer``."""
        with suppress(ValueError, RecursionError):
            if isinstance(value := json.loads(answer), kind):
                return value
        text = answer.decode(errors="replace")
        raise UsageError(
            f"the server at {self._name} is not Ray's dashboard; give the address of one, "
            f"such as http://127.0.0.1:8265 (its answer is in {trace_file(text)})"
        )


def failure(name: str, error: ServerError) -> UsageError:
    """``error`` as one line; the whole answer goes to a file that it names."""
    return UsageError(
        f"{name} answers with an error ({error}); see {trace_file(error.answer)}, and try again"
    )
