"""The network's own pieces: HTTP, WebSocket, nonces, clock."""

import asyncio
import contextlib
import itertools

import pytest
from aiohttp import WSMsgType, web

from makerside.model.errors import VenueRefused, VenueUnreachable
from makerside.net import ws as module
from makerside.net.clock import Clock, wall_ms, wall_ns
from makerside.net.http import HttpLink
from makerside.net.nonce import NonceSource
from makerside.net.ws import WebSocketLink

WAIT_S = 5.0


@contextlib.asynccontextmanager
async def web_server(**routes):
    """Serve handlers on a free port: POST for names, GET for `ws`; yields the base URL."""
    app = web.Application()
    for name, handler in routes.items():
        app.router.add_route("GET" if name == "ws" else "POST", f"/{name}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    finally:
        await runner.cleanup()


async def until(condition):
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.002)


class TestHttp:
    def ask(self, handler):
        async def run():
            async with web_server(info=handler) as url, HttpLink(url + "/") as link:
                return await link.post("/info", b'{"type":"meta"}')

        return asyncio.run(run())

    def test_an_answer_is_its_body(self):
        async def handler(request):
            assert request.content_type == "application/json"
            return web.Response(body=await request.read())

        assert self.ask(handler) == b'{"type":"meta"}'

    def test_a_long_answer_that_comes_in_pieces_is_read_whole(self):
        """The metadata of the real venue is far longer than one segment."""
        body = b"x" * 300_000

        async def handler(request):
            answer = web.StreamResponse(headers={"Content-Length": str(len(body))})
            await answer.prepare(request)
            for start in range(0, len(body), 50_000):
                await answer.write(body[start : start + 50_000])
                await asyncio.sleep(0.005)
            return answer

        assert len(self.ask(handler)) == len(body)

    @pytest.mark.parametrize(
        ("status", "text"), [(422, "Failed to deserialize"), (429, "null"), (502, "<html>")]
    )
    def test_any_other_status_is_a_refusal_with_its_words(self, status, text):
        async def handler(request):
            return web.Response(status=status, text=text)

        with pytest.raises(VenueRefused, match=f"HTTP {status}: {text}"):
            self.ask(handler)

    def test_no_server_is_unreachable_by_its_address(self):
        async def run():
            async with web_server() as url:
                pass
            async with HttpLink(url) as link:
                with pytest.raises(VenueUnreachable, match=url):
                    await link.post("/info", b"")

        asyncio.run(run())

    def test_silence_is_unreachable_after_the_deadline(self):
        async def handler(request):
            await asyncio.sleep(30)

        async def run():
            async with web_server(info=handler) as url, HttpLink(url) as link:
                with pytest.raises(VenueUnreachable):
                    await link.post("/info", b"", deadline_s=0.1)

        asyncio.run(run())

    def test_a_connection_that_breaks_is_unreachable(self):
        async def handler(request):
            request.transport.abort()
            await asyncio.sleep(1)

        with pytest.raises(VenueUnreachable):
            self.ask(handler)


class Listener:
    """Notes what a link tells."""

    def __init__(self):
        self.ups, self.downs, self.frames = 0, 0, []

    def on_up(self, link):
        self.ups += 1

    def on_frame(self, data):
        self.frames.append(data)

    def on_down(self):
        self.downs += 1


