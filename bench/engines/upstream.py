"""The provider of this benchmark: Converse's words, as server-sent events. Run with a port."""

import sys

from bench.mock_answers import Answers, answers
from bench.mock_upstream import serve

# Every engine parses the same events; that of AWS's own encoding is measured elsewhere.
_EVENT = b'data: {"contentBlockDelta":{"contentBlockIndex":0,"delta":{"text":" several words"}}}\n\n'


def _answers() -> Answers:
    whole = {
        "output": {"message": {"role": "assistant", "content": [{"text": "word " * 200}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 120, "outputTokens": 200, "totalTokens": 320},
        "metrics": {"latencyMs": 1},
    }
    return answers(whole, content_type="text/event-stream", chunk=_EVENT)


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(int(sys.argv[1]), _answers()))
