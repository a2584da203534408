"""Profiles, folders and secrets; the only module that reads the environment."""

import hashlib
import os
import re
import stat
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

from skyhold.errors import ConfigError

__all__ = [
    "Secret",
    "SecretOrigin",
    "cache_folder",
    "check_private",
    "environment",
    "is_secret_name",
    "load_profile",
    "profiles_path",
    "read_tables",
    "redact",
    "secret_by_reference",
    "state_folder",
    "write_private",
]

_REDACTED = "**redacted**"
_OTHERS_MAY_READ = stat.S_IRWXG | stat.S_IRWXO

# Ends of option names whose values are secrets. `key` alone is s3fs's name of the access key's *id*.
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:secret|token|password|passwd|passphrase|authorization|cookie|sas|sas_key|access_signature"
    r"|connection_string|credential_json|api_?key|private_?key|secret_?access_?key|session_?token|secret_?key"
    r"|access_?key|account_?key|customer_key|customer_key_base64|encryption_key|service_account_key"
    r"|shared_?key|client_?secret|storage_?key|master_key|ssecustomerkey)$"
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

# Messages can be long, so that each pattern takes time in proportion to its text: none begins with a repetition.
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), ""),
    (re.compile(r"(?<=[A-Za-z0-9+.-]://)([^/@:\s'\"]*):(?!\*\*redacted)[^/\s'\"]*@"), r"\1:{}@"),
    (re.compile(r"(?i)\b(AccountKey|SharedAccessSignature|SharedAccessKey)(\s*=\s*)(?!\*\*redacted)[^;\s'\"]+"),
     r"\1\2{}"),
    (re.compile(r"(?i)\b(sig|x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature"
                r"|x-goog-credential|access_token|refresh_token|client_secret|client_assertion)="
                r"(?!\*\*redacted)[^&\s'\"]+"), r"\1={}"),
    # Whatever follows such a header's name may be the secret: all of it goes, but for the scheme where it is known.
    (re.compile(r"(?i)\b(authorization[\"']?\s*[:=]\s*+)(?!\*\*redacted)(?:\"[^\"]*\"|'[^']*'"
                r"|((?>(?:Bearer|Basic|Digest|Token|SharedKey|AWS4-HMAC-SHA256)[ \t]+)?+)(?!\*\*redacted)[^\r\n]+)"),
     r"\1\2{}"),
    (re.compile(r"(?i)\b(Bearer|Basic|SharedKey)(\s+)[A-Za-z0-9._~+/:=-]{6,}"), r"\1\2{}"),
    (re.compile(r"(?i)(Signature=)[0-9a-f]{16,}"), r"\1{}"),
    (re.compile(r"\b((?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,})\b"), ""),
    (re.compile(r"\bya29\.[A-Za-z0-9._-]+"), ""),
    (re.compile(r"(?i)((?:secret|session_?token|account_?key|api[_-]?key|private_?key|password|passwd|passphrase"
                r"|refresh_?token|access_?token|sas_?token|connection_?string|security_?token|customer_?key"
                r"|secret_?access_?key|secret_?key)[\"']?\s*[:=]\s*)"
                r"(?!\*\*redacted)(?:\"[^\"]*\"|'[^']*'|[^\s,;&}\)]+)"), r"\1{}"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SecretOrigin:
    """Where a secret can be read again: the place travels, the secret stays.

    Attributes:
        kind: ``"env"``, ``"file"`` or ``"profile"``.
        place: The variable, the file, or the profiles file.
        path: For ``"profile"``: the profile and the option.
    """

    kind: str
    place: str
    path: tuple[str, ...] = ()

    def read(self) -> str:
        """Return the secret, read now.

        Raises:
            ConfigError: It is not there.
        """
        if self.kind == "env":
            value = environment().get(self.place, "")
        elif self.kind == "file":
            value = _read_secret_file(Path(self.place))
        else:
            found: Any = read_tables(Path(self.place))
            for part in self.path:
                found = cast("dict[str, Any]", found).get(part, {}) if isinstance(found, dict) else ""
            value = found if isinstance(found, str) else ""
        if not value:
            raise ConfigError(f"{self} holds no secret (it is missing or empty)", remedy=f"Set {self}")
        return value

    def __str__(self) -> str:
        """Name the place."""
        if self.kind == "env":
            return f"environment variable {self.place}"
        if self.kind == "file":
            return f"file {self.place!r}"
        return f"option {self.path[-1]!r} of profile {self.path[0]!r} in {self.place!r}"


class Secret:
    """A text that does not show itself: not in ``repr``, ``str``, f-strings, logs or pickles.

    Args:
        value: The secret.
        origin: Where it came from; with it a pickle carries the place, and unpickling reads the secret there.

    Example:
        >>> secret = Secret("hunter2")
        >>> print(secret, [secret], f"{secret}")
        **redacted** [Secret(**redacted**)] **redacted**
        >>> secret.reveal()
        'hunter2'
    """

    __slots__ = ("_value", "origin")

    def __init__(self, value: str, origin: SecretOrigin | None = None) -> None:
        self._value = value
        self.origin = origin

    def reveal(self) -> str:
        """Return the text itself; call it where the text is sent, and keep the result nowhere."""
        return self._value

    def fingerprint(self) -> str:
        """Return what is equal for equal secrets and tells nothing about them."""
        return hashlib.blake2b(self._value.encode(), key=_FINGERPRINT_KEY, digest_size=16).hexdigest()

    def __repr__(self) -> str:
        return f"Secret({_REDACTED})"

    def __str__(self) -> str:
        return _REDACTED

    def __format__(self, spec: str) -> str:
        return format(_REDACTED, spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Secret":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if self.origin is None:
            _refuse_pickle()
        return (_secret_again, (self.origin,))


_FINGERPRINT_KEY = os.urandom(32)


def _secret_again(origin: SecretOrigin) -> Secret:
    return Secret(origin.read(), origin)


def _refuse_pickle() -> NoReturn:
    raise ConfigError(
        "a secret that was given as an option is not pickled, so it cannot go to another process",
        remedy="Give it by reference: an environment variable, a credentials file, or a profile with {env = 'NAME'}",
    )


def environment() -> dict[str, str]:
    """Return the process's environment, with ``HOME`` always set.

    Example:
        >>> "HOME" in environment()
        True
    """
    values = dict(os.environ)
    if not values.get("HOME"):
        values["HOME"] = str(Path.home())
    return values


def state_folder(variables: Mapping[str, str] | None = None) -> Path:
    """Return where journals and sync bases are kept: ``SKYHOLD_STATE``, or ``skyhold`` in the XDG state folder.

    Example:
        >>> state_folder({"SKYHOLD_STATE": "/srv/state"}).as_posix()
        '/srv/state'
        >>> state_folder({"HOME": "/home/me"}).as_posix()
        '/home/me/.local/state/skyhold'
    """
    return _folder("SKYHOLD_STATE", "XDG_STATE_HOME", ".local/state", variables)


def cache_folder(variables: Mapping[str, str] | None = None) -> Path:
    """Return where copies that may be deleted are kept: ``SKYHOLD_CACHE``, or ``skyhold`` in the XDG cache folder.

    Example:
        >>> cache_folder({"HOME": "/home/me"}).as_posix()
        '/home/me/.cache/skyhold'
    """
    return _folder("SKYHOLD_CACHE", "XDG_CACHE_HOME", ".cache", variables)


def profiles_path(variables: Mapping[str, str] | None = None) -> Path:
    """Return the file of connection profiles: ``SKYHOLD_CONFIG``, or ``skyhold/profiles.toml`` in the XDG folder.

    Example:
        >>> profiles_path({"XDG_CONFIG_HOME": "/etc/me"}).as_posix()
        '/etc/me/skyhold/profiles.toml'
    """
    variables = environment() if variables is None else variables
    if named := variables.get("SKYHOLD_CONFIG"):
        return Path(named).expanduser()
    return _folder("", "XDG_CONFIG_HOME", ".config", variables) / "profiles.toml"


def load_profile(name: str, path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    r"""Return the options of a named connection profile, to be passed to ``open_store``.

    The file is TOML, a table a profile. Secrets stand there by reference, ``{env = "NAME"}`` or
    ``{file = "path"}`` (relative to the profiles file); in plain text only when nobody else may read the file.

    Its ``uri``, the bucket or prefix that it is for, is no option and is left out.

    Args:
        name: The table.
        path: The file; by default `profiles_path`.

    Raises:
        ConfigError: No such profile, or the file cannot be used.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "profiles.toml"
        >>> _ = file.write_text("[minio]\nendpoint = 'http://localhost:9000'\n")
        >>> load_profile("minio", file)
        {'endpoint': 'http://localhost:9000'}
    """
    file = profiles_path() if path is None else Path(path)
    profiles = read_tables(file)
    if name not in profiles:
        known = ", ".join(sorted(profiles)) or "none"
        raise ConfigError(
            f"no profile {name!r} in {str(file)!r}; there is: {known}",
            remedy=f"Add a table [{name}] to {str(file)!r}, or set SKYHOLD_CONFIG to another file",
        )
    table = profiles[name]
    if not isinstance(table, dict):
        raise ConfigError(f"{name!r} in {str(file)!r} is not a table", remedy=f"Write [{name}] above its options")
    options = {option: value for option, value in cast("dict[str, Any]", table).items() if option != "uri"}
    return {option: _value(file, name, option, value) for option, value in options.items()}


def read_tables(file: Path) -> dict[str, Any]:
    """Return the tables of a file of profiles, as they stand; they may hold secrets.

    Raises:
        ConfigError: The file cannot be used.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"there are no profiles: {str(file)!r} does not exist",
            remedy="Create it with a table [NAME] of options, or set SKYHOLD_CONFIG",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the profiles in {str(file)!r}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        # The message of a decoder may quote the line, and the line may hold a secret.
        where = re.search(r"\(at .*\)\Z", str(error))
        raise ConfigError(f"{str(file)!r} is not valid TOML {where.group() if where else ''}".rstrip()) from None


def is_secret_name(option: str) -> bool:
    """Return whether an option of this name holds a secret.

    Example:
        >>> [is_secret_name(name) for name in ("aws_secret_access_key", "apiKey", "kms_key_id", "token_file")]
        [True, True, False, False]
    """
    spellings = (option, _HUMP.sub("_", option))
    return any(_SECRET_NAME.search(name.lower().replace("-", "_")) for name in spellings)


def secret_by_reference(value: Any, folder: Path, what: str) -> Secret | None:
    """Return the secret that ``{"env": NAME}`` or ``{"file": path}`` refers to, read now; None for anything else.

    Args:
        value: As it stands in a file.
        folder: What a path is relative to.
        what: Where it stands, for messages.

    Raises:
        ConfigError: It refers to nothing.
    """
    table = _as_table(value)
    if set(table) not in ({"env"}, {"file"}):
        return None
    ((kind, place),) = table.items()
    if not isinstance(place, str) or not place:
        raise ConfigError(f"{what}: {kind} wants a name")
    if kind == "file":
        place = str(folder.absolute() / Path(place).expanduser())
    origin = SecretOrigin(kind, place)
    return Secret(origin.read(), origin)


def write_private(file: Path, text: str) -> None:
    """Write a file that nobody else may read; it appears whole or not at all.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "settings.json"
        >>> write_private(file, "{}")
        >>> oct(file.stat().st_mode & 0o777)
        '0o600'
    """
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # nobody else may read it
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(text)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def redact(text: str) -> str:
    """Return the text without what looks like a secret; log handlers pass every message through it.

    Example:
        >>> redact("GET https://a.blob.core.windows.net/c/k?sv=1&sig=abc%3D")
        'GET https://a.blob.core.windows.net/c/k?sv=1&sig=**redacted**'
        >>> redact("AccountName=a;AccountKey=Zm9v==;EndpointSuffix=core.windows.net")
        'AccountName=a;AccountKey=**redacted**;EndpointSuffix=core.windows.net'
    """
    for pattern, template in _SHAPES:
        text = pattern.sub(template.replace("{}", _REDACTED) or _REDACTED, text)
    return text


def _folder(own: str, xdg: str, default: str, variables: Mapping[str, str] | None) -> Path:
    variables = environment() if variables is None else variables
    if own and (named := variables.get(own)):
        return Path(named).expanduser()
    # The XDG specification says that a relative path is to be ignored.
    parent = variables.get(xdg, "")
    home = variables.get("HOME") or str(Path.home())
    return (Path(parent) if Path(parent).is_absolute() else Path(home) / default) / "skyhold"


def _value(file: Path, profile: str, option: str, value: Any) -> Any:
    secret = secret_by_reference(value, file.parent, f"option {option!r} of profile {profile!r}")
    if secret is not None:
        return secret
    if is_secret_name(option) and isinstance(value, str):
        check_private(file, f"profile {profile!r} holds {option!r} in plain text")
        return Secret(value, SecretOrigin("profile", str(file.absolute()), (profile, option)))
    return value


def _as_table(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def check_private(file: Path, what: str) -> None:
    """Refuse a file of secrets that others may read; ``what`` says which secret.

    Raises:
        ConfigError: They may.
    """
    mode = stat.S_IMODE(file.stat().st_mode)
    if os.name == "posix" and mode & _OTHERS_MAY_READ:
        raise ConfigError(
            f"{what}, and others may read {str(file)!r} (mode {mode:04o})",
            remedy=f"Run: chmod 600 {file}; or write the secret as {{env = 'NAME'}}",
        )


def _read_secret_file(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"cannot read the secret in {str(file)!r}: {reason}") from error
