"""Where a request comes from, with and without proxies, and which networks that lies in."""

from typing import Any

import pytest

from exchange.api.addresses import (
    address_within,
    client_address,
    client_address_whole,
    network_normal,
)


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "1.1.1.1", "9.9.9.9"),
        (1, "1.1.1.1", "1.1.1.1"),
        (1, "6.6.6.6, 1.1.1.1", "1.1.1.1"),
        (2, "6.6.6.6, 1.1.1.1, 2.2.2.2", "1.1.1.1"),
        (2, "1.1.1.1", ""),
        (1, "", ""),
    ],
)
def test_address_is_what_the_trusted_proxies_heard(
    settings: Any, proxies: int, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXIES = proxies
    meta = {"REMOTE_ADDR": "9.9.9.9", "HTTP_X_FORWARDED_FOR": forwarded}
    assert client_address(meta) == client_address_whole(meta) == address


@pytest.mark.parametrize(
    ("whole", "counted"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("10.1.2.3", "10.1.2.3"),
        ("unknown", "unknown"),
    ],
)
def test_address_is_counted_with_all_of_its_network_of_one_client(whole: str, counted: str) -> None:
    meta = {"REMOTE_ADDR": whole}
    assert client_address_whole(meta) == whole
    assert client_address(meta) == counted


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.1.2.3", True),
        ("10.2.0.0", False),
        ("::ffff:10.1.2.3", True),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("", False),
        ("unknown", False),
    ],
)
def test_address_lies_within_networks_of_both_kinds(address: str, inside: bool) -> None:
    assert address_within(address, ("10.1.0.0/16", "2001:db8::/32")) is inside


def test_network_is_refused_when_it_is_none() -> None:
    assert network_normal("10.0.0.1") == "10.0.0.1/32"
    for text in ("10.0.0.1/8", "10.0.0.0/33", "host", ""):
        with pytest.raises(ValueError, match=r"."):
            network_normal(text)
