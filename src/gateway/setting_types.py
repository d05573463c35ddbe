"""Setting types: the types of settings, with their validation."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from limits.errors import ConfigurationError
from pydantic import AfterValidator, SecretStr

from db.config import VARIABLE
from db.core.connections.url import connection_info
from gateway.document_manifest import read_manifest
from gateway.origins import Origins
from graph.core.budget import Budget

Network = IPv4Network | IPv6Network

PATH = re.compile(r"(?:/(?!\.\.?(?:/|$))[A-Za-z0-9._~-]+)+")
NONE = "none"
ANY_PLACE = "any"
FAMILIES = ("RS", "PS", "ES")
ALGORITHMS = {"EdDSA", *(f"{name}{bits}" for name in FAMILIES for bits in (256, 384, 512))}


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_secure(url: str) -> bool:
    parts = urlsplit(url)
    here = parts.scheme == "http" and is_loopback(parts.hostname or "")
    return bool(parts.hostname) and (parts.scheme == "https" or here)


def networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks with commas between. Raises ValueError."""
    if text.strip() == NONE:
        return ()
    return tuple(ip_network(each.strip(), strict=False) for each in text.split(","))


def _names_networks(text: str) -> str:
    try:
        networks(text)
    except ValueError:
        message = f"must be addresses or networks such as 10.0.0.0/8, or {NONE}"
        raise ValueError(message) from None
    return text


def _is_path(text: str) -> str:
    if not PATH.fullmatch(path := text.rstrip("/")):
        raise ValueError("must be a path such as /dreamnet")
    return path


def _is_postgresql(url: SecretStr) -> SecretStr:
    connection_info(url.get_secret_value())  # a ValueError says what is wrong
    return url


def _are_postgresql(urls: SecretStr) -> SecretStr:
    for url in urls.get_secret_value().split():
        connection_info(url)  # a ValueError says what is wrong
    return urls


def _is_secure_url(url: str) -> str:
    if "@" in urlsplit(url).netloc:
        raise ValueError("must not contain a user name or password, because it is shown and logged")
    if not is_secure(url):
        raise ValueError("must start with https://")
    return url


def loopback_places(text: str | None) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",")) if text else ()


def _names_loopback(text: str) -> str:
    for place in loopback_places(text):
        host, _, port = place.rpartition(":")
        if place != ANY_PLACE and not (is_loopback(host) and port.isdecimal()):
            raise ValueError("must be places such as 127.0.0.1:9000, or any")
    return text


def _signs_with_private_keys(names: str) -> str:
    if unknown := {name.strip() for name in names.split(",")} - ALGORITHMS:
        known = ", ".join(sorted(ALGORITHMS))
        raise ValueError(f"{min(unknown) or 'nothing'} is none of {known}")
    return names


def _is_storage(uri: SecretStr) -> SecretStr:
    text = uri.get_secret_value()
    try:
        Budget(text)
    except (ConfigurationError, NotImplementedError) as error:
        raise ValueError("is no storage of the library limits that is installed") from error
    if not text.startswith("async+"):
        raise ValueError("must start with async+")
    return uri


def _are_variables(names: str) -> str:
    for name in filter(None, map(str.strip, names.split(","))):
        if any(VARIABLE.faults(name)):
            raise ValueError("must be names of environment variables, separated by commas")
    return names


def _are_origins(text: str) -> str:
    Origins(text)  # a ValueError says what is wrong
    return text


def _is_manifest(path: Path) -> Path:
    read_manifest(path)  # a ValueError says what is wrong
    return path


Folder = Annotated[Path, AfterValidator(Path.expanduser)]  # `~` in a file .env, as in a shell
Manifest = Annotated[Path, AfterValidator(Path.expanduser), AfterValidator(_is_manifest)]
PostgresUrl = Annotated[SecretStr, AfterValidator(_is_postgresql)]
PostgresUrls = Annotated[SecretStr, AfterValidator(_are_postgresql)]  # with spaces between
SecureUrl = Annotated[str, AfterValidator(_is_secure_url)]
Algorithms = Annotated[str, AfterValidator(_signs_with_private_keys)]  # with commas between
Storage = Annotated[SecretStr, AfterValidator(_is_storage)]
Networks = Annotated[str, AfterValidator(_names_networks)]  # with commas between
LoopbackPlaces = Annotated[str, AfterValidator(_names_loopback)]  # with commas between
UrlPath = Annotated[str, AfterValidator(_is_path)]
OriginList = Annotated[str, AfterValidator(_are_origins)]  # with commas between
Variables = Annotated[str, AfterValidator(_are_variables)]  # with commas between
