"""Without a network, a name of the hub is an error at once, and not after minutes of tries."""

import socket

import pytest
from huggingface_hub import constants

from longalign import hub
from longalign.errors import UserError
from longalign.model.loading import load_config


@pytest.fixture
def look(monkeypatch):
    """Call `look_for_hub` where looking up an address raises these errors in turn; whether the library is then offline,
    and how many look-ups and pauses there were."""
    monkeypatch.setattr(hub, "getproxies", dict)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)

    def call(*errors: int) -> tuple[bool, int, list[float]]:
        left, pauses = list(errors), []

        def lookup(*_):
            if left and (number := left.pop(0)):
                raise socket.gaierror(number, "said so")
            return []

        monkeypatch.setattr(socket, "getaddrinfo", lookup)
        monkeypatch.setattr(hub.time, "sleep", pauses.append)
        hub.look_for_hub.cache_clear()
        hub.look_for_hub()
        return constants.HF_HUB_OFFLINE, len(errors) - len(left), pauses

    yield call
    hub.look_for_hub.cache_clear()


def test_a_hub_without_address_is_not_asked(look):
    assert look(socket.EAI_NONAME) == (True, 1, [])
    with pytest.raises(UserError, match=r"cannot load nobody/none: there is no such folder here, .* cannot be reached"):
        load_config("nobody/none")


def test_a_network_that_is_slow_or_comes_back_is_used(look):
    assert look() == (False, 0, [])
    assert look(socket.EAI_AGAIN, 0) == (False, 2, [1.0])
    assert look(*[socket.EAI_AGAIN] * 3) == (True, 3, [1.0, 2.0])


def test_a_proxy_looks_addresses_up_itself(look, monkeypatch):
    monkeypatch.setattr(hub, "getproxies", lambda: {"https": "http://proxy:3128"})
    assert look(socket.EAI_NONAME) == (False, 0, [])
