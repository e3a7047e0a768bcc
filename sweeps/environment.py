"""Environment that Ray reads when it is imported; so this comes before all else."""

import os

# Read by Ray when it is imported: our own rows replace its loggers and reporter, relative paths
# stay relative, and workers run at the priority of whoever started them.
for _name, _value in {
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_worker_niceness": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
}.items():
    os.environ.setdefault(_name, _value)
