"""Access tokens: JWTs of some minutes, signed with the first key of a file; each of its keys is accepted.

A line of the file is a key's id and the key in base64. A new first line rotates: tokens of the old keys stay valid
until these lines are removed. Several API processes need the same file.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
import time
from pathlib import Path

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from api.http import key_files

#: Name of the file in the data folder.
KEYS_FILE = "token.keys"

ALGORITHM = "HS256"
ISSUER, AUDIENCE = "holdfast", "holdfast-api"

#: Seconds for which an access token is valid.
VALID_SECONDS = 600

#: Longest token that is looked at, in characters.
MAX_TOKEN = 4096

_PART = re.compile(r"[A-Za-z0-9_-]+")


class AccessTokens:
    """Makes and reads access tokens."""

    def __init__(self, file: Path) -> None:
        """Reads the keys; makes a file with one, for its owner only, if there is none."""
        if not file.exists():
            key_files.create(file, f"{secrets.token_hex(4)} {base64.b64encode(secrets.token_bytes(32)).decode()}")
        lines = [line.split() for line in file.read_text().splitlines() if line.strip()]
        self._keys = {id: OctKey.import_key(base64.b64decode(key)) for id, key in lines}
        self._signing = lines[0][0]

    def derived(self, purpose: bytes) -> bytes:
        """A key for another purpose, which all API processes have: derived from the one that signs."""
        return hmac.digest(self._keys[self._signing].raw_value, b"holdfast " + purpose, "sha256")

    def create(self, user: str, session_id: str) -> str:
        """An access token of a session."""
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": user, "sid": session_id, "iat": now}
        header = {"alg": ALGORITHM, "typ": "at+jwt", "kid": self._signing}
        return jwt.encode(header, claims | {"exp": now + VALID_SECONDS}, self._keys[self._signing], [ALGORITHM])

    def session_of(self, token: str) -> str | None:
        """The session of a valid access token, otherwise None."""
        if len(token) > MAX_TOKEN or not _is_canonical(token):
            return None
        registry = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
            sid={"essential": True},
        )
        for key in self._keys.values():
            try:
                found = jwt.decode(token, key, [ALGORITHM])
                registry.validate(found.claims)
            except (JoseError, ValueError, TypeError):
                continue
            session = found.claims["sid"]
            return session if isinstance(session, str) and found.header.get("typ") == "at+jwt" else None
        return None


def _is_canonical(token: str) -> bool:
    """Whether it is three parts in base64, and the signature has its one spelling: some bits of its end say nothing."""
    parts = token.split(".")
    if len(parts) != 3 or not all(_PART.fullmatch(part) for part in parts):
        return False
    signature = parts[2]
    try:
        content = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    except ValueError:
        return False
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode() == signature
