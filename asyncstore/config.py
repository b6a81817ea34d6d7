"""The configuration: defaults, then a dict or a YAML file, then the environment.

Every key has a field below; one that has none is an error that names it and the nearest key there
is. An environment variable names the path of a key, as in
``ASYNCSTORE__STORAGE__ASYNC_SCORER=false``, and wins over everything else.
"""

from __future__ import annotations

import difflib
import os
import typing
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import msgspec

from asyncstore.bounds import Bounds, checked
from asyncstore.errors import InvalidArgumentError
from asyncstore.models.collections import OptimizersConfig

ENVIRONMENT_PREFIX = "ASYNCSTORE__"

ConfigSource: TypeAlias = "Config | Mapping[str, object] | str | os.PathLike[str] | None"


class Switch(StrEnum):
    """Yes, no, or whatever the machine allows. YAML's ``true`` and ``false`` are taken too."""

    AUTO = "auto"
    TRUE = "true"
    FALSE = "false"


class Durability(StrEnum):
    """What an acknowledged write survives.

    ``fsync``: the death of the process and of the machine; ``flush``: the death of the process;
    ``none``: nothing is promised.
    """

    FSYNC = "fsync"
    FLUSH = "flush"
    NONE = "none"


class LogFormat(StrEnum):
    """How the server writes what it logs: lines for people, or one JSON object a line."""

    TEXT = "text"
    JSON = "json"


class PerformanceConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How many threads, how many reads at once, and what stays in memory.

    Attributes:
        workers: Search threads; 0 means one per CPU.
        io_depth: Reads in flight per worker, at most.
        direct_io: Whether originals are read past the page cache. ``auto`` does so where
            ``cache_bytes`` says how many are to be kept instead, and while they do not fit into
            the memory that the machine and the control group have left.
        cache_bytes: Memory for rows that were read past the page cache: a hard bound. 0 keeps
            none. Not with ``direct_io: false``.
        prewarm: Bring originals into the page cache in the background after opening and sealing,
            unless they are read past it.
    """

    workers: Annotated[int, Bounds(0, 256)] = 0
    io_depth: Annotated[int, Bounds(1, 4096)] = 128
    direct_io: Switch = Switch.AUTO
    cache_bytes: Annotated[int, Bounds(0)] = 0
    prewarm: bool = True


class StorageConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where the data lies and how it is read and written.

    Attributes:
        storage_path: The server's data folder; ``open_store`` takes its path from the call.
        snapshots_path: Where snapshots are kept: those of a collection in a folder of its name,
            those of the whole store beside these. None means the folder ``snapshots`` in the
            store's. Like every path here, a relative one begins at the working directory.
        temp_path: Where snapshots are put together, and where those lie meanwhile that are fetched
            or uploaded; None means in ``snapshots_path``. It may be another disk.
        snapshot_hosts: Hosts, beside this machine's loopback, that snapshots are fetched from.
        async_scorer: Whether originals are read through io_uring. ``true`` fails at open where
            io_uring does not work, ``auto`` falls back to the memory map and says so.
        on_disk_payload: Whether payload is read from disk when it is asked for.
        durability: What an acknowledged write survives.
    """

    storage_path: str = "./storage"
    snapshots_path: str | None = None
    temp_path: str | None = None
    snapshot_hosts: tuple[str, ...] = ()
    async_scorer: Switch = Switch.AUTO
    on_disk_payload: bool = True
    durability: Durability = Durability.FSYNC
    performance: PerformanceConfig = PerformanceConfig()
    optimizers: OptimizersConfig = OptimizersConfig()


class ServiceConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The HTTP server; an embedded store does not look at it.

    Attributes:
        host: The address that it listens at; another than the loopback needs an ``api_key``.
        http_port: The port; 0 lets the system choose.
        api_key: Whoever has it may do everything; None: everybody may.
        read_only_api_key: Whoever has it may read.
        max_request_size_mb: MiB that the body of a request may have.
        max_searches_per_batch: Searches that one request may carry.
        body_timeout_s: Seconds within which a request must have been received, and within which a
            client must have taken some more of a reply.
        max_connections: Connections at once; those beyond are told that there are too many.
        enable_tls: HTTPS in the place of HTTP, by the files of ``tls``.
        verify_https_client_certificate: Only clients are let in that have a certificate which
            ``tls.ca_cert`` has signed.
    """

    host: str = "127.0.0.1"
    http_port: Annotated[int, Bounds(0, 65535)] = 6333
    api_key: str | None = None
    read_only_api_key: str | None = None
    max_request_size_mb: Annotated[int, Bounds(1)] = 32
    max_searches_per_batch: Annotated[int, Bounds(1)] = 10_000
    body_timeout_s: Annotated[float, Bounds(0.01)] = 60.0
    max_connections: Annotated[int, Bounds(1)] = 1024
    enable_tls: bool = False
    verify_https_client_certificate: bool = False


class TlsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The files of HTTPS, each in PEM format.

    Attributes:
        cert: The certificate of the server, then those between it and its authority.
        key: Its private key, without a passphrase.
        ca_cert: The authorities that certificates of clients are checked by.
        cert_ttl: Seconds after which certificate and key are read again; None: only at the start.
    """

    cert: str | None = None
    key: str | None = None
    ca_cert: str | None = None
    cert_ttl: Annotated[int, Bounds(1)] | None = 3600


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set, with its default.

    Attributes:
        log_level: From which level on ``asyncstore serve`` logs; DEBUG has every request.
        log_format: How it does.

    Example:
        >>> from asyncstore import Config
        >>> Config.load({"storage": {"durability": "flush"}}).storage.durability.value
        'flush'
    """

    storage: StorageConfig = StorageConfig()
    service: ServiceConfig = ServiceConfig()
    tls: TlsConfig = TlsConfig()
    log_level: str = "INFO"
    log_format: LogFormat = LogFormat.TEXT

    @classmethod
    def load(
        cls, source: ConfigSource = None, *, environment: Mapping[str, str] | None = None
    ) -> Config:
        """Puts a configuration together and checks it.

        Args:
            source: None for the defaults, a ``Config``, a dict of the YAML's shape, or the path of
                a YAML file.
            environment: Variables that override; None means ``os.environ``.

        Raises:
            InvalidArgumentError: A key is unknown, or a value has the wrong type or is out of
                bounds; the message has the key's path.
            FileNotFoundError: There is no file at the path.
        """
        tree = _known(_tree_of(source), cls, "")
        overrides = _environment_tree(os.environ if environment is None else environment)
        if overrides:
            # Only what comes from the environment may bring numbers and booleans as strings.
            base = checked(tree, cls, "")
            merged = _merge(msgspec.to_builtins(base), _known(overrides, cls, ""))
            return _consistent(checked(merged, cls, "", lax=True))
        return _consistent(checked(tree, cls, ""))


def _consistent(config: Config) -> Config:
    """Refuses settings that contradict each other."""
    performance = config.storage.performance
    if performance.cache_bytes > 0 and performance.direct_io is Switch.FALSE:
        raise InvalidArgumentError(
            f"storage.performance.cache_bytes is {performance.cache_bytes}, but direct_io is "
            "false: rows would be kept twice, by the store and by the page cache. Set direct_io "
            "to auto or true, or cache_bytes to 0"
        )
    _check_tls(config)
    return config


def _check_tls(config: Config) -> None:
    service, tls = config.service, config.tls
    if service.verify_https_client_certificate and not service.enable_tls:
        raise InvalidArgumentError(
            "service.verify_https_client_certificate is true, but service.enable_tls is false: "
            "clients show certificates over HTTPS alone"
        )
    needed = {"cert": tls.cert, "key": tls.key} if service.enable_tls else {}
    if service.verify_https_client_certificate:
        needed["ca_cert"] = tls.ca_cert
    missing = [f"tls.{name}" for name, path in needed.items() if not path]
    if missing:
        raise InvalidArgumentError(
            f"service.enable_tls is true, but there is no {', '.join(missing)}: set the path of a "
            "file in PEM format"
        )


def _tree_of(source: ConfigSource) -> Mapping[str, object]:
    if source is None:
        return {}
    if isinstance(source, Config):
        return typing.cast("dict[str, object]", msgspec.to_builtins(source))
    if isinstance(source, Mapping):
        return source
    return _read_yaml(Path(source))


def _read_yaml(path: Path) -> Mapping[str, object]:
    import yaml  # here, because importing asyncstore must stay quick

    text = path.read_text(encoding="utf-8")
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidArgumentError(f"{path} is not YAML: {error}") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise InvalidArgumentError(f"{path}: expected keys and values, got {type(tree).__name__}")
    return tree


def _environment_tree(environment: Mapping[str, str]) -> dict[str, object]:
    """Turns ``ASYNCSTORE__A__B=c`` into ``{"a": {"b": "c"}}``."""
    tree: dict[str, object] = {}
    for variable in sorted(environment):
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        *parents, leaf = variable.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        branch = tree
        for parent in parents:
            branch = typing.cast("dict[str, object]", branch.setdefault(parent, {}))
            if not isinstance(branch, dict):
                raise InvalidArgumentError(f"{variable}: {parent} is set by another variable too")
        branch[leaf] = environment[variable]
    return tree


def _known(tree: Mapping[str, object], struct: type[msgspec.Struct], path: str) -> dict[str, Any]:
    """Copies the tree, refusing keys that have no field and turning switches into their words."""
    hints = typing.get_type_hints(struct)
    known: dict[str, Any] = {}
    for key, value in tree.items():
        key_path = f"{path}.{key}" if path else str(key)
        if key not in hints:
            raise InvalidArgumentError(_unknown_key(key_path, str(key), path, hints))
        hint = hints[key]
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            if value is None:  # "storage:" with nothing below it
                continue
            if not isinstance(value, Mapping | msgspec.Struct):
                raise InvalidArgumentError(f"{key_path}: expected keys and values, got {value!r}")
            branch = msgspec.to_builtins(value) if isinstance(value, msgspec.Struct) else value
            known[key] = _known(branch, hint, key_path)
        elif hint is Switch:
            known[key] = _switch_word(value)
        else:
            known[key] = value
    return known


def _switch_word(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.lower() if isinstance(value, str) else value


def _unknown_key(key_path: str, key: str, parent: str, siblings: Mapping[str, object]) -> str:
    message = f"unknown configuration key '{key_path}'"
    nearest = difflib.get_close_matches(key, siblings, n=1, cutoff=0.6)
    if nearest:
        candidate = f"{parent}.{nearest[0]}" if parent else nearest[0]
    else:  # the right name in the wrong place, or a wrong name altogether: look at every key
        paths = list(_key_paths(Config, ""))
        by_name = {known.rpartition(".")[2]: known for known in reversed(paths)}
        name = difflib.get_close_matches(key, by_name, n=1, cutoff=0.0)
        candidate = by_name[name[0]] if name else paths[0]
    return f"{message}; the nearest known key is '{candidate}'"


def _key_paths(struct: type[msgspec.Struct], path: str) -> list[str]:
    paths: list[str] = []
    for name, hint in typing.get_type_hints(struct).items():
        key_path = f"{path}.{name}" if path else name
        paths.append(key_path)
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            paths.extend(_key_paths(hint, key_path))
    return paths


def _merge(base: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in overrides.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged
