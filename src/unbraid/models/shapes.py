"""Names and shapes of the weights of common layers, as their torch modules have them."""

Shapes = dict[str, tuple[int, ...]]


def affine(name: str, size: int) -> Shapes:
    """A norm's weight and bias."""
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def linear(name: str, outputs: int, inputs: int) -> Shapes:
    """A linear layer."""
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def attention(name: str, features: int) -> Shapes:
    """Multi-head attention, its three input projections in one."""
    return linear(f"{name}.in_proj", 3 * features, features) | linear(f"{name}.out_proj", features, features)


def feed_forward(layer: str, features: int, hidden: int) -> Shapes:
    """The feed-forward half of a Transformer layer, with its norm."""
    shapes = affine(f"{layer}.feed_norm", features)
    return shapes | linear(f"{layer}.feed_in", hidden, features) | linear(f"{layer}.feed_out", features, hidden)


def encoder(name: str, layers: int, features: int, hidden: int) -> Shapes:
    """Transformer encoder layers and the norm behind them."""
    shapes = affine(f"{name}.norm", features)
    for i in range(layers):
        layer = f"{name}.layers.{i}"
        shapes |= affine(f"{layer}.attention_norm", features) | attention(f"{layer}.attention", features)
        shapes |= feed_forward(layer, features, hidden)
    return shapes


def decoder(name: str, layers: int, features: int, hidden: int) -> Shapes:
    """Transformer decoder layers and the norm behind them."""
    shapes = affine(f"{name}.norm", features)
    for i in range(layers):
        layer = f"{name}.layers.{i}"
        for kind in ("self", "cross"):
            shapes |= affine(f"{layer}.{kind}_norm", features) | attention(f"{layer}.{kind}_attention", features)
        shapes |= feed_forward(layer, features, hidden)
    return shapes


def conv(name: str, outputs: int, inputs: int, kernel: int) -> Shapes:
    """A convolution over time."""
    return {f"{name}.weight": (outputs, inputs, kernel), f"{name}.bias": (outputs,)}


BATCH_NORM_EPS = 1e-5  # added to the variances of batch norms
COUNTER = "num_batches_tracked"  # of a batch norm in torch; not in model folders, and of no use


def batch_norm(name: str, size: int) -> Shapes:
    """A batch norm with its running mean and variance."""
    return affine(name, size) | {f"{name}.running_mean": (size,), f"{name}.running_var": (size,)}


def conv_norm(name: str, outputs: int, inputs: int, *kernel: int) -> Shapes:
    """A convolution without bias over one axis or more, and its batch norm."""
    return {f"{name}.conv.weight": (outputs, inputs, *kernel)} | batch_norm(f"{name}.norm", outputs)


def residual(name: str, outputs: int, inputs: int, shortcut: bool) -> Shapes:
    """A residual block of two convolutions over two axes, and a third one beside them (see models/layers/residual)."""
    shapes = conv_norm(f"{name}.inlet", outputs, inputs, 3, 3) | conv_norm(f"{name}.outlet", outputs, outputs, 3, 3)
    return shapes | (conv_norm(f"{name}.shortcut", outputs, inputs, 1, 1) if shortcut else {})
