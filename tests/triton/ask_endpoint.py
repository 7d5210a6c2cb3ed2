"""Asks endpoints by the engine itself, without Triton: a line of JSON in, a line of JSON out.

In: `environ` (the settings), `seconds` or `pieces` after which the reader leaves, or `card` to have it describe the
endpoint. Out: `pieces` and `ending`, or `error`, or `card`.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "triton_models"))

from chat import GenerationError, chat_of
from endpoint import Endpoint
from endpoint_settings import address_of
from model_files import ModelUnavailableError

MESSAGES = '[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "年假多少天？"}]'
SAMPLING = '{"temperature": 0, "max_tokens": 50, "stop": ["a", "b", "c", "d", "e"], "repetition_penalty": 1.1}'


class Reader:
    """Keeps the pieces, and leaves after some time or some pieces."""

    def __init__(self, seconds: float, most: int) -> None:
        self.pieces: list[str] = []
        self._end, self._most = time.monotonic() + seconds, most

    @property
    def left(self) -> bool:
        """See `chat.Reader`."""
        return time.monotonic() > self._end or len(self.pieces) >= self._most

    def send(self, text: str) -> None:
        """See `chat.Reader`."""
        self.pieces.append(text)


def outcome(wanted: dict[str, Any]) -> dict[str, Any]:
    """What comes of one request."""
    os.environ.update(wanted["environ"])
    reader = Reader(wanted.get("seconds", 60), wanted.get("pieces", 1000))
    try:
        endpoint = Endpoint(address_of(os.environ))
    except ModelUnavailableError as exc:
        return {"error": str(exc)}
    try:
        if wanted.get("card"):
            return {"card": endpoint.card()}
        return {"ending": vars(endpoint.answer(chat_of(MESSAGES, SAMPLING), reader)), "pieces": reader.pieces}
    except GenerationError as exc:
        return {"error": str(exc), "pieces": reader.pieces}
    finally:
        endpoint.close()


for line in sys.stdin:
    names = set(os.environ)
    answer = outcome(json.loads(line))
    for name in set(os.environ) - names:
        del os.environ[name]
    print(json.dumps(answer), flush=True)
