"""Draft."""
from collections.abc import Mapping
from typing import Any
from skyhold.config import environment as env, Secret
from skyhold.storage.draft_credentials.aws import resolve_s3
from skyhold.storage.draft_credentials.connection import Connection
from skyhold.storage.draft_credentials.options import canonical_options
from skyhold.storage.location import Location

KEY="Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

def resolve_connection(location: Location, options: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Connection:
    environment = env() if environment is None else environment
    o = canonical_options(location.scheme, options)
    if location.scheme == "s3":
        return resolve_s3(location, o, environment)
    if location.scheme == "az":
        return Connection("az", location.container, "azurite", {"account_name":"devstoreaccount1","account_key":Secret(KEY),"endpoint":o["endpoint"]}, None, {"allow_http":True}, None, True)
    return Connection("http", location.container, "anonymous", client={"allow_http": location.container.startswith("http://")})
