"""What stands around a network: level, order of speakers and channels, spectra; with networks that misbehave."""

from collections.abc import Iterator

import numpy as np
import pytest

from engine_fakes import SPECTRAL, Network, bands, even_and_odd, music_fake, noise, snr, speech_fake
from unbraid.dsp.masks import soft_masks
from unbraid.dsp.stft import frame_count
from unbraid.hub.spec import Spectral
from unbraid.tasks.separation.fronts import (
    SpectrogramFront,
    WaveformFront,
    align_channels,
    as_pairs,
    fit_level,
    from_pairs,
    music_stems,
    run_sepformer,
    speech_stems,
)

WINDOW, OVERLAP = 400, 100


def cut(audio: np.ndarray, size: int = 130) -> Iterator[np.ndarray]:
    return (audio[..., i : i + size] for i in range(0, audio.shape[-1], size))


def voices(channels: int, samples: int) -> np.ndarray:
    """Two voices (2, C, T) that `even_and_odd` can tell apart; channels differ in level, and one is turned around."""
    dry = noise(2, samples)[:, None] * np.linspace(1, -0.5, channels, dtype=np.float32)[:, None]
    dry[0, :, 1::2] = 0
    dry[1, :, 0::2] = 0
    return dry


def run_speech(network: Network, mixture: np.ndarray, seams: list[float] | None = None) -> np.ndarray:
    speech = WaveformFront(speech_fake(network), 16, WINDOW, OVERLAP)
    return np.concatenate(list(speech_stems(speech, cut(mixture), [] if seams is None else seams)), axis=-1)


# --- level ---


@pytest.mark.parametrize("gains", [(1, 1), (3, 0.2), (-1, 1), (-40, -1e-4), (1e6, 1e-6)])
def test_level_and_sign_are_restored(gains: tuple[float, float]) -> None:
    truth = voices(2, 1000)
    scaled = truth * np.array(gains, np.float32)[:, None, None]
    assert snr(truth, fit_level(scaled, truth.sum(0))) > 55  # what is missing is the ridge's: 0.1 %


def test_level_is_fitted_channel_by_channel() -> None:
    truth = voices(3, 1000)
    gains = np.random.default_rng(0).uniform(-2, 2, (2, 3, 1)).astype(np.float32)
    assert snr(truth, fit_level(truth * gains, truth.sum(0))) > 55


def test_a_voice_that_comes_out_twice_is_shared() -> None:
    voice = noise(1, 500)
    found = fit_level(np.stack((voice, voice, voice)), voice)
    np.testing.assert_allclose(found, np.stack([voice] * 3) / 3, rtol=2e-3)


def test_silent_outputs_and_silent_mixtures_stay_silent() -> None:
    voice, silence = noise(1, 500), np.zeros((1, 500), np.float32)
    found = fit_level(np.stack((silence, voice)), voice)
    assert not found[0].any()
    assert snr(voice, found[1]) > 55
    assert not fit_level(np.stack((voice, voice)), silence).any()
    assert not fit_level(np.stack((silence, silence)), voice).any()


def test_a_whisper_of_an_output_is_no_trouble() -> None:
    voice = noise(1, 500)
    found = fit_level(np.stack((voice * np.float32(1e-30), voice)), voice)
    assert np.isfinite(found).all()
    assert snr(voice, found.sum(0)) > 55


# --- channels ---


def test_identical_channels_run_once() -> None:
    fake = speech_fake(even_and_odd)
    a, b = noise(2, 300)
    found = run_sepformer(WaveformFront(fake, 16, WINDOW, OVERLAP), np.stack((a, b, a, a, b)))
    assert fake.shapes == [(2, 300)]
    np.testing.assert_array_equal(found, even_and_odd(np.stack((a, b, a, a, b))).swapaxes(0, 1))


@pytest.mark.parametrize("samples", [1, 2, 9])
def test_nothing_shorter_than_a_kernel_goes_in(samples: int) -> None:
    fake = speech_fake(even_and_odd)
    x = noise(1, samples)
    found = run_sepformer(WaveformFront(fake, 10, WINDOW, OVERLAP), x)
    assert fake.shapes == [(1, 10)]
    np.testing.assert_array_equal(found.sum(0), x)


def test_channels_are_brought_into_the_order_of_the_loudest() -> None:
    truth = voices(4, 1000)
    shuffled = truth.copy()
    for channel in (1, 3):  # channel 0 is the loudest
        shuffled[:, channel] = truth[::-1, channel]
    np.testing.assert_array_equal(align_channels(shuffled), truth)
    np.testing.assert_array_equal(align_channels(truth), truth)


