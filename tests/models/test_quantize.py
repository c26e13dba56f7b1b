"""int8 weights: symmetric, one scale per output channel or block of inputs, as near as rounding allows."""

import numpy as np

from engine_fakes import SPEECH, weights
from unbraid.models.family import tensor_shapes
from unbraid.models.quantize import BLOCK, LINEAR, ZERO, quantize, quantized_signature


def test_weights_are_rounded_to_their_channels_own_scale() -> None:
    values = weights(SPEECH)
    found = quantize(values)
    linear = [name for name in values if LINEAR.search(name)]
    assert len(linear) == 4 * SPEECH.layers * 2 * SPEECH.blocks  # q, k and v are one tensor
    for name in linear:
        small, scale = found[name], found[f"{name}.scale"]
        assert small.dtype == np.int8
        assert small.shape == values[name].shape[::-1]
        assert small.min() >= -127  # symmetric: -128 is not used
        np.testing.assert_allclose(np.abs(values[name]).max(1) / 127, scale, rtol=1e-6)
        error = np.abs(small.T * scale[:, None] - values[name])
        assert (error <= scale[:, None] * 0.5001).all()


def test_everything_else_is_kept_and_widened() -> None:
    values = {name: value.astype(np.float16) for name, value in weights(SPEECH).items()}
    found = quantize(values)
    for name, value in values.items():
        if not LINEAR.search(name):
            np.testing.assert_array_equal(found[name], value.astype(np.float32), strict=True)


def test_the_signature_is_that_of_the_tensors() -> None:
    found = quantize(weights(SPEECH))
    expected = quantized_signature(tensor_shapes(SPEECH))
    assert {name: (str(value.dtype), value.shape) for name, value in found.items()} == expected


def test_a_channel_of_zeros_stays_zero() -> None:
    found = quantize({"x.layers.0.feed_in.weight": np.zeros((3, 2), np.float32)})
    assert not found["x.layers.0.feed_in.weight"].any()
    assert np.isfinite(found["x.layers.0.feed_in.weight.scale"]).all()


def test_weights_of_a_whisper_are_rounded_to_their_blocks_own_scale() -> None:
    name = "encoder.layers.0.feed_in.weight"
    value = np.random.default_rng(0).normal(size=(5, 3 * BLOCK)).astype(np.float32)
    value[:, 0] *= 100  # costs the first block alone
    found = quantize({name: value})
    small, scale = found[name], found[f"{name}.scale"]
    assert small.dtype == np.uint8
    assert small.shape == (5, 3, BLOCK)
    assert small.min() >= 1  # symmetric
    parts = value.reshape(5, 3, BLOCK)
    np.testing.assert_allclose(np.abs(parts).max(2) / 127, scale, rtol=1e-6)
    error = np.abs((small - float(ZERO)) * scale[..., None] - parts)
    assert (error <= scale[..., None] * 0.5001).all()
    assert {key: (str(tensor.dtype), tensor.shape) for key, tensor in found.items()} == quantized_signature(
        {name: value.shape}
    )


def test_weights_that_are_no_whole_blocks_are_kept() -> None:
    values = {"encoder.layers.0.feed_in.weight": np.ones((5, BLOCK + 1), np.float32)}
    assert list(quantize(values)) == list(values)
    assert quantize(values)["encoder.layers.0.feed_in.weight"].dtype == np.float32
