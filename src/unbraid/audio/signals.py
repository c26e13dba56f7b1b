"""Calls into C code that calls Python back, protected from signals.

libsndfile and FFmpeg read and write Python files through callbacks. Python runs signal handlers wherever the main
thread is, also in a callback; but an exception cannot pass through C, so Ctrl-C would only be printed, and data would
be lost without an error. Signals never raise in other threads: hence such calls run in one, and the main thread, which
waits for it, can be interrupted.
"""

import contextlib
import threading
import time
from _thread import start_new_thread
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def directly(call: Callable[[], Result]) -> Result:
    """The result of a call that may be disturbed: nothing calls Python back."""
    return call()


def undisturbed(call: Callable[[], Result]) -> Result:
    """The result of the call. When a signal raises meanwhile, that is raised as soon as the call is over; and what the
    call has opened is closed.

    Made of what is atomic to signals: in `threading.Thread` and `concurrent.futures` they raise between lines.
    """
    if threading.get_ident() != threading.main_thread().ident:
        return call()
    results: list[Result] = []
    errors: list[BaseException] = []
    over = threading.Lock()

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)
        finally:
            over.release()

    over.acquire()
    try:
        start_new_thread(work, ())  # signals raise after a call into C, not before it: if one does, this has started
        over.acquire()
    except RuntimeError:  # no thread could be started
        raise
    except BaseException:  # the lock may be held or not
        while not (results or errors):
            time.sleep(0.001)
        for opened in results:  # unused results; the garbage collector might free their Python file first
            with contextlib.suppress(Exception):
                undisturbed(getattr(opened, "close", lambda: None))
        raise
    if errors:
        raise errors.pop()
    return results.pop()
