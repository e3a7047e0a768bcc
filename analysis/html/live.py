"""Page of a sweep that has no trial yet, which waits for the first one.

``hedgesweep report --live`` serves this page, then the report, and at the end the report without
its script. While a sweep runs, the report has no figures: they take most of its time, which the
sweep needs, and every trial would change them.
"""

from pathlib import Path

from analysis.files import write
from analysis.html.document import environment, policy, resource
from analysis.html.report_page import NAME
from analysis.load import StorageError, load_manifest, load_trials


def write_notice(folder: Path, storage: Path, state: str) -> Path:
    """Write the page of a ``storage`` without trials to ``folder``; its path.

    Raises:
        StorageError: the manifest cannot be read, or ``folder`` cannot be written.
    """
    script = resource("live.js")
    text = (
        environment()
        .get_template("notice.html.j2")
        .render(
            name=str(load_manifest(storage).get("name") or storage.resolve().name),
            policy=policy([script], live=True),
            style=resource("style.css"),
            script=script,
            state=state,
        )
    )
    return write(folder, NAME, text.encode("utf-8", "backslashreplace"))


def has_trials(storage: Path) -> bool:
    """True if the tables of ``storage`` exist and are not empty."""
    try:
        return not load_trials(storage, columns=["trial_id"]).empty
    except StorageError:
        return False
