"""Addresses of webhooks: nothing that is not public, by whatever name or form, unless a setting allows it."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from activities.errors import InvalidRequest, SettingsError
from activities.settings import load
from activities.webhooks.addresses import Gate, is_public

PUBLIC = ("93.184.216.34", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808")
NOT_PUBLIC = (
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254"),
    *("100.100.100.200", "192.0.0.192", "168.63.129.16", "198.18.0.1", "192.0.2.1", "224.0.0.1", "240.0.0.1"),
    *("255.255.255.255", "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "fec0::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
    *("2002:7f00:1::", "2001:0:1::1", "100::1"),
)


def gate(*allowed: str, finds: list[str] | None = None) -> Gate:
    """A gate whose resolver always finds the same."""

    async def resolver(host: str, port: int) -> list[str]:
        if finds is None:
            raise OSError(host)
        return finds

    return Gate([ip_network(network) for network in allowed], resolver)


@pytest.mark.parametrize("address", PUBLIC)
async def test_the_public_internet_is_reached(address: str) -> None:
    """By IPv4, IPv6, and IPv4 behind NAT64."""
    assert is_public(ip_address(address))
    assert await gate(finds=[address]).check("https://hooks.test/x?y=z") == "https://hooks.test/x?y=z"


@pytest.mark.parametrize("address", NOT_PUBLIC)
async def test_nothing_else_is(address: str) -> None:
    """Loopback, private, link-local, multicast, reserved, metadata; also beside a public address."""
    assert not is_public(ip_address(address))
    for finds in ([address], ["8.8.8.8", address]):
        with pytest.raises(InvalidRequest, match="no public"):
            await gate(finds=finds).check("https://hooks.test/")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"]
)
async def test_no_spelling_of_this_machine_gets_through(host: str) -> None:
    """As the system resolves it."""
    with pytest.raises(InvalidRequest, match=r"no public|not an address"):
        await Gate().check(f"https://{host}/")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://hooks.test/", "not an address"),
        ("file:///etc/passwd", "not an address"),
        ("https:///x", "not an address"),
        ("hooks.test/x", "not an address"),
        ("https://hooks.test/#part", "not an address"),
        ("https://hooks.test/a b", "not an address"),
        ("https://hooks.test:x/", "not an address"),
        ("https://hooks.test:99999/", r"not an address|port"),
        ("https://ada:secret@hooks.test/", "user"),
        ("https://ada@hooks.test/", "user"),
        ("https://hooks.test:22/", "port"),
        ("https://hooks.test:0/", "port"),
        ("http://hooks.test/", "https"),
    ],
)
async def test_an_odd_address_is_refused(url: str, words: str) -> None:
    """Before anything is sent; without a password in the text."""
    with pytest.raises(InvalidRequest, match=words) as caught:
        await gate(finds=["8.8.8.8"]).check(url)
    assert "secret" not in str(caught.value)


async def test_a_setting_allows_a_network() -> None:
    """By http too; others stay refused, and http needs every address in it."""
    inside = gate("10.0.0.0/8", "fd00::/8", finds=["10.1.2.3", "fd00::1"])
    assert await inside.check("http://inside:8080/") == "http://inside:8080/"
    assert await inside.check("https://inside/") == "https://inside/"
    for finds in (["192.168.0.1"], ["10.1.2.3", "192.168.0.1"]):
        with pytest.raises(InvalidRequest, match="no public"):
            await gate("10.0.0.0/8", finds=finds).check("https://inside/")
    with pytest.raises(InvalidRequest, match="https"):
        await gate("10.0.0.0/8", finds=["10.1.2.3", "8.8.8.8"]).check("http://inside/")


async def test_a_name_of_this_network_is_not_told_from_an_unknown_one() -> None:
    """Also by http: all that is refused for its address is refused in the same words."""
    said = set()
    for finds in (None, [], ["10.1.2.3"], ["127.0.0.1", "8.8.8.8"]):
        for scheme in ("http", "https"):
            with pytest.raises(InvalidRequest) as caught:
                await gate(finds=finds).check(f"{scheme}://hooks.test/")
            said.add(str(caught.value))
    assert len(said) == 1


def test_networks_are_read_from_the_setting() -> None:
    """Empty by default; one that is none is named."""
    assert load({}).webhook.networks() == []
    found = load({"HOLDFAST_WEBHOOK_ALLOWED_NETWORKS": "10.0.0.0/8, fd00::/8"}).webhook.networks()
    assert found == [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]
    with pytest.raises(SettingsError, match=r"ALLOWED_NETWORKS=10\.0\.0\.1/8.*10\.0\.0\.1/8 is not a network"):
        load({"HOLDFAST_WEBHOOK_ALLOWED_NETWORKS": "10.0.0.1/8"})