def test_channels_of_microphones_apart_are_aligned_too() -> None:
    dry = np.stack([noise(1, 1200, seed)[0] for seed in (0, 1, 2)])  # three voices
    apart = np.stack((dry[:, 40:1040], 0.7 * dry[[2, 0, 1], 3:1003]), axis=1)  # (S, C, T): later, in another order
    found = align_channels(apart)
    np.testing.assert_array_equal(found[:, 0], apart[:, 0])
    np.testing.assert_array_equal(found[:, 1], 0.7 * dry[:, 3:1003])


def test_silent_channels_are_left_alone() -> None:
    truth = voices(2, 400)
    truth[:, 1] = 0
    np.testing.assert_array_equal(align_channels(truth), truth)


# --- windows ---


@pytest.mark.parametrize("samples", [1, 399, 400, 401, 700, 5003])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_that_swaps_scales_and_turns_voices_is_put_right(channels: int, samples: int) -> None:
    """At random for every window and every channel, as permutation-invariant training leaves it free to do."""
    random = np.random.default_rng(0)

    def network(mixture: np.ndarray) -> np.ndarray:
        out = even_and_odd(mixture)
        for item in out:
            item[:] = item[random.permutation(2)] * random.choice([-1, 1], (2, 1)) * random.uniform(0.01, 100, (2, 1))
        return out

    truth = voices(channels, samples)
    seams = []
    found = run_speech(network, truth.sum(0), seams)
    if snr(truth, found) < 0:  # which voice comes first at all is the network's business
        found = found[::-1]
    assert snr(truth, found) > 50
    assert len(seams) == max(0, -(-(samples - WINDOW) // (WINDOW - OVERLAP)))
    assert all(agreement > 50 for agreement in seams)


def test_seams_tell_where_windows_disagree() -> None:
    random = np.random.default_rng(0)

    def network(mixture: np.ndarray) -> np.ndarray:
        return even_and_odd(mixture) + random.normal(0, 0.02, (len(mixture), 2, mixture.shape[1]))

    seams = []
    run_speech(network, voices(1, 2000).sum(0), seams)
    assert all(0 < agreement < 20 for agreement in seams)
    seams = []
    run_speech(even_and_odd, np.zeros((1, 2000), np.float32), seams)
    assert seams == []  # silence agrees with silence, which tells nothing


def test_audio_no_longer_than_a_window_is_one_run() -> None:
    fake = speech_fake(even_and_odd)
    mixture = voices(2, WINDOW).sum(0)
    (found,) = (block for block in speech_stems(WaveformFront(fake, 16, WINDOW, 0), cut(mixture), []) if block.size)
    assert fake.shapes == [(2, WINDOW)]
    expected = fit_level(even_and_odd(mixture).swapaxes(0, 1), mixture)
    np.testing.assert_array_equal(found, expected)


def test_a_network_with_a_level_of_its_own_keeps_it() -> None:
    """One voice alone: a faint second output stays faint, where a fitted level would raise it."""
    fake = speech_fake(lambda mixture: np.stack((mixture, 1e-3 * np.roll(mixture, 9, -1)), axis=1))
    mixture = voices(1, WINDOW).sum(0)
    own = WaveformFront(fake, 16, WINDOW, 0, fits_level=False)
    (found,) = (block for block in speech_stems(own, cut(mixture), []) if block.size)
    np.testing.assert_array_equal(found, np.stack((mixture, np.float32(1e-3) * np.roll(mixture, 9, -1))))


# --- spectra ---


def smear(magnitude: np.ndarray) -> np.ndarray:
    """A network that looks at neighbouring frames and bins within its segment, and mixes channels."""
    wide = np.pad(magnitude, ((0, 0), (0, 0), (3, 3), (2, 2)))
    frames, bins = magnitude.shape[-2:]
    near = sum(wide[..., i : i + frames, j : j + bins] for i in (0, 3, 6) for j in (0, 4))
    return np.stack((magnitude + 0.5 * near, 0.3 * near[:, ::-1], 0.8 * magnitude[:, ::-1]), axis=1)


def literal(x: np.ndarray, spectral: Spectral, network: Network, iterations: int, full_band: bool) -> np.ndarray:
    """Stems (S, 2, T) of a stereo song (2, T), the whole of it at once, in float64, as Spleeter's code does it."""
    frame, hop, segment, bins = spectral.frame_samples, spectral.hop_samples, spectral.frames, spectral.bins
    count = frame_count(x.shape[1], frame, hop)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
    padded = np.pad(x.astype(np.float64), ((0, 0), (frame, count * hop)))
    spectrum = np.stack([np.fft.rfft(padded[:, n * hop : n * hop + frame] * window) for n in range(count)], axis=1)
    magnitude = np.pad(np.abs(spectrum), ((0, 0), (0, -count % segment), (0, 0)))
    pieces = [network(magnitude[None, :, i : i + segment, :bins])[0] for i in range(0, magnitude.shape[1], segment)]
    seen = np.concatenate(pieces, axis=2)[:, :, :count]  # (S, 2, N, F)
    masks = (seen**spectral.exponent + 1e-10 / len(seen)) / ((seen**spectral.exponent).sum(0) + 1e-10)
    if full_band or spectral.extension == "average":
        above = np.repeat(masks.mean(-1, keepdims=True), spectrum.shape[-1] - bins, -1)
    else:
        above = np.zeros((*masks.shape[:-1], spectrum.shape[-1] - bins))
    if iterations:
        top = above * np.abs(spectrum[..., bins:]) if full_band else np.zeros_like(above)
        images = wiener(np.concatenate((seen, top), axis=-1), spectrum, iterations)
    else:
        images = np.concatenate((masks, above), axis=-1) * spectrum
    out = np.zeros((len(seen), 2, count * hop + frame))
    for n in range(count):
        out[..., n * hop : n * hop + frame] += np.fft.irfft(images[:, :, n], frame) * window * 2 / 3
    return out[..., frame : frame + x.shape[1]]


def wiener(v: np.ndarray, x: np.ndarray, iterations: int) -> np.ndarray:
    """norbert's filter over a whole file, (S, 2, N, F) and (2, N, F)."""
    eps = float(np.finfo(np.float32).eps)
    scale = max(1, np.abs(x).max() / 10)
    y = v / (eps + v.sum(0)) * x / scale
    for _ in range(iterations):
        power = (np.abs(y) ** 2).mean(1)  # (S, N, F)
        r = np.einsum("scnf,sdnf->sfcd", y, y.conj()) / (eps + power.sum(1))[..., None, None]
        c = np.einsum("snf,sfcd->nfcd", power, r) + np.sqrt(eps) * np.eye(2)
        z = np.linalg.solve(c, (x / scale).transpose(1, 2, 0)[..., None])[..., 0]  # (N, F, C)
        y = np.einsum("snf,sfcd,nfd->scnf", power, r, z)
    return y * scale


def song(samples: int) -> np.ndarray:
    t = np.arange(samples)
    left = 0.4 * np.sin(0.05 * t) + 0.2 * np.sin(0.4 * t + np.sin(0.003 * t))
    return (np.stack((left, 0.3 * left + 0.2 * np.sin(1.3 * t))) + 0.2 * noise(2, samples)).astype(np.float32)


@pytest.mark.parametrize("full_band", [True, False])
@pytest.mark.parametrize("iterations", [0, 1, 2])
@pytest.mark.parametrize("samples", [1, 500, *(hops * 64 - 5 for hops in range(60, 66)), 9000])  # about a segment
def test_chunks_equal_the_whole(samples: int, iterations: int, full_band: bool) -> None:
    x = song(samples)
    music = SpectrogramFront(music_fake(smear), SPECTRAL, iterations, full_band)
    expected = literal(x, SPECTRAL, smear, iterations, full_band)
    for block in (777, 10**6) if samples == 9000 else (777,):
        stems = music_stems(music, lambda size=block: (piece[None] for piece in cut(x, size)))
        found = np.concatenate([piece[:, 0] for piece in stems], axis=-1)[..., :samples]
        assert snr(expected, found) > 90


@pytest.mark.parametrize("exponent", [1.0, 3.0])
def test_exponents_and_the_published_extension(exponent: float) -> None:
    spectral, x = Spectral(256, 64, 64, 64, exponent, "average"), song(6000)
    stems = music_stems(SpectrogramFront(music_fake(smear), spectral, 0, False), lambda: iter([x[None]]))
    found = np.concatenate([piece[:, 0] for piece in stems], axis=-1)[..., :6000]
    assert snr(literal(x, spectral, smear, 0, False), found) > 90


def test_a_network_sees_whole_segments_of_its_bins() -> None:
    fake = music_fake(bands(2))
    list(music_stems(SpectrogramFront(fake, SPECTRAL), lambda: cut(noise(6, 9000).reshape(3, 2, 9000))))
    assert set(fake.shapes) == {(1, 2, SPECTRAL.frames, SPECTRAL.bins)}
    assert len(fake.shapes) == 3 * -(-frame_count(9000, 256, 64) // SPECTRAL.frames)


def test_a_network_with_a_side_sees_what_left_and_right_differ_by() -> None:
    seen = []

    def look(magnitude: np.ndarray) -> np.ndarray:
        seen.append(magnitude[0])
        return np.repeat(magnitude[:, None, :2], 2, axis=1)

    x = song(SPECTRAL.frames * 64)
    turned, alike = np.stack((x[0], -x[0])), np.stack((x[0], x[0]))
    for channels in (x, turned, alike):
        list(music_stems(SpectrogramFront(music_fake(look), SPECTRAL, side=True), lambda c=channels: iter([c[None]])))
    list(music_stems(SpectrogramFront(music_fake(look), SPECTRAL), lambda: iter([np.stack((x[0] - x[1], x[1]))[None]])))
    some, against, same, difference = seen[0], seen[2], seen[4], seen[6]
    assert some.shape == (3, SPECTRAL.frames, SPECTRAL.bins)
    np.testing.assert_allclose(some[2], difference[0], atol=1e-4)
    np.testing.assert_allclose(against, same, atol=1e-4)
    assert same[2].max() == 0


@pytest.mark.parametrize("iterations", [0, 1])
@pytest.mark.parametrize("other", [0.0, 1e-3, -1.0])
def test_a_silent_or_turned_channel_is_separated_as_if_both_were_alike(other: float, iterations: int) -> None:
    """Where the masks follow the side, a song in one channel would go to another stem than the same song in both."""

    def by_side(magnitude: np.ndarray) -> np.ndarray:
        near = np.exp(-magnitude[:, 2:])  # 1 where both channels are alike
        return np.stack((near * magnitude[:, :2], (1 - near) * magnitude[:, :2]), axis=1)

    x = song(5000)[0]
    music = SpectrogramFront(music_fake(by_side), SPECTRAL, iterations, side=True)
    both, one = (
        np.concatenate([piece[:, 0] for piece in music_stems(music, lambda c=channels: iter([c[None]]))], axis=-1)
        for channels in (np.stack((x, x)), np.stack((x, np.float32(other) * x)))
    )
    assert snr(both[:, 0], one[:, 0]) > (45 if iterations else 60)  # the filter's floor is that of both channels
    np.testing.assert_allclose(one[:, 1], other * both[:, 1], atol=2e-3 * np.abs(x).max())


@pytest.mark.parametrize("iterations", [0, 1, 3])
def test_a_song_is_read_once_more_than_the_filter_iterates(iterations: int) -> None:
    opened = []

    def open_blocks() -> Iterator[np.ndarray]:
        opened.append(True)
        return iter([song(3000)[None]])

    list(music_stems(SpectrogramFront(music_fake(bands(2)), SPECTRAL, iterations), open_blocks))
    assert len(opened) == iterations + 1


def test_masks_over_the_full_band_add_up_to_the_song() -> None:
    x = song(5000)
    stems = music_stems(SpectrogramFront(music_fake(bands(3)), SPECTRAL), lambda: iter([x[None]]))
    found = np.concatenate([piece[:, 0] for piece in stems], axis=-1)[..., :5000]
    assert snr(x, found.sum(0)) > 110
    assert soft_masks(np.ones((3, 2), np.float32), 2).sum() == pytest.approx(2)


# --- pairs of channels ---


@pytest.mark.parametrize("channels", range(1, 8))
def test_channels_go_in_pairs_and_come_back(channels: int) -> None:
    x = noise(channels, 20)
    pairs = as_pairs(x)
    assert pairs.shape == ((channels + 1) // 2, 2, 20)
    for channel in range(channels):
        np.testing.assert_array_equal(pairs[channel // 2, channel % 2], x[channel])
    if channels % 2:
        np.testing.assert_array_equal(pairs[-1, 1], x[-1])
    np.testing.assert_array_equal(from_pairs(np.stack((pairs, 2 * pairs)), channels), np.stack((x, 2 * x)))


def test_the_two_outputs_of_a_doubled_channel_are_averaged() -> None:
    stems = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)  # (S, B, 2, n)
    np.testing.assert_array_equal(from_pairs(stems.copy(), 3)[0], [[0, 1], [2, 3], [5, 6]])
