"""Links to one blob on Azure.

The service checks a signature over the blob's name as it is; the client library signs the name as it stands in the
URL, so its links to names with a space, ``%``, ``#``, ``?`` or a letter beyond ASCII are refused. What an account key
can sign is therefore signed here.
"""

import base64
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Literal
from urllib.parse import parse_qs, quote, urlencode

from skyhold.errors import UnsupportedError
from skyhold.storage.credentials.connection import Connection

__all__ = ["AzureLinks", "sign_blob"]

_VERSION = "2021-12-02"
_PERMISSION = {"GET": "r", "PUT": "w"}
_AT_MOST = {"GET": frozenset("r"), "PUT": frozenset("cw")}
_SIGNED_AFTER_RESOURCE = ("si", "sip", "spr", "sv", "sr", "snapshot", "ses", "rscc", "rscd", "rsce", "rscl", "rsct")


@dataclass(frozen=True, slots=True)
class AzureLinks:
    """Makes links to the blobs of one container with the identity that opened it.

    Attributes:
        connection: Where it is, and who asks.
        sign_with_token: Signs as the client library does; right for names that stand in a URL as they are.
    """

    connection: Connection = field(repr=False)
    sign_with_token: Callable[[Literal["GET", "PUT"], str, timedelta], str] = field(repr=False)

    def link(self, key: str, *, method: Literal["GET", "PUT"], lasting: timedelta, uri: str) -> str:
        """Return a link that opens one blob by one method.

        Args:
            key: The blob.
            method: GET to read; PUT to write, which Azure wants with the header ``x-ms-blob-type: BlockBlob``.
            lasting: How long it opens; a shared access signature as identity ends when it says itself.
            uri: The blob's, for errors.

        Raises:
            UnsupportedError: The identity cannot sign for this blob, or its link would open more.
            CredentialsError: The identity has ended.
        """
        given: Mapping[str, Any] = self.connection.provider() if self.connection.provider else {}
        place = f"{self.connection.settings['endpoint']}/{self.connection.container}/{quote(key)}"
        if account_key := given.get("access_key"):
            resource = f"/blob/{self.connection.settings['account_name']}/{self.connection.container}/{key}"
            secure = {"spr": "https"} if place.startswith("https://") else {}
            fields = {"sp": _PERMISSION[method], "se": f"{datetime.now(UTC) + lasting:%Y-%m-%dT%H:%M:%SZ}", **secure}
            return f"{place}?{sign_blob(resource, fields, account_key)}"
        if signature := given.get("sas_token"):
            self._check_opens_no_more(str(signature), method, uri)
            return f"{place}?{signature}"
        if not given:
            raise self._unsupported("nobody in particular has nothing to sign with", uri)
        if quote(key) != key:
            raise self._unsupported("a token signs no link to a name that is encoded in its URL", uri)
        return self.sign_with_token(method, key, lasting)

    def _check_opens_no_more(self, signature: str, method: str, uri: str) -> None:
        fields = {name: values[0] for name, values in parse_qs(signature).items()}
        rights = set(fields.get("sp", ""))
        if _PERMISSION[method] not in rights:
            raise self._unsupported(f"the shared access signature does not grant {method}", uri)
        if fields.get("sr") != "b" or not rights <= _AT_MOST[method]:
            raise self._unsupported(
                "a shared access signature signs no other, and a link with it would open more than this object", uri
            )

    def _unsupported(self, found: str, uri: str) -> UnsupportedError:
        return UnsupportedError(
            found,
            operation="presign",
            uri=uri,
            identity=self.connection.identity,
            remedy="Open the store with the account's key: account_key=, or a connection string",
        )


def sign_blob(resource: str, fields: Mapping[str, str], account_key: str) -> str:
    """Return the query of a link that Azure's documentation calls a service SAS.

    Args:
        resource: ``/blob/ACCOUNT/CONTAINER/NAME``, nothing in it encoded.
        fields: Of the query, by their short names; ``sv`` and ``sr`` are added.
        account_key: In base64.

    Source: Microsoft, "Create a service SAS", string-to-sign of version 2020-12-06 and later.

    Example:
        >>> sign_blob("/blob/acc/box/a b", {"sp": "r", "se": "2030-01-01T00:00:00Z"}, "a2V5").partition("&sig=")[0]
        'sp=r&se=2030-01-01T00%3A00%3A00Z&sv=2021-12-02&sr=b'
    """
    whole = {**fields, "sv": fields.get("sv", _VERSION), "sr": "b"}
    before = [whole.get(name, "") for name in ("sp", "st", "se")]
    after = [whole.get(name, "") for name in _SIGNED_AFTER_RESOURCE]
    text = "\n".join([*before, resource, *after])
    signature = hmac.digest(base64.b64decode(account_key), text.encode(), sha256)
    return urlencode({**whole, "sig": base64.b64encode(signature).decode()})
