"""The application: the API under /v1, and the page."""

from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from fastapi.telemetry import TelemetryConfig

from unbraid import __version__
from unbraid.service import about, live, mix, model_routes, routes
from unbraid.service.context import Service
from unbraid.service.problems import handle_problems
from unbraid.service.security import Gate

STATIC = Path(str(files("unbraid.service"))) / "static"
PAGES = Path(str(files("unbraid.tasks.pages")))
_SHARED = ("colours.css", "report.css")  # the look of the pages of --report
_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


def application(service: Service) -> FastAPI:
    """The application of a service, without its workers."""
    app = FastAPI(
        title="unbraid",
        version=__version__,
        description="Separate recordings, remove noise, transcribe, align texts, analyse songs, find who speaks when.",
        openapi_url="/v1/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        telemetry=_NO_TELEMETRY,
    )
    app.state.service = service
    app.include_router(routes.router)
    for router in (mix.router, model_routes.router, about.router, live.router):
        app.include_router(router)
    handle_problems(app)
    app.add_middleware(Gate, guard=service.guard)

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html", media_type="text/html; charset=utf-8")

    @app.get("/static/shared/{name}", include_in_schema=False)
    def style(name: str) -> FileResponse:
        if name not in _SHARED:
            raise HTTPException(404)
        return FileResponse(PAGES / name)

    app.mount("/static", StaticFiles(directory=STATIC), "static")
    return app
