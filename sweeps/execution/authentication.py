"""Token authentication of Ray: a new token for a Ray of this machine, the user's for a cluster.

Without it, any client that reaches a port of Ray runs code as the user. Ray enables it by default
for clusters that it starts, but not for those that it joins, and writes a world-readable token.
"""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]

from sweeps.environment import environment
from sweeps.errors import UsageError

_MODE = "RAY_AUTH_MODE"


@contextmanager
def authentication(address: str | None, *, insecure: bool) -> Iterator[None]:
    """Enable token authentication of Ray inside, or disable it if ``insecure``.

    A Ray of this machine gets a new token, which is not written to a file.

    Raises:
        UsageError: the environment disables it and ``insecure`` does not, or the token for the
            cluster at ``address`` is missing or exposed.
    """
    mode = os.environ.get(_MODE, "token")
    if not insecure and mode.lower() != "token":
        raise UsageError(
            f"{_MODE}={mode} lets any client that reaches a port of Ray run code as you; "
            "unset it, or accept that with --insecure (insecure=True)"
        )
    variables = {_MODE: "disabled" if insecure else "token"}
    if address is None:
        variables["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
        with suppress(UsageError):  # not read here, but Ray may have made it world-readable
            _protect(_token_file())
    elif not insecure and not os.environ.keys() & {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}:
        _protect(_token_file())
    try:
        with environment(variables):
            _reload()
            yield
    finally:
        _reload()


def _token_file() -> Path:
    return Path(os.path.expanduser("~")) / ".ray" / "auth_token"


def _protect(path: Path) -> None:
    """Make ``path`` readable by its owner only.

    Raises:
        UsageError: it is missing, a link, or of another user.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise UsageError(
            f"no token for the cluster: copy that of its head node to {path}, "
            "or join a cluster without tokens with --insecure (insecure=True)"
        ) from error
    except OSError as error:
        raise UsageError(
            f"the token {path} is a link or cannot be read ({error.strerror}); "
            "replace it with a file of your own, mode 600"
        ) from error
    try:
        file_status = os.fstat(fd)
        if not stat.S_ISREG(file_status.st_mode) or file_status.st_uid != os.geteuid():
            raise UsageError(
                f"the token {path} is not your file (owner {file_status.st_uid}); "
                "replace it with a file of your own, mode 600"
            )
        if stat.S_IMODE(file_status.st_mode) & 0o077:
            os.fchmod(fd, 0o600)
    finally:
        os.close(fd)


def _reload() -> None:
    """Make Ray's compiled core in this process reload the environment."""
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()
