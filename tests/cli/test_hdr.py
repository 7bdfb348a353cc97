"""HDR to ordinary video: brightness, neutrality and hue of the mapping, and whole commands on a PQ clip."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image
from tools import vcut

from vcut.video.hdr import HLG, PQ, tone_map


def pq(light: np.ndarray) -> np.ndarray:
    """cd/m2 to the PQ signal, by ITU-R BT.2100."""
    y = np.asarray(light, float) / 10000
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    return ((c1 + c2 * y**m1) / (1 + c3 * y**m1)) ** m2


def sixteen(signal: np.ndarray) -> np.ndarray:
    return np.round(np.asarray(signal) * 65535).astype(np.uint16)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_grey_stays_grey_and_brighter_stays_brighter(transfer):
    ramp = np.repeat(sixteen(np.linspace(0, 1, 256))[None, :, None], 3, axis=2)
    mapped = tone_map(ramp, transfer, deep=True)[0].astype(int)
    assert mapped[0].max() == 0 and mapped[-1].min() > 65500
    assert (np.ptp(mapped, axis=1) <= 66).all() and (np.diff(mapped[:, 0]) >= -1).all()


def test_reference_white_of_both_systems_is_the_same():
    """203 cd/m2 is 58 % PQ and 75 % HLG (ITU-R BT.2408)."""
    by_pq = tone_map(np.full((1, 1, 3), sixteen(pq(203))), PQ)
    by_hlg = tone_map(np.full((1, 1, 3), sixteen(0.75)), HLG)
    assert np.abs(by_pq.astype(int) - by_hlg).max() <= 2


def test_colours_keep_their_hue():
    """Red, green and blue of BT.709 at 100 cd/m2."""
    to_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
    picture = sixteen(pq(100 * (np.eye(3) @ to_2020.T)))[None]
    mapped = tone_map(picture, PQ)[0].astype(int)
    assert (mapped.argmax(1) == [0, 1, 2]).all()
    assert (np.sort(mapped, 1)[:, :2] < 0.45 * mapped.max(1, keepdims=True)).all()


@pytest.fixture(scope="module")
def hdr_scene(scene, tmp_path_factory):
    """The scene's first frames at 200 cd/m2 for white, 10-bit PQ, tagged BT.2020."""
    path = tmp_path_factory.mktemp("hdr") / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv444p10le"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 9, 9, PQ, 1
        for picture in scene.frames[:4]:
            light = 200 * (picture / 255) ** 2.4
            signal = pq(light)
            luma = signal @ [0.2627, 0.6780, 0.0593]
            planes = [
                64 + 876 * luma,
                512 + 896 * (signal[..., 2] - luma) / 1.8814,
                512 + 896 * (signal[..., 0] - luma) / 1.4746,
            ]
            frame = av.VideoFrame(320, 240, "yuv444p10le")
            for plane, values in zip(frame.planes, planes, strict=True):
                rows = np.frombuffer(plane, np.uint16).reshape(240, -1)
                rows[:, :320] = np.round(values)
            frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range = 9, 9, PQ, 1
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(("option", "transfer"), [((), PQ), (("--tone-map",), 1)])
def test_a_clip_stays_hdr_or_becomes_ordinary(scene, hdr_scene, tmp_path, option, transfer):
    result = vcut("segment", hdr_scene, "-m", scene.mask, "-o", tmp_path / "cut.mov", *option)
    assert result.exit_code == 0, result.output
    with av.open(tmp_path / "cut.mov") as container:
        frame = next(iter(container.decode(video=0)))
        assert frame.color_trc == transfer and frame.colorspace == (9 if transfer == PQ else 1)
        luma = np.frombuffer(frame.planes[0], np.uint16).reshape(frame.height, -1)[:, : frame.width]
        white = luma.max() >> (frame.format.components[0].bits - 10)
    assert transfer != PQ or white < 64 + 0.62 * 876  # 200 cd/m2 are 58 % of PQ


def test_the_network_sees_hdr_as_it_sees_the_same_in_sdr(scene, hdr_scene, tmp_path):
    result = vcut("segment", hdr_scene, "-m", scene.mask, "-o", tmp_path / "cut")
    assert result.exit_code == 0, result.output
    found = np.array(Image.open(tmp_path / "cut" / "00003.png")) > 0
    truth = scene.truth[3] > 0
    assert (found & truth).sum() / (found | truth).sum() > 0.8


def test_tone_mapping_of_ordinary_video_says_that_it_does_nothing(scene, tmp_path):
    result = vcut("segment", scene.clip, "-m", scene.mask, "-o", tmp_path / "cut", "--tone-map", "--end", 2)
    assert result.exit_code == 0 and "not tagged as HDR" in result.stderr
