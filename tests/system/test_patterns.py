"""The five resilience patterns, by two gateways that share a cache."""

import json
import subprocess
import sys

COMMAND = [sys.executable, "-m", "local.patterns"]


def test_every_pattern_comes_out_as_the_article_has_it() -> None:
    done = subprocess.run([*COMMAND, "--json"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    figures = {
        result["number"]: [(bar["label"], bar["count"]) for bar in result["bars"]]
        for result in json.loads(done.stdout)
    }
    assert figures == {
        1: [("us-east-1", 1), ("us-east-2", 7), ("us-west-2", 2)],
        2: [
            ("account 1", 10),
            ("account 2", 10),
            ("account 1, us-east-1", 3),
            ("account 1, us-east-2", 7),
            ("account 2, us-east-1", 2),
            ("account 2, us-east-2", 3),
            ("account 2, us-west-2", 5),
        ],
        3: [("primary", 3), ("fallback", 7)],
        4: [("deployment a", 3), ("deployment b", 3), ("overflow", 4)],
        5: [("consumer A", 3), ("consumer B", 5), ("consumer C", 5)],
    }


def test_a_deployed_gateway_needs_keys() -> None:
    done = subprocess.run(
        [*COMMAND, "--endpoint", "https://api.example.com"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "--endpoint needs --key and --consumers too" in done.stderr
