"""HTTP for requests that are not on the hot path: JSON bytes out, JSON bytes in, always with a deadline."""

from types import TracebackType

import aiohttp

from makerside.model.errors import VenueRefused, VenueUnreachable

DEADLINE_S = 10.0
BODY_BYTES_MAX = 64 * 1024 * 1024  # a venue's whole metadata is a few MB


class HttpLink:
    """A keep-alive connection to one base URL."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def post(self, path: str, body: bytes, deadline_s: float = DEADLINE_S) -> bytes:
        """Return the body of a 200 answer.

        errors : VenueRefused with status and text for any other answer, and for one that is too long;
                 VenueUnreachable when none came
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(headers={"Content-Type": "application/json"})
        url = self.base_url + path
        timeout = aiohttp.ClientTimeout(total=deadline_s)
        try:
            async with self._session.post(url, data=body, timeout=timeout) as answer:
                data = bytearray()
                async for part in answer.content.iter_any():
                    data += part
                    if len(data) > BODY_BYTES_MAX:
                        raise VenueRefused(f"{url}: an answer of more than {BODY_BYTES_MAX} bytes")
                if answer.status != 200:
                    raise VenueRefused(f"{url}: HTTP {answer.status}: {data[:200].decode(errors='replace')}")
                return bytes(data)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise VenueUnreachable(f"{url}: {type(error).__name__} {error}".rstrip()) from None

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __aenter__(self) -> "HttpLink":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
