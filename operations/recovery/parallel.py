"""Questions asked all at once, none of which can keep the others waiting."""

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from operations.recovery.reach import AWS_ERRORS, is_silence, said


@dataclass(frozen=True, kw_only=True)
class NoAnswer:
    """What came in place of an answer. reason: in a few words. is_silence: rather than a refusal."""

    reason: str
    is_silence: bool = False


def ask(questions: Mapping[str, Callable[[], Any]], *, seconds: float) -> dict[str, Any]:
    """The answer to each question, NoAnswer for one that raised what `AWS_ERRORS` holds or took too long.

    A thread that still waits is left behind: it is a daemon, so that it keeps no command from ending.
    """
    answers: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    for name, question in questions.items():
        threading.Thread(target=_answer, args=(name, question, answers), daemon=True).start()
    found: dict[str, Any] = {
        name: NoAnswer(reason=f"none within {seconds:.0f} s", is_silence=True) for name in questions
    }
    until = time.monotonic() + seconds
    for _ in questions:
        try:
            name, answer = answers.get(timeout=max(until - time.monotonic(), 0))
        except queue.Empty:
            break
        if isinstance(answer, BaseException):
            raise answer
        found[name] = answer
    return found


def _answer(name: str, question: Callable[[], Any], answers: queue.SimpleQueue[tuple[str, Any]]) -> None:
    try:
        answers.put((name, question()))
    except AWS_ERRORS as error:
        answers.put((name, NoAnswer(reason=said(error), is_silence=is_silence(error))))
    except BaseException as error:  # noqa: BLE001 (it is raised in the thread that asked)
        answers.put((name, error))
