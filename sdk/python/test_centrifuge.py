"""The official Python SDK against a private server: python3 -m unittest, with ORDERCAST_BIN set."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

from centrifuge import CentrifugeError, Client, SubscriptionEventHandler
from centrifuge.client import ClientState

SETTINGS = Path(__file__).parent.parent / "settings.toml"
SECRET = b"a secret of tests"
API_KEY = "a key of tests"
DEADLINE_S = 20
MISSED = 5_000


class Server:
    """Starts the real server, and stops exactly what it started."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="ordercast-sdk-")
        self.address = "127.0.0.1:0"
        self.process = None

    def start(self):
        command = [os.environ["ORDERCAST_BIN"], "serve", "--listen", self.address, "--data-dir", self.folder]
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [*command, "--config", str(SETTINGS)], stdout=self.log, stderr=subprocess.STDOUT, text=True
        )
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end and self.process.poll() is None:
            self.log.seek(0)
            if found := re.search(r"http://([\d.]+:\d+)", self.log.read()):
                self.address = found[1]
                return
            time.sleep(0.01)
        self.log.seek(0)
        raise AssertionError("the server does not start: " + self.log.read())

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def remove(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def post(self, path, body, headers=None):
        request = urllib.request.Request(
            f"http://{self.address}{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as reply:
            return json.load(reply)

    def api(self, method, body):
        answer = self.post(f"/api/{method}", body, {"X-API-Key": API_KEY})
        assert "error" not in answer, answer
        return answer

    def place_order(self):
        return self.post("/orders", {"amount": 5, "items": ["a"], "customer": "x", "address": "y"})


def token(**claims):
    def encode(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    body = encode({"alg": "HS256", "typ": "JWT"}) + b"." + encode(claims)
    signature = base64.urlsafe_b64encode(hmac.new(SECRET, body, hashlib.sha256).digest()).rstrip(b"=")
    return (body + b"." + signature).decode()


class Listener(SubscriptionEventHandler):
    """Keeps what it hears."""

    def __init__(self):
        self.publications = []
        self.subscribed = []
        self.joins = []
        self.leaves = []

    async def on_publication(self, ctx):
        self.publications.append(ctx.pub)

    async def on_subscribed(self, ctx):
        self.subscribed.append(ctx)

    async def on_join(self, ctx):
        self.joins.append(ctx.info)

    async def on_leave(self, ctx):
        self.leaves.append(ctx.info)


async def until(what, holds):
    end = time.monotonic() + DEADLINE_S
    while True:
        result = holds()
        if await result if asyncio.iscoroutine(result) else result:
            return
        assert time.monotonic() < end, f"never: {what}"
        await asyncio.sleep(0.01)


class Stories:
    """The same over both encodings."""

    use_protobuf = False

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.remove()

    async def asyncSetUp(self):
        # What a slow machine does is not told.
        asyncio.get_running_loop().slow_callback_duration = DEADLINE_S
        self.clients = []

    async def asyncTearDown(self):
        for client in self.clients:
            await client.disconnect()

    def encode(self, value):
        return json.dumps(value).encode() if self.use_protobuf else value

    def decode(self, data):
        return json.loads(data) if self.use_protobuf else data

    async def client(self, **options):
        address = f"ws://{self.server.address}/connection/websocket"
        client = Client(address, use_protobuf=self.use_protobuf, max_reconnect_delay=0.2, proxy=None, **options)
        self.clients.append(client)
        await client.connect()
        await client.ready(DEADLINE_S)
        return client

    async def subscription(self, client, channel, **options):
        listener = Listener()
        subscription = client.new_subscription(channel, events=listener, **options)
        await subscription.subscribe()
        await subscription.ready(DEADLINE_S)
        return subscription, listener

    async def test_publications_history_and_presence(self):
        channel = f"talk-{self.use_protobuf}"
        one, heard = await self.subscription(await self.client(), channel, join_leave=True)
        two, _ = await self.subscription(await self.client(), channel)
        await until("a join", lambda: len(heard.joins) >= 1)
        await two.publish(self.encode({"text": "héllo"}))
        await until("a publication", lambda: heard.publications)
        self.assertEqual(self.decode(heard.publications[0].data), {"text": "héllo"})
        self.assertEqual(heard.publications[0].offset, 1)
        history = await one.history(limit=10)
        self.assertEqual([self.decode(publication.data) for publication in history.publications], [{"text": "héllo"}])
        self.assertEqual(len((await one.presence()).clients), 2)
        await two.unsubscribe()
        await until("a leave", lambda: heard.leaves)
        self.assertEqual((await one.presence_stats()).num_clients, 1)

    async def test_orders_by_rpc(self):
        client = await self.client()
        _, heard = await self.subscription(client, "orders")
        body = {"amount": 7.5, "items": ["tea"], "customer": "c", "address": "a"}
        order = self.decode((await client.rpc("order.place", self.encode(body))).data)
        await until("the order's event", lambda: heard.publications)
        self.assertEqual(self.decode(heard.publications[0].data)["order_id"], order["id"])
        with self.assertRaises(CentrifugeError):
            await client.rpc("no.such.thing", self.encode({}))

    async def test_missed_publications_come_back(self):
        channel = f"long:py-{self.use_protobuf}"
        client = await self.client()
        _, heard = await self.subscription(client, channel)
        self.server.api("publish", {"channel": channel, "data": {"n": 1}})
        await until("the first", lambda: len(heard.publications) == 1)
        await client.disconnect()
        for first in range(2, MISSED + 2, 500):
            numbers = range(first, min(first + 500, MISSED + 2))
            commands = [{"publish": {"channel": channel, "data": {"n": n}}} for n in numbers]
            self.server.api("batch", {"commands": commands})
        await client.connect()
        await until("all of them", lambda: len(heard.publications) >= MISSED + 1)
        self.assertTrue(heard.subscribed[-1].was_recovering and heard.subscribed[-1].recovered)
        offsets = [(publication.offset, self.decode(publication.data)["n"]) for publication in heard.publications]
        self.assertEqual(offsets, [(n, n) for n in range(1, MISSED + 2)])

    async def test_new_tokens_keep_a_connection(self):
        given = []

        async def get_token():
            given.append(time.time())
            return token(sub="ann", exp=int(time.time()) + 2)

        client = await self.client(get_token=get_token)
        await until("three tokens", lambda: len(given) >= 3)
        self.assertEqual(client.state, ClientState.CONNECTED)

    async def test_orders_over_a_server_that_dies(self):
        server = Server()
        server.start()
        try:
            address = f"ws://{server.address}/connection/websocket"
            client = Client(address, use_protobuf=self.use_protobuf, max_reconnect_delay=0.2, proxy=None)
            self.clients.append(client)
            await client.connect()
            _, heard = await self.subscription(client, "orders")
            for _ in range(3):
                for _ in range(10):
                    await asyncio.to_thread(server.place_order)
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
            await asyncio.to_thread(server.place_order)
            await until("all orders", lambda: len(heard.publications) >= 31 * 3)
            offsets = [publication.offset for publication in heard.publications]
            self.assertEqual(offsets, list(range(1, len(offsets) + 1)))
            await client.disconnect()
        finally:
            server.remove()


class JsonStories(Stories, unittest.IsolatedAsyncioTestCase):
    pass


class ProtobufStories(Stories, unittest.IsolatedAsyncioTestCase):
    use_protobuf = True


if __name__ == "__main__":
    unittest.main()
