"""Where a snapshot comes from: a file, or a URL of a host that may be asked."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from asyncstore.archive import PART_BYTES, Pause
from asyncstore.errors import InvalidArgumentError, StorageIOError
from asyncstore.loopback import is_loopback
from asyncstore.snapshot_files import PartFile

_TIMEOUT_S = 60


def is_url(location: str) -> bool:
    """Whether it is to be fetched; else it is a file's."""
    return location.lower().startswith(("http://", "https://"))


def file_of(location: str) -> Path:
    """The file that a path or a ``file://`` URI names.

    Raises:
        InvalidArgumentError: It is a URI of something else, or of another host's file.
    """
    if "\0" in location:
        raise InvalidArgumentError(f"location: {location!r} names no file")
    if "://" not in location:
        return Path(location)
    uri = _split(location)
    if uri.scheme != "file" or uri.netloc not in ("", "localhost"):
        raise InvalidArgumentError(
            "Invalid snapshot URI, file path must be absolute or on localhost"
        )
    path = unquote(uri.path)
    if not path.startswith("/") or "\0" in path:
        raise InvalidArgumentError(
            "Invalid snapshot URI, file path must be absolute or on localhost"
        )
    return Path(path)


def check_host(url: str, hosts: Sequence[str]) -> None:
    """Refuses to ask a host that is neither this machine nor among those of the configuration.

    Raises:
        InvalidArgumentError: It is another.
    """
    host = _split(url).hostname
    if host is None or not (is_loopback(host) or host in hosts):
        raise InvalidArgumentError(
            f"location: host {host!r} is not asked for snapshots; it must be this machine's "
            "loopback or one of storage.snapshot_hosts"
        )


def download(url: str, api_key: str | None, part: PartFile, pause: Pause) -> None:
    """Fetches what a URL names; redirections are not followed, as they lead to other hosts.

    Raises:
        InvalidArgumentError: It is no URL, the key is none, or the host does not give such a file.
        StorageIOError: The connection fails or ends too early; then ``filename`` is the URL.
    """
    with closing(_parts_of(url, api_key)) as parts:
        for chunk in parts:
            pause()
            part.write(chunk)


def _parts_of(url: str, api_key: str | None) -> Generator[bytes, None, None]:
    """What a URL names, in pieces."""
    import http.client  # here, because importing asyncstore must stay quick
    import urllib.error
    import urllib.request

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *request: object) -> None:
            return None

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect)
    request = urllib.request.Request(url, headers={"api-key": api_key} if api_key else {})
    size_bytes = 0
    try:
        with opener.open(request, timeout=_TIMEOUT_S) as reply:
            announced = reply.headers.get("Content-Length")
            while chunk := reply.read(PART_BYTES):
                size_bytes += len(chunk)
                yield chunk
    except urllib.error.HTTPError as error:
        error.close()
        raise InvalidArgumentError(
            f"location: {url!r} answers {error.code} {error.reason}"
        ) from error
    except (http.client.InvalidURL, ValueError) as error:  # also of what no header can hold
        raise InvalidArgumentError(f"location: {url!r} cannot be asked for: {error}") from error
    except (http.client.HTTPException, OSError) as error:
        raise StorageIOError(f"cannot fetch {url!r}: {error}", filename=url) from error
    if announced is not None and announced.isdecimal() and int(announced) != size_bytes:
        sentence = f"cannot fetch {url!r}: it ended at {size_bytes} of {announced}"
        raise StorageIOError(sentence, filename=url)


def _split(location: str) -> SplitResult:
    try:
        return urlsplit(location)
    except ValueError as error:
        raise InvalidArgumentError(f"location: {location!r} is no URL: {error}") from error
