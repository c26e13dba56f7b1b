"""Live audio over a WebSocket: blocks of samples in, the same without noise out, as they come.

    wss://HOST/v1/live?model=denoise-live&sample_rate=48000
    <- {"model": "denoise-live", "stem": "speech", "stems": ["speech"], "latency_seconds": 0.036}
    -> 480 samples as float32, little-endian, of one channel
    <- 480 samples of the stem, `latency_seconds` later

What cannot be done is told as {"error": "…"} before the connection is closed.
"""

import asyncio
from contextlib import suppress

import numpy as np
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from unbraid.errors import UnbraidError, UsageError, quoted
from unbraid.hub.defaults import LIVE
from unbraid.service.catalogue import offered
from unbraid.service.context import Service
from unbraid.tasks.live import LiveSeparator

router = APIRouter()
MOST_SECONDS = 1.0  # of a block
_SAMPLE_BYTES = 4
_REFUSED, _FULL = 1008, 1013  # close codes: against the rules; try again later (RFC 6455 and its registry)


@router.websocket("/v1/live")
async def live(socket: WebSocket, model: str = LIVE, sample_rate: str = "48000", stem: str = "") -> None:
    """A stream of one channel through a causal model."""
    service: Service = socket.app.state.service
    await socket.accept()
    if service.live >= service.limits.live:
        await _refuse(socket, _FULL, "Too much live audio is under way; try again later.")
        return
    service.live += 1
    try:
        await _stream(socket, model, sample_rate, stem, service.limits.idle_seconds)
    except WebSocketDisconnect:
        pass
    except TimeoutError:
        await _refuse(socket, _REFUSED, f"No audio came for {service.limits.idle_seconds:g} s; start again.")
    except UnbraidError as error:
        await _refuse(socket, _REFUSED, str(error))
    finally:
        service.live -= 1


async def _stream(socket: WebSocket, model: str, rate: str, stem: str, idle_seconds: float) -> None:
    """Answer each block, until the client goes away.

    Raises:
        UnbraidError: the model or stem is not there, or this is no audio.
        TimeoutError: nothing comes for so long.
    """
    with await asyncio.to_thread(opened, model, rate) as separator:
        chosen = stem or separator.stems[0]
        if chosen not in separator.stems:
            raise UsageError(f"{model} gives {', '.join(separator.stems)}, not {quoted(stem)}.")
        about = {"model": model, "stem": chosen, "stems": separator.stems}
        await socket.send_json(about | {"latency_seconds": separator.latency_seconds})
        number = separator.stems.index(chosen)
        while True:
            async with asyncio.timeout(idle_seconds):
                message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            block = samples_of(message.get("bytes"), separator.sample_rate)
            heard = await asyncio.to_thread(separator.push, block[None])  # (S, 1, n)
            async with asyncio.timeout(idle_seconds):
                await socket.send_bytes(heard[number, 0].astype("<f4").tobytes())


def opened(model: str, rate: str) -> LiveSeparator:
    """A causal model on this machine, for a stream of one channel.

    Raises:
        UnbraidError: there is none of this name, or the rate is out of range.
    """
    names = [other.name for other in offered() if other.latency_seconds is not None]
    if model not in names:
        raise UsageError(f"There is no model {quoted(model)} for live audio; choose one of {', '.join(names)}.")
    if not rate.isascii() or not rate.isdigit() or len(rate) > 6:
        raise UsageError(f"The sample rate is a number of Hz, such as 48000, not {quoted(rate)}.")
    return LiveSeparator(model, sample_rate=int(rate), threads=1)


def samples_of(data: bytes | None, sample_rate: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """The samples (n,) of a message.

    Raises:
        UsageError: it has none, or too many.
    """
    if data is None or len(data) % _SAMPLE_BYTES or not 0 < len(data) <= MOST_SECONDS * sample_rate * _SAMPLE_BYTES:
        raise UsageError(f"A message has up to {MOST_SECONDS:g} s of samples as float32, little-endian.")
    return np.frombuffer(data, "<f4").astype(np.float32)


async def _refuse(socket: WebSocket, code: int, told: str) -> None:
    """Say why, and close the connection, if it is there yet."""
    with suppress(WebSocketDisconnect, RuntimeError):
        await socket.send_json({"error": told})
        await socket.close(code)
