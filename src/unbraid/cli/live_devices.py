"""Live audio between microphone and speakers, through PortAudio."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from unbraid.cli.console import notice
from unbraid.cli.live_streams import PIPES, Devices, LiveRequest, pushed, tell_repaired, until_interrupted
from unbraid.errors import AudioError, RuntimeUnavailable
from unbraid.tasks.live import LiveSeparator

BLOCK_SECONDS = 0.01


def run_devices(request: LiveRequest) -> None:
    """From the microphone to the speakers, until Ctrl-C.

    Raises:
        RuntimeUnavailable: sounddevice or its library is not installed, or no device can be opened.
        AudioError: a device disappeared.
    """
    sound = load_sounddevice()
    rate = request.rate or default_rate(sound, request.devices)
    with request.open(rate, request.channels, delayed=True) as live, open_stream(sound, request, live) as stream:
        if not request.quiet:
            delay = 1000 * (live.latency_seconds + sum(stream.latency))
            notice(f"{live.spec.name} is live, {delay:.0f} ms late, the devices' share included; Ctrl-C stops it.")
        losses, blocks = 0, 0
        try:
            with until_interrupted():
                while True:
                    block, lost = stream.read(stream.blocksize)
                    made = request.chosen(live, pushed(live, block.T))
                    late = stream.write(np.ascontiguousarray(made.T))
                    losses += bool(lost) + bool(late and blocks)  # the first one is always late
                    blocks += 1
        except sound.PortAudioError as error:
            raise AudioError(f"The microphone or the speakers are gone ({_told(error)}); plug them in again.") from None
        tell_repaired(live.repaired_samples)
        if losses:
            times = "once" if losses == 1 else f"{losses} times"
            notice(f"warning: the sound broke off {times}, as this computer was too busy.")


def load_sounddevice() -> Any:
    """The package, loaded when it is first needed.

    Raises:
        RuntimeUnavailable: it, or PortAudio, is not installed.
    """
    try:
        import sounddevice
    except ImportError:
        raise RuntimeUnavailable(
            f"Microphone and speakers need sounddevice: pip install 'unbraid[live]'. Or {PIPES}."
        ) from None
    except OSError as error:  # as it says where the library is missing
        raise RuntimeUnavailable(
            f"Microphone and speakers need PortAudio ({error}): apt install libportaudio2. Or {PIPES}."
        ) from None
    return sounddevice


def default_rate(sound: Any, devices: Devices) -> int:
    """The microphone's own sample rate."""
    try:
        rate: float = sound.query_devices(devices.pair[0], "input")["default_samplerate"]
    except (sound.PortAudioError, ValueError) as error:
        raise _no_device(error) from None
    return round(rate)


@contextmanager
def open_stream(sound: Any, request: LiveRequest, live: LiveSeparator) -> Iterator[Any]:
    """Microphone and speakers, open."""
    try:
        stream = sound.Stream(
            samplerate=live.sample_rate,
            blocksize=round(BLOCK_SECONDS * live.sample_rate),
            device=request.devices.pair,
            channels=(live.channels, request.outputs(live)),
            dtype="float32",
            latency="low",
        )
        stream.start()
    except (sound.PortAudioError, ValueError) as error:
        raise _no_device(error) from None
    try:
        yield stream
    finally:
        stream.close(ignore_errors=True)


def _no_device(error: Exception) -> RuntimeUnavailable:
    return RuntimeUnavailable(
        f"There is no microphone with speakers that can be opened ({_told(error)}); plug them in, name others with "
        f"--microphone and --speakers, or {PIPES}."
    )


def _told(error: Exception) -> str:
    return (str(error.args[0]) if error.args else type(error).__name__).strip().rstrip(".")
