"""Hooks of Schemathesis for scripts/fuzz-api."""

import json
import zlib

import schemathesis

# The orders that scripts/fuzz-api places before the run: seed-0, seed-1, …
SEEDS = 100


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """The document leaves answers open for fields to come; those of this run must have none that it does not name."""
    close(raw_schema["components"]["schemas"])


def close(node):
    if isinstance(node, list):
        for item in node:
            close(item)
    elif isinstance(node, dict):
        for item in node.values():
            close(item)
        if node.get("type") == "object" and node.get("properties") and "additionalProperties" not in node:
            node["additionalProperties"] = False


def whole(node):
    """2.0 is an integer to JSON Schema and none to the server, which reads numbers by their text."""
    if isinstance(node, list):
        return [whole(item) for item in node]
    if isinstance(node, dict):
        return {name: whole(item) for name, item in node.items()}
    return int(node) if isinstance(node, float) and node.is_integer() else node


@schemathesis.hook
def map_body(context, body):
    """A claim that finds no order waits as long as it is asked to, and most tokens fit no order: neither teaches much."""
    body = whole(body)
    if isinstance(body, dict):
        if isinstance(body.get("wait_s"), int) and 0 < body["wait_s"] <= 30:
            body["wait_s"] = 1
        if isinstance(body.get("token"), int) and 0 < body["token"] < 2**32 and body["token"] % 2:
            # Most orders are claimed once: a token that may fit.
            body["token"] = 1
    return body


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Of invented ids no order would ever be found: every second one becomes that of an order."""
    drawn = zlib.crc32(repr(path_parameters).encode())
    if isinstance(path_parameters, dict) and "id" in path_parameters and drawn % 2:
        path_parameters["id"] = f"seed-{drawn // 2 % SEEDS}"
    return path_parameters


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    """A list as lines of JSON; anything else as one line."""
    rows = value if isinstance(value, list) else [value]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@schemathesis.deserializer("application/x-ndjson")
def answers(context, response):
    """Lines of JSON as a list."""
    return [json.loads(line) for line in response.content.splitlines() if line]
