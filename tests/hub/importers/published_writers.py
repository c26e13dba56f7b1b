"""Writers of the published formats, for tests: torch.save zips, TensorFlow bundles, and whole model folders.

None needs torch or TensorFlow, so that damaged and hostile files can be made byte by byte.
"""

import json
import pickle
import struct
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import google_crc32c
import numpy as np

from unbraid.hub.importers import speechbrain, spleeter
from unbraid.models.family import tensor_shapes
from unbraid.models.sepformer.config import SepFormerConfig
from unbraid.models.unet.config import UNetConfig

STORAGE = {"float32": "FloatStorage", "float16": "HalfStorage", "float64": "DoubleStorage", "int64": "LongStorage"}


def seeded_weights(geometry: SepFormerConfig | UNetConfig, seed: int = 0) -> dict[str, np.ndarray]:
    """Random weights under our names."""
    random = np.random.default_rng(seed)
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in tensor_shapes(geometry).items()}


# --- torch.save ---


def literal(value: object) -> bytes:
    """The opcodes that push a plain value."""
    return pickle.dumps(value, 2)[2:-1]


def tensor_opcodes(storage: tuple[str, str, int], offset: int, size: tuple, stride: tuple) -> bytes:
    """The opcodes that push a tensor; `storage` is (type, key, number of elements)."""
    kind, key, count = storage
    place = b"(" + literal("storage") + f"ctorch\n{kind}\n".encode() + literal(key) + literal("cpu") + literal(count)
    layout = literal(offset) + literal(size) + literal(stride) + literal(False) + b"ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + place + b"tQ" + layout + b"tR"


def state_opcodes(tensors: dict[str, bytes]) -> bytes:
    """A whole pickle: a dict of tensors given as opcodes."""
    return b"\x80\x02}" + b"".join(literal(name) + tensor + b"s" for name, tensor in tensors.items()) + b"."


def write_zip(path: Path, program: bytes, storages: dict[str, bytes], **extra: bytes) -> None:
    """A zip as torch.save lays it out, around any pickle."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/byteorder", extra.get("byteorder", b"little"))
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data)
        archive.writestr("archive/version", b"3\n")


def torch_save(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """Write contiguous tensors as torch.save does."""
    opcodes, storages = {}, {}
    for key, (name, tensor) in enumerate(tensors.items()):
        strides = tuple(step // tensor.itemsize for step in tensor.strides)
        storage = (STORAGE[str(tensor.dtype)], str(key), tensor.size)
        opcodes[name] = tensor_opcodes(storage, 0, tensor.shape, strides)
        storages[str(key)] = tensor.tobytes()
    write_zip(path, state_opcodes(opcodes), storages)


# --- SpeechBrain ---

HYPERPARAMS = """\
seed: 1234
__set_seed: !apply:torch.manual_seed [!ref <seed>]
output_folder: !ref results/<seed>
data_folder: !PLACEHOLDER
sample_rate: {sample_rate}
num_spks: {sources}
N: &width {features}
stride: !ref <kernel_stride>
kernel_stride: {stride}
optimizer: !name:torch.optim.Adam
    lr: 0.1
Encoder: !new:speechbrain.lobes.models.dual_path.Encoder
    kernel_size: 16
    out_channels: *width
SBtfintra: &transformer !new:speechbrain.lobes.models.dual_path.SBTransformerBlock
    num_layers: {layers}
    nhead: {heads}
    use_positional_encoding: True
    norm_before: True
MaskNet: !new:speechbrain.lobes.models.dual_path.Dual_Path_Model
    num_spks: !ref <num_spks>
    K: {chunk_frames}
    intra_model: !ref <SBtfintra>
    inter_model: *transformer
    norm: ln
    linear_layer_after_inter_intra: False
Decoder: !new:speechbrain.lobes.models.dual_path.Decoder
    stride: !ref <stride>
modules:
    encoder: !ref <Encoder>
    decoder: !ref <Decoder>
    masknet: !ref <MaskNet>
"""


def published_speechbrain(weights: dict[str, np.ndarray], geometry: SepFormerConfig) -> dict[str, dict]:
    """Our weights under the published names and shapes, file by file."""
    ours = {part: speechbrain.published_names(part, geometry) for part in speechbrain.PARTS}
    shapes = speechbrain.published_shapes(geometry)
    parts = {
        part: {theirs: weights[name].reshape(shapes[part][theirs]) for theirs, name in names.items()}
        for part, names in ours.items()
    }
    for i in range(geometry.blocks):
        for half in ("intra", "inter"):
            parts["masknet"][f"dual_mdl.{i}.{half}_mdl.pos_enc.pe"] = np.zeros((1, 25, geometry.features), np.float32)
    return parts


def write_speechbrain(
    folder: Path, parts: dict[str, dict], geometry: SepFormerConfig, sample_rate: int = 8000, save=torch_save
) -> Path:
    """Write a model folder as SpeechBrain publishes them."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = HYPERPARAMS.format(
        sample_rate=sample_rate,
        sources=geometry.sources,
        features=geometry.features,
        stride=geometry.stride_samples,
        layers=geometry.layers,
        heads=geometry.heads,
        chunk_frames=geometry.chunk_frames,
    )
    (folder / "hyperparams.yaml").write_text(settings)
    for part, tensors in parts.items():
        save(folder / f"{part}.ckpt", tensors)
    return folder


