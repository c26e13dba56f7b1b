"""The installed builds of ONNX Runtime, and the commands for installing the right one alone.

`onnxruntime`, which unbraid depends on, `onnxruntime-gpu` and their kin all install the package `onnxruntime`. For pip
they are different distributions: each overwrites the files of another and removes them when it is uninstalled. So the
build for another device takes further commands. Errors, `unbraid doctor` and README give the same ones.
"""

import os

BUILDS = {  # device: distribution
    "cpu": "onnxruntime",
    "cuda": "onnxruntime-gpu",
    "rocm": "onnxruntime-migraphx",
    "directml": "onnxruntime-directml",
}


def installed_builds() -> dict[str, str]:
    """The distributions here that install ONNX Runtime, with their versions; one is right."""
    from importlib import metadata  # 10 ms, and hardly ever needed

    here = {}
    for name in BUILDS.values():
        try:
            here[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return here


def commands_for(device: str) -> str:
    """The commands that install the build for a device, and no other."""
    build, here = BUILDS[device], installed_builds()
    extra = ["pip install 'unbraid[gpu]'"] if device == "cuda" and build not in here else []
    others = [name for name in here if name != build]
    removal = [f"pip uninstall --yes {' '.join(others)}"] if others else []
    commands = [*extra, *removal, f"pip install --force-reinstall --no-deps {build}"]
    return f"For {device}, run " + ", then ".join(f"`{command}`" for command in commands)


def what_is_wrong() -> str | None:
    """The problem with the installed builds, and the commands that solve it."""
    from importlib import metadata

    here = installed_builds()
    devices = [device for device, name in BUILDS.items() if name in here]
    if not here:
        return "ONNX Runtime is not installed; reinstall unbraid."
    if len(here) > 1:
        names = " and ".join(here)
        return f"{names} are installed together, but share one folder. {commands_for(devices[-1])}."
    (name,) = here
    files = [file for file in metadata.files(name) or () if file.suffix != ".pyc"]
    if not all(os.path.exists(file.locate()) for file in files):
        return f"{name} has lost files, as it does when another build is uninstalled. {commands_for(devices[0])}."
    return None
