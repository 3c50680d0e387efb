"""The embedded EVM node (anvil) and the gas of the lane's key.

What must not live here: contracts and their deployment (settlement.chain).
"""

import json
import os
import random
import signal
import socket
import urllib.request
from typing import Any

from eth_keys.datatypes import PrivateKey

from exchange.stack.errors import StackError
from exchange.stack.instance import REPOSITORY, Instance
from exchange.stack.process import Program

BINARY = REPOSITORY / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
PORTS = range(20_000, 32_000)  # below the range the kernel hands out to outgoing connections
LANE_FUNDS_WEI = 10_000 * 10**18
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback needs no proxy


def loopback_port(preferred: int | None = None) -> int:
    """Return a loopback TCP port that is free now: `preferred` if it is. Raises StackError."""
    drawn = random.SystemRandom().sample(PORTS, 50)
    for port in [preferred, *drawn] if preferred else drawn:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise StackError(f"no free loopback port found in {PORTS}")


def chain_url(port: int) -> str:
    """Return the URL of the embedded node."""
    return f"http://127.0.0.1:{port}"


def chain_program(instance: Instance, port: int, *, block_time_ms: int = 500) -> Program:
    """Describe the node: a transaction is mined at once, and a block each `block_time_ms` anyway.

    With an epoch of one slot `finalized` lies two blocks behind, so that title is final about
    2 x `block_time_ms` after it was written. A stopped node keeps its state; a killed one goes back
    to the last written state, at most 5 s old.
    """
    if not BINARY.exists():
        raise StackError(f"{BINARY} is missing: run `make setup`")
    return Program(
        name="chain",
        level=0,
        background=True,
        cwd=instance.chain,
        argv=[
            str(BINARY),
            *("--host", "127.0.0.1"),
            *("--port", str(port)),
            *("--block-time", str(block_time_ms / 1000)),
            "--mixed-mining",
            *("--slots-in-an-epoch", "1"),
            "--enable-tx-gas-limit",  # EIP-7825, which public chains have
            "--no-request-size-limit",
            "--no-cors",
            *("--state", "state.json"),
            *("--state-interval", "5"),
            *("--cache-path", "cache"),
            "--quiet",
        ],
        env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(instance.chain)},
        ready=lambda: _answers(chain_url(port)),
        death_signal=signal.SIGTERM,  # on which it writes its state
    )


def lane_address(lane_key: bytes) -> str:
    """Return the checksum address of the lane's key."""
    return PrivateKey(lane_key).public_key.to_checksum_address()


def lane_fund(url: str, lane_key: bytes) -> None:
    """Give the lane's key ether if the node at `url` is anvil and the key is running short.

    On any other chain ether has a price, and an operator sends it.
    """
    if not url.startswith("http"):
        return
    if not str(chain_call(url, "web3_clientVersion")).startswith("anvil/"):
        return
    address = lane_address(lane_key)
    if int(chain_call(url, "eth_getBalance", address, "latest"), 16) < LANE_FUNDS_WEI // 2:
        chain_call(url, "anvil_setBalance", address, hex(LANE_FUNDS_WEI))


def _answers(url: str) -> bool:
    """Tell whether state at the finalised block can be read; a restarted node mines it first."""
    try:
        chain_call(url, "eth_getBalance", "0x" + 40 * "0", "finalized")
    except (OSError, StackError):
        return False
    return True


def chain_call(url: str, method: str, *parameters: str) -> Any:
    """Call a JSON-RPC method over HTTP. Raises StackError for an error answer, OSError for none."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with _direct.open(request, timeout=5) as response:
        answer = json.load(response)
    if "error" in answer:
        raise StackError(f"{method} at {url}: {answer['error']}")
    return answer["result"]
