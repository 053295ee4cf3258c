"""Bodies as large as they may be, and what they do to everybody else."""

import json
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

CHAT = "/v1/chat/completions"
MEGABYTE = 1024 * 1024


def with_image(size: int) -> bytes:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * size}}
    return json.dumps({"model": "none", "messages": [{"role": "user", "content": [image]}]}).encode()


def test_an_image_of_thirty_megabytes_delays_nobody(start_gateway: Any) -> None:
    gateway = start_gateway()
    done = threading.Event()

    def upload() -> int:
        try:
            return int(gateway.request("POST", CHAT, with_image(30 * MEGABYTE))[0])
        finally:
            done.set()

    seconds = []
    with ThreadPoolExecutor(1) as pool:
        uploading = pool.submit(upload)
        while not done.is_set():
            began = time.perf_counter()
            assert gateway.request("GET", "/health/live")[0] == 200
            seconds.append(time.perf_counter() - began)
            time.sleep(0.002)
    # The model does not exist, which is only known once all of the body has been read.
    assert uploading.result() == 404
    # Many were answered while it came, and most of them at once.
    assert len(seconds) > 10
    assert statistics.median(seconds) < 0.5


def test_the_depth_of_a_body_is_limited(start_gateway: Any) -> None:
    gateway = start_gateway(request_json_depth_limit="50")

    def status_of(depth: int) -> tuple[int, str]:
        nested = b'{"a":' * depth + b"1" + b"}" * depth
        body = b'{"model": "none", "messages": [], "metadata": ' + nested + b"}"
        status, _, answer = gateway.request("POST", CHAT, body)
        return status, json.loads(answer)["error"]["code"]

    assert status_of(50) == (400, "json_too_deep")
    assert status_of(49)[1] != "json_too_deep"
