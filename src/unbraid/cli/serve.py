"""`unbraid serve`: a page for people and an API for programs, on this machine."""

import os
import sys
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from unbraid.cli.console import guarded, say
from unbraid.errors import RuntimeUnavailable

_Host = Annotated[
    str, typer.Option(metavar="NAME", help="The address to listen at; another than this machine's own needs a token.")
]
_Port = Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="The port; 0 is any that is free.")]
_Workers = Annotated[int, typer.Option(metavar="N", min=1, max=256, help="Processes that do jobs, at the same time.")]
_Data = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where jobs are kept. (default: $UNBRAID_DATA, or the user's data)")
]
_Token = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT",
        help="A token that requests must have; give several for several clients. (default: $UNBRAID_TOKEN)",
    ),
]
_AllowHost = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="A further name of this service, as behind a proxy; repeatable."),
]
_Limit = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=N", help="A limit, such as upload-mb=500, minutes=60, queued=20; repeatable."),
]
_NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Open no page in the browser.")]


def serve(
    host: _Host = "127.0.0.1",
    port: _Port = 8080,
    workers: _Workers = 1,
    data: _Data = None,
    token: _Token = None,
    allow_host: _AllowHost = None,
    limit: _Limit = None,
    no_browser: _NoBrowser = False,
) -> None:
    """Serve a page and an API that separate, transcribe and analyse recordings, until Ctrl-C.

    curl -F file=@song.mp3 -F model=music-4 localhost:8080/v1/jobs
    """
    with guarded():
        try:
            from unbraid.service import security, server
            from unbraid.service.context import Service
            from unbraid.service.limits import limits_of
            from unbraid.service.storage import Storage, default_folder
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("unbraid"):
                raise
            raise RuntimeUnavailable(
                f"`unbraid serve` needs {error.name}, which is not installed; get it with `pip install 'unbraid[web]'`."
            ) from None
        tokens = security.checked_tokens(token or (), os.environ.get("UNBRAID_TOKEN"))
        guard = security.Guard(host, tokens, (*server.names_of(host), *(allow_host or ())))
        limits = limits_of(limit or ())
        storage = Storage(data or default_folder())
        storage.make()
        with storage.served(), server.bound(server.Address(host, port)) as opened:
            url = server.url_of(opened)

            def ready() -> None:
                say(f"unbraid serves {url} (jobs are kept in {storage.root}); Ctrl-C stops it.")
                if not no_browser and _has_screen():
                    with suppress(webbrowser.Error):
                        webbrowser.open(url)

            with suppress(KeyboardInterrupt):  # the ordinary end of a server
                server.serve(Service(storage, guard, limits, workers), opened, ready)
            say("stopped; unfinished jobs go on when it is started again.")


def _has_screen() -> bool:
    """Whether a browser would open in a window, and not in this terminal or on nobody's screen."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
