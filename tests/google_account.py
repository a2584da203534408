"""A service account of one's own: its key file, and a check of what was signed with it, as Google's side would do."""

import base64
import hashlib
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gcs_server import GcsServer, Request

__all__ = ["ServiceAccount"]

_EMAIL = "somebody@project.iam.gserviceaccount.com"
_HOST = "storage.googleapis.com"
_KEY_ID = "0123456789abcdef"


class ServiceAccount:
    """An account with a fresh key, which a server can be told to insist on."""

    def __init__(self) -> None:
        self._private = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def key_file(self, folder: Path, server: GcsServer) -> Path:
        """Write the file that Google's console would give, and return its path."""
        private_key = self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        content = {
            "type": "service_account",
            "project_id": "project",
            "client_email": _EMAIL,
            "private_key_id": _KEY_ID,
            "private_key": private_key.decode(),
            "gcs_base_url": server.url,
        }
        path = folder / "key.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(content))
        return path

    def guard(self, server: GcsServer) -> None:
        """Let the server answer to nobody else."""
        server.public = False
        server.knows_bearer = self.knows_bearer
        server.knows_signature = self.knows_signature

    def knows_bearer(self, token: str) -> bool:
        """Check a self-signed token: the key, the account, the time."""
        signed, _, signature = token.rpartition(".")
        head, _, claims = signed.partition(".")
        if not self._is_signed(signed, _bytes_of(signature)):
            return False
        header, claim = json.loads(_bytes_of(head)), json.loads(_bytes_of(claims))
        named: tuple[Any, ...] = (header["alg"], header["kid"], claim["iss"], claim["sub"])
        return named == ("RS256", _KEY_ID, _EMAIL, _EMAIL) and claim["iat"] - 60 < time.time() < claim["exp"]

    def knows_signature(self, request: Request) -> bool:
        """Check a signed URL, version 4: the canonical request, the scope, the time.

        It was signed for Google's host, whatever the endpoint: obstore signs for no other.
        """
        url = urlsplit(request.target)
        given = dict(parse_qsl(url.query, keep_blank_values=True))
        signature = bytes.fromhex(given.pop("X-Goog-Signature"))
        query = "&".join(f"{quote(name, safe='')}={quote(given[name], safe='')}" for name in sorted(given))
        canonical = "\n".join((request.method, url.path, query, f"host:{_HOST}\n", "host", "UNSIGNED-PAYLOAD"))
        begun = datetime.strptime(given["X-Goog-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        scope = f"{begun:%Y%m%d}/auto/storage/goog4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"GOOG4-RSA-SHA256\n{given['X-Goog-Date']}\n{scope}\n{digest}"
        ends = begun + timedelta(seconds=int(given["X-Goog-Expires"]))
        in_time = begun - timedelta(minutes=1) < datetime.now(UTC) < ends
        return in_time and given["X-Goog-Credential"] == f"{_EMAIL}/{scope}" and self._is_signed(text, signature)

    def _is_signed(self, text: str, signature: bytes) -> bool:
        try:
            self._private.public_key().verify(signature, text.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True


def _bytes_of(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
