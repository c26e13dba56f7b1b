"""Make folders of small HTDemucs in both published layouts, and the stems that Demucs makes of noise with them.

    python make_htdemucs.py                  # the goldens beside this script
    python make_htdemucs.py --full FOLDER    # a network of the published size

Weights are seeded noise, rounded to float16, and the input is synthetic. Needs `pip install --no-deps demucs einops
julius tqdm safetensors` beside torch, never the project's own environment.
"""

import hashlib
import json
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
import yaml
from demucs.apply import BagOfModels, apply_model
from demucs.htdemucs import HTDemucs
from safetensors.torch import save_file

HERE = Path(__file__).parent
RATE, SEGMENT = 8000, Fraction(1501, 8000)
COMMON = {
    "samplerate": RATE, "segment": SEGMENT, "nfft": 256, "channels": 4, "depth": 2, "dconv_comp": 2, "t_heads": 3,
    "t_hidden_scale": 2.0,
}  # fmt: skip
ONE = {"sources": ["drums", "bass", "other", "vocals"], "bottom_channels": 12, "dconv_mode": 3, "t_layers": 3}
BAG = {"sources": ["drums", "vocals"], "audio_channels": 1, "channels": 6, "t_layers": 2, "dconv_mode": 1}


def network(**changes: Any) -> tuple[HTDemucs, dict[str, Any]]:
    """A network with random weights that float16 can hold, and its arguments."""
    arguments = COMMON | changes
    made = HTDemucs(**arguments)
    with torch.no_grad():
        for name, value in made.state_dict().items():
            spread = 0.5 if name.endswith("scale") else 0.6 / max(value[0].numel(), 1) ** 0.5
            value += spread * torch.randn_like(value)
            value.copy_(value.half().float())
    return made.eval(), arguments


def song(channels: int, samples: int) -> torch.Tensor:
    """Noise (1, C, T) that grows, with an offset."""
    return 0.3 * torch.randn(1, channels, samples) * torch.linspace(0.02, 1, samples) + 0.01


def separated(model: Any, mixture: torch.Tensor) -> torch.Tensor:
    """As demucs.api does it, without shifts."""
    reference = mixture[0].mean(0)
    mean, level = reference.mean(), reference.std() + 1e-8
    with torch.no_grad():
        return apply_model(model, (mixture - mean) / level, shifts=0)[0] * level + mean


def write(name: str, model: Any, mixture: torch.Tensor) -> None:
    """The mixture and its stems; and one segment through a single network."""
    content = {"song": mixture[0], "stems": separated(model, mixture)}
    if isinstance(model, HTDemucs):
        with torch.no_grad():
            content |= {"segment": model(mixture[..., : int(SEGMENT * RATE)])[0]}
    save_file({key: value.contiguous() for key, value in content.items()}, HERE / f"{name}.safetensors")


def as_json(value: Any) -> Any:
    """As Demucs writes arguments into metadata."""
    if isinstance(value, Fraction):
        return {"_type": "fraction", "numerator": value.numerator, "denominator": value.denominator}
    return value


def write_package(folder: Path, model: HTDemucs, arguments: dict[str, Any]) -> None:
    """A `.th`, named by its hash, as Demucs saves it."""
    folder.mkdir(exist_ok=True)
    state = {name: value.half() for name, value in model.state_dict().items()}
    package = {"klass": HTDemucs, "args": (), "kwargs": arguments, "state": state, "training_args": {"seed": 42}}
    torch.save(package, folder / "new.th")
    digest = hashlib.sha256((folder / "new.th").read_bytes()).hexdigest()
    (folder / "new.th").rename(folder / f"0123abcd-{digest[:8]}.th")


def main() -> None:
    """Write both, or one of the published size."""
    torch.manual_seed(0)
    if "--full" in sys.argv:
        full = {"sources": ONE["sources"], "bottom_channels": 512, "dconv_mode": 3, "segment": Fraction(39, 5)}
        write_package(Path(sys.argv[-1]), HTDemucs(**full), full)
        return
    model, arguments = network(**ONE)
    write_package(HERE / "htdemucs", model, arguments)
    write("htdemucs", model, song(2, 3001))

    folder = HERE / "htdemucs_bag"
    folder.mkdir(exist_ok=True)
    networks = [network(**BAG) for _ in range(2)]
    for signature, (model, arguments) in zip(("aaaa0001", "aaaa0002"), networks, strict=True):
        kwargs = {key: as_json(value) for key, value in arguments.items()}
        metadata = {"klass": "demucs.htdemucs.HTDemucs", "args": "[]", "kwargs": json.dumps(kwargs)}
        state = {name: value.half().contiguous() for name, value in model.state_dict().items()}
        save_file(state, folder / f"{signature}.safetensors", metadata)
    weights = [[0.0, 1.0], [1.0, 0.0]]  # not the usual order
    text = yaml.safe_dump({"models": ["aaaa0001", "aaaa0002"], "weights": weights})
    (folder / "bag.yaml").write_text(text, encoding="utf-8")
    write("htdemucs_bag", BagOfModels([model for model, _ in networks], weights), song(1, 2300))  # two short chunks


if __name__ == "__main__":
    main()