# --- TensorFlow bundles ---

TF_TYPES = {"float32": 1, "float64": 2, "int32": 3, "int64": 9, "bool": 10, "float16": 19}


def masked(data: bytes) -> bytes:
    """The masked CRC32C, little-endian."""
    crc = google_crc32c.value(data)
    return ((((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little")


def varint(value: int) -> bytes:
    """A number in groups of seven bits."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def proto(*fields: tuple[int, int | bytes]) -> bytes:
    """A protocol buffer of numbers and byte strings."""
    out = b""
    for number, value in fields:
        out += varint(number << 3) + varint(value) if isinstance(value, int) else b""
        out += varint(number << 3 | 2) + varint(len(value)) + value if isinstance(value, bytes) else b""
    return out


def block(pairs: Iterable[tuple[bytes, bytes]], restart_every: int = 16) -> bytes:
    """A block of a sorted string table, without its trailer."""
    out, restarts, previous = b"", [], b""
    for count, (key, value) in enumerate(pairs):
        shared = 0
        if count % restart_every == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(key), len(previous)) and key[shared] == previous[shared]:
                shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        previous = key
    restarts = restarts or [0]
    return out + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))


@dataclass
class Bundle:
    """How a bundle is laid out, with the oddities that a reader must refuse."""

    shards: int = 1
    block_entries: int = 10_000
    header: bytes | None = None
    compression: int = 0
    entries: dict[str, bytes] = field(default_factory=dict)  # raw BundleEntryProtos in place of written ones


def write_bundle(prefix: Path, tensors: dict[str, np.ndarray], layout: Bundle | None = None) -> None:
    """Write `<prefix>.index` and its data files."""
    layout = layout or Bundle()
    data = [bytearray() for _ in range(layout.shards)]
    header = proto((1, layout.shards), (3, proto((1, 1)))) if layout.header is None else layout.header
    pairs = {b"": header}
    for count, (name, tensor) in enumerate(sorted(tensors.items())):
        shard, raw = count % layout.shards, tensor.tobytes()
        shape = proto(*((2, proto((1, size))) for size in tensor.shape))
        place = [(3, shard)] if shard else []
        place += [(4, len(data[shard]))] if data[shard] else []
        entry = proto((1, TF_TYPES[str(tensor.dtype)]), (2, shape), *place, (5, len(raw)))
        pairs[name.encode()] = entry + varint(6 << 3 | 5) + masked(raw)
        data[shard] += raw
    pairs |= {name.encode(): entry for name, entry in layout.entries.items()}
    for shard, raw in enumerate(data):
        prefix.with_name(f"{prefix.name}.data-{shard:05d}-of-{layout.shards:05d}").write_bytes(raw)
    prefix.with_name(prefix.name + ".index").write_bytes(_table(sorted(pairs.items()), layout))


def _table(pairs: list[tuple[bytes, bytes]], layout: Bundle) -> bytes:
    out = b""

    def add(content: bytes) -> bytes:
        nonlocal out
        handle = varint(len(out)) + varint(len(content))
        out += content + bytes([layout.compression]) + masked(content + bytes([layout.compression]))
        return handle

    index = []
    for start in range(0, len(pairs), layout.block_entries):
        part = pairs[start : start + layout.block_entries]
        index.append((part[-1][0] + b"\0", add(block(part))))
    meta, top = add(block([])), add(block(index, restart_every=1))
    return out + (meta + top).ljust(40, b"\0") + (0xDB4775248B80FB57).to_bytes(8, "little")


# --- Spleeter ---


def published_spleeter(weights: dict[str, np.ndarray], geometry: UNetConfig) -> dict[str, np.ndarray]:
    """Our weights under the published names and layouts, with the dead layers and the step count."""
    tensors = {name: np.ones(shape, np.float32) for name, shape in spleeter.published_shapes(geometry).items()}
    for theirs, ours in spleeter.published_names(geometry).items():
        weight = weights[ours]
        tensors[theirs] = weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight
    return tensors | {"global_step": np.array(7, np.int64)}


def spleeter_config(stems: tuple[str, ...], geometry: UNetConfig, **changes: object) -> dict:
    """A configuration as users write them."""
    names = {"leaky_relu": "LeakyReLU", "relu": "ReLU", "elu": "ELU"}
    kind = {"sigmoid": "unet.unet", "softmax": "unet.softmax_unet"}[geometry.output]
    params = {
        "conv_activation": names[geometry.encoder_activation],
        "deconv_activation": names[geometry.decoder_activation],
        "conv_n_filters": list(geometry.filters),
    }
    config = {"train_csv": "train.csv", "instrument_list": list(stems), "sample_rate": 44100, "frame_length": 4096}
    config |= {"frame_step": 1024, "T": 64, "F": 256, "n_channels": 2, "separation_exponent": 2}
    return config | {"mask_extension": "zeros", "model": {"type": kind, "params": params}} | changes


def write_spleeter(folder: Path, tensors: dict[str, np.ndarray], config: dict | None, name: str = "model") -> Path:
    """Write a model folder as Spleeter does."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "checkpoint").write_text(f'model_checkpoint_path: "{name}"\nall_model_checkpoint_paths: "{name}"\n')
    (folder / "._checkpoint").write_bytes(b"\0\5\26\7")  # as in the official archives
    write_bundle(folder / name, tensors)
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return folder
