"""Whether a name is one on the Hugging Face hub, and whether the hub can be reached.

The latter is asked before its library tries each file for half a minute.
"""

import functools
import logging
import socket
import time
from urllib.parse import urlsplit
from urllib.request import getproxies

from huggingface_hub import constants

log = logging.getLogger(__name__)

TRIES_S = (1.0, 2.0)  # pauses between look-ups, where the first says that it may succeed later


def is_path(name: str) -> bool:
    """Whether the name of a model can only be a path, and not one on the hub (``owner/name`` or ``name``)."""
    return name.startswith((".", "/", "~")) or name.count("/") > 1


@functools.cache
def look_for_hub() -> None:
    """Once in a process: where the hub's address is unknown, let its library take what is on the disk alone.

    Where the hub has an address, or where a proxy is set, which looks addresses up itself, nothing is changed: a slow
    network stays as slow as it is.
    """
    host = urlsplit(constants.ENDPOINT).hostname
    if constants.HF_HUB_OFFLINE or host is None or getproxies() or _has_address(host):
        return
    log.info("no network: %s has no address here, so only what was downloaded before is looked at", host)
    constants.HF_HUB_OFFLINE = True


def _has_address(host: str) -> bool:
    for pause in (*TRIES_S, None):
        try:
            socket.getaddrinfo(host, None)
        except socket.gaierror as error:
            if error.errno != socket.EAI_AGAIN or pause is None:
                return False
            time.sleep(pause)
        else:
            return True
    return False