class TestWebSocket:
    def run(self, handler, work, monkeypatch, backoff_s=0.01):
        """Run `work(link, listener)` against a handler of WebSockets."""
        monkeypatch.setattr(module, "BACKOFF_FIRST_S", backoff_s)
        monkeypatch.setattr(module, "BACKOFF_MAX_S", 4 * backoff_s)

        async def upgrade(request):
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await handler(socket)
            return socket

        async def main():
            listener = Listener()
            async with web_server(ws=upgrade) as url:
                link = WebSocketLink(url.replace("http", "ws") + "/ws", listener)
                task = asyncio.create_task(link.run())
                try:
                    await work(link, listener)
                finally:
                    link.stop()
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)

        asyncio.run(main())

    @staticmethod
    async def echo(socket):
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                await socket.send_str(message.data)

    def test_frames_go_both_ways(self, monkeypatch):
        async def work(link, listener):
            assert not link.send(b"nobody hears this")
            await until(lambda: link.is_up)
            assert link.send(b"hello")
            await until(lambda: listener.frames)
            assert listener.frames == [b"hello"]

        self.run(self.echo, work, monkeypatch)

    def test_a_long_frame_is_one_frame(self, monkeypatch):
        async def handler(socket):
            await socket.send_str("y" * 3_000_000)
            await self.echo(socket)

        async def work(link, listener):
            await until(lambda: listener.frames)
            assert [len(frame) for frame in listener.frames] == [3_000_000]

        self.run(handler, work, monkeypatch)

    def test_it_comes_back_whenever_it_is_lost_and_tells_each_time_once(self, monkeypatch):
        async def handler(socket):
            await socket.send_str("hi")
            await socket.close()

        async def work(link, listener):
            await until(lambda: listener.ups >= 4)
            assert 0 <= listener.ups - listener.downs <= 1
            assert link.n_connects == listener.ups

        self.run(handler, work, monkeypatch)

    def test_it_waits_longer_each_time(self, monkeypatch):
        async def handler(socket):
            await socket.close()

        async def work(link, listener):
            await until(lambda: listener.ups >= 1)
            await asyncio.sleep(0.5)
            assert listener.ups <= 7  # 0.05, 0.1, 0.2, 0.2 ... with jitter

        self.run(handler, work, monkeypatch, backoff_s=0.05)

    def test_stopped_it_stays_away(self, monkeypatch):
        async def work(link, listener):
            await until(lambda: link.is_up)
            link.stop()
            await until(lambda: not link.is_up)
            await asyncio.sleep(0.1)
            assert (listener.ups, listener.downs) == (1, 1)

        self.run(self.echo, work, monkeypatch)

    def test_dropped_it_comes_back(self, monkeypatch):
        async def work(link, listener):
            await until(lambda: link.is_up)
            link.drop()
            await until(lambda: listener.ups == 2)

        self.run(self.echo, work, monkeypatch)

    def test_a_server_that_is_not_there_is_tried_again(self, monkeypatch):
        monkeypatch.setattr(module, "BACKOFF_FIRST_S", 0.01)

        async def main():
            async with web_server() as url:
                pass
            link = WebSocketLink(url.replace("http", "ws") + "/ws", Listener())
            task = asyncio.create_task(link.run())
            await asyncio.sleep(0.1)
            assert not task.done()
            assert not link.is_up
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(main())

    def test_a_mistake_of_ours_in_the_callback_ends_the_run(self, monkeypatch):
        """A broken invariant must not be papered over by a reconnect."""

        async def handler(socket):
            await socket.send_str("hi")
            await self.echo(socket)

        async def main():
            listener = Listener()

            def fail(data):
                raise AssertionError("broken")

            listener.on_frame = fail

            async def upgrade(request):
                socket = web.WebSocketResponse()
                await socket.prepare(request)
                await handler(socket)
                return socket

            async with web_server(ws=upgrade) as url:
                link = WebSocketLink(url.replace("http", "ws") + "/ws", listener)
                with pytest.raises(AssertionError, match="broken"):
                    await asyncio.wait_for(link.run(), WAIT_S)

        asyncio.run(main())


def test_nonces_only_grow_and_look_like_milliseconds():
    source = NonceSource()
    found = [source.next() for _ in range(10_000)]
    assert all(b > a for a, b in itertools.pairwise(found))
    assert abs(found[0] - wall_ms()) < 1_000
    later = wall_ms() + 60_000
    assert NonceSource(later).next() == later + 1


class TestClock:
    def test_it_never_goes_back(self):
        times = [wall_ns() for _ in range(1_000)]
        assert times == sorted(times)

    def test_real_time_is_wall_time(self):
        assert abs(Clock().now_ns() - wall_ns()) < 50_000_000
        assert Clock().wall_s(1_500_000_000) == 1.5

    def test_two_that_share_three_numbers_tell_the_same(self):
        first = Clock.starting_now(40.0)
        second = Clock(first.origin_wall_ns, first.origin_market_ns, first.speed)
        a, b, c = first.now_ns(), second.now_ns(), first.now_ns()
        assert a <= b <= c

    def test_at_a_speed_it_runs_as_much_faster(self):
        clock = Clock.starting_now(1_000.0)
        before, wall = clock.now_ns(), wall_ns()
        while wall_ns() - wall < 5_000_000:
            pass
        taken = (clock.now_ns() - before) / (wall_ns() - wall)
        assert 900 < taken < 1_100
        assert clock.wall_s(10**9) == 0.001
