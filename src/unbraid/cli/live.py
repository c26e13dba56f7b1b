"""`unbraid live`: a causal model between microphone and speakers, or between two pipes."""

from typing import Annotated

import typer

from unbraid.cli.console import guarded
from unbraid.errors import UsageError
from unbraid.hub.defaults import LIVE

_Source = Annotated[
    str, typer.Argument(metavar="[-]", help="- is standard input, to standard output. (default: microphone, speakers)")
]
_Model = Annotated[
    str, typer.Option("--model", "-m", help="A name that `unbraid models` lists with a latency, or a model folder.")
]
_Rate = Annotated[
    int | None,
    typer.Option(metavar="HZ", help="Of raw 16-bit samples from -, or of the devices. (default: as WAV or they say)"),
]
_Channels = Annotated[int, typer.Option(metavar="N", help="Of raw samples from -, or of the microphone.")]
_Stem = Annotated[
    str | None, typer.Option(metavar="NAME", help="Only this stem. (default: all, on channels one after the other)")
]
_Microphone = Annotated[str | None, typer.Option(metavar="NAME", help="Name or number of the input device.")]
_Speakers = Annotated[str | None, typer.Option(metavar="NAME", help="Name or number of the output device.")]
_Latency = Annotated[bool, typer.Option("--latency", help="Measure the latency for three seconds, and stop.")]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors.")]


def live(
    source: _Source = "",
    model: _Model = LIVE,
    rate: _Rate = None,
    channels: _Channels = 1,
    stem: _Stem = None,
    microphone: _Microphone = None,
    speakers: _Speakers = None,
    latency: _Latency = False,
    quiet: _Quiet = False,
) -> None:
    """Remove noise from a voice as it is heard, or separate voices, until Ctrl-C or the end of the pipe.

    arecord -f S16_LE -r 16000 | unbraid live - | aplay
    """
    with guarded():
        if source not in ("", "-"):
            raise UsageError(f"Live audio comes from a microphone or from -; for {source} use `unbraid enhance`.")
        if source and (microphone or speakers):
            raise UsageError("--microphone and --speakers are for live audio without -; leave them out.")
        from unbraid.cli.live_streams import Devices, LiveRequest, run_pipe

        request = LiveRequest(model, rate, channels, stem, Devices(microphone, speakers), quiet)
        if latency:
            from unbraid.cli.live_latency import measure

            measure(request, with_devices=not source)
        elif source:
            run_pipe(request)
        else:
            from unbraid.cli.live_devices import run_devices

            run_devices(request)
