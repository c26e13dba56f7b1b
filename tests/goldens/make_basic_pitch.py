"""Make goldens of Basic Pitch: events of its decoding, and activations of its network with weights of seeded noise.

    pip install --no-deps basic-pitch==0.4.0 && pip install librosa mir_eval pretty_midi resampy scipy onnx onnxruntime
    PYTHONPATH=.. python make_basic_pitch.py

Activations for the decoding are synthetic: notes that fade under noise, in steps of 1 / 255. The published graph gets
our noise for its weights, so that no weights of others are here.
"""

import json
from pathlib import Path

import basic_pitch
import numpy as np
import onnx
import onnxruntime
from basic_pitch.note_creation import output_to_notes_polyphonic

from note_fakes import noise_weights, window_audio
from unbraid.hub.importers.basic_pitch import PUBLISHED

HERE = Path(__file__).parent / "basic_pitch"
PUBLISHED_FILE = Path(basic_pitch.__file__).parent / "saved_models" / "icassp_2022" / "nmp.onnx"
LOWEST_PITCH, EVERY = 21, 8  # A0; frames of the network's golden
CASES = {"plain": (0.5, 0.3, 11), "low thresholds": (0.3, 0.2, 3), "high thresholds": (0.7, 0.5, 20)}


def activations(seed: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Notes and onsets (N, 88) in steps of 1 / 255, as bytes."""
    random = np.random.default_rng(seed)
    notes, onsets = random.uniform(0, 0.25, (frames, 88)), random.uniform(0, 0.3, (frames, 88))
    for _ in range(frames // 5):
        pitch, start, length = random.integers(88), random.integers(frames - 2), random.integers(2, 60)
        end = min(frames, start + length)
        fading = random.uniform(0.2, 1) * np.exp(-np.arange(end - start) * random.uniform(0, 0.05))
        notes[start:end, pitch] = np.maximum(notes[start:end, pitch], fading + random.normal(0, 0.08, end - start))
        if random.random() < 0.6:
            onsets[start, pitch] = random.uniform(0.3, 1)
    return tuple(np.round(255 * part.clip(0, 1)).astype(np.uint8) for part in (notes, onsets))


def decoding() -> None:
    """Write decoding.npz and decoding.json."""
    arrays, events = {}, {}
    for seed, (name, (onset, sustain, least)) in enumerate(CASES.items()):
        notes, onsets = activations(seed, 200)
        floats = ((part / 255).astype(np.float32) for part in (notes, onsets))
        found = output_to_notes_polyphonic(*floats, onset, sustain, least, True, None, None, True)
        rows = sorted((int(s), int(e), int(p) - LOWEST_PITCH, float(a)) for s, e, p, a in found)
        arrays |= {f"{name} notes": notes, f"{name} onsets": onsets}
        events[name] = {"onset": onset, "sustain": sustain, "least_frames": least, "events": rows}
    np.savez_compressed(HERE / "decoding.npz", **arrays)
    (HERE / "decoding.json").write_text(json.dumps(events) + "\n", encoding="utf-8")


def network() -> None:
    """Write network.npz: every eighth frame of the activations, and shapes.json: those of the published tensors."""
    model, weights = onnx.load(PUBLISHED_FILE), noise_weights()
    ours = {theirs: name for name, theirs in PUBLISHED.items()}
    shapes = {}
    for tensor in model.graph.initializer:
        if name := ours.get(tensor.name.rpartition(";")[2]):
            shapes[name] = list(tensor.dims)
            tensor.CopyFrom(onnx.numpy_helper.from_array(weights[name].reshape(tensor.dims), tensor.name))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = ["StatefulPartitionedCall:1", "StatefulPartitionedCall:2"]
    notes, onsets = session.run(names, {"serving_default_input_2:0": window_audio()[..., None]})
    np.savez_compressed(HERE / "network.npz", notes=notes[0, ::EVERY], onsets=onsets[0, ::EVERY])
    (HERE / "shapes.json").write_text(json.dumps(shapes, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    decoding()
    network()
