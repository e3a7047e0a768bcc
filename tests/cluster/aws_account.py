"""Moto's server, which starts as many machines as it is asked for at most, as AWS does.

Moto starts the least number that a request accepts. The arguments are those of ``moto.server``.
"""

import sys
from typing import Any

from moto.ec2.responses import EC2Response
from moto.server import main

_parameter = EC2Response._get_param


def _get_param(self: EC2Response, name: str, *args: Any, **kwargs: Any) -> Any:
    return _parameter(self, "MaxCount" if name == "MinCount" else name, *args, **kwargs)


if __name__ == "__main__":
    EC2Response._get_param = _get_param  # type: ignore[method-assign]
    main(sys.argv[1:])
