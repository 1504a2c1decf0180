#!/usr/bin/env python3
"""A worker for Ordercast: claims orders, works on them, and says how it ended. Needs nothing but Python 3.9.

    examples/worker.py [--url URL] [--name NAME] [--capacity N]

Put your work into `work`. Return to complete the order; raise Retry to have it tried again (after so many seconds if you
say so), Reject when it must not be done at all, Hold when a person must look at it; anything else fails it.
"""

import argparse
import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request

HEARTBEAT_S = 2  # a lease ends six seconds after the last one
WAIT_S = 20  # how long a claim waits for an order


class Retry(Exception):
    def __init__(self, reason, after_s=None):
        super().__init__(reason)
        self.after_s = after_s


class Reject(Exception):
    pass


class Hold(Exception):
    pass


def work(order):
    """What is to be done with an order."""
    print(f"{order['id']}: {order['item_count']} lines, {order['amount']} {order['currency']}", flush=True)


class Refused(Exception):
    """The server's answer when it did not do what was asked for (RFC 9457)."""

    def __init__(self, problem):
        super().__init__(problem.get("detail") or problem.get("title"))
        self.kind = problem.get("type", "").rsplit("/", 1)[-1]


class Worker:
    def __init__(self, url, name, capacity):
        self.url, self.name, self.capacity = url.rstrip("/"), name, capacity
        self.lease = None
        self.stopping = threading.Event()

    def post(self, path, body):
        request = urllib.request.Request(
            f"{self.url}/work/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=WAIT_S + 10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Refused(json.load(error)) from None

    def claim(self):
        body = {"worker": self.name, "capacity": self.capacity, "wait_s": WAIT_S}
        if self.lease:
            body["lease"] = self.lease
        try:
            claimed = self.post("claim", body)
        except Refused as refused:
            if refused.kind != "lease-ended":
                raise
            self.lease = None  # what it held is somebody else's now
            return []
        self.lease = claimed["lease"]
        return [order | {"lease": self.lease} for order in claimed["orders"]]

    def beat(self):
        """Shows that this process lives. When the lease has ended all the same, answers to `complete` will say so."""
        while not self.stopping.wait(HEARTBEAT_S):
            if self.lease:
                try:
                    self.post(f"{self.lease}/heartbeat", {})
                except (OSError, Refused):
                    pass

    def carry_out(self, claimed):
        order, told = claimed["order"], {"lease": claimed["lease"], "token": claimed["token"]}
        path = f"{order['id']}/fail"
        try:
            work(order)
            path = f"{order['id']}/complete"
        except Retry as retry:
            told.update(outcome="retry", reason=str(retry))
            if retry.after_s is not None:
                told["retry_after_s"] = retry.after_s
        except Reject as reject:
            told.update(outcome="reject", reason=str(reject))
        except Hold as hold:
            told.update(outcome="hold", reason=str(hold))
        except Exception as error:  # a defect of the work must not end the worker
            told.update(outcome="fail", reason=f"{type(error).__name__}: {error}"[:400])
        self.tell(path, told)

    def tell(self, path, told):
        while True:
            try:
                return self.post(path, told)
            except Refused as refused:
                # stale-token: another worker has the order, and nothing was changed.
                return print(f"{path}: {refused}", file=sys.stderr, flush=True)
            except OSError as error:
                print(f"{path}: {error}; trying again", file=sys.stderr, flush=True)
                time.sleep(1)

    def run(self):
        threading.Thread(target=self.beat, daemon=True).start()
        while not self.stopping.is_set():
            try:
                claimed = self.claim()
            except (OSError, Refused) as error:
                print(f"claim: {error}; trying again", file=sys.stderr, flush=True)
                self.stopping.wait(1)
                continue
            for order in claimed:
                if self.stopping.is_set():
                    # Given back unworked: the attempt is not charged.
                    told = {"lease": order["lease"], "token": order["token"]}
                    self.tell(f"{order['order']['id']}/release", told)
                else:
                    self.carry_out(order)


def main():
    parser = argparse.ArgumentParser(description="A worker for Ordercast.")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--name", default=f"{socket.gethostname()}-{os.getpid()}")
    parser.add_argument("--capacity", type=int, default=4, help="orders claimed at a time")
    arguments = parser.parse_args()
    worker = Worker(arguments.url, arguments.name, arguments.capacity)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: worker.stopping.set())
    worker.run()


if __name__ == "__main__":
    main()
