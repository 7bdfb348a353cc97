"""The matte in whole commands: soft edges at the source's size, free of the old background, and what moves them."""

from __future__ import annotations

import av
import numpy as np
import pytest
from PIL import Image
from tools import vcut


def mattes(scene, folder, *options: object) -> np.ndarray:
    """T,H,W levels of 255."""
    result = vcut("segment", scene.clip, "-m", scene.mask, "-o", folder, "-f", "matte", *options)
    assert result.exit_code == 0, result.output
    return np.stack([np.array(Image.open(file)) for file in sorted(folder.iterdir())]).astype(float)


@pytest.fixture(scope="module")
def plain(scene, tmp_path_factory) -> np.ndarray:
    return mattes(scene, tmp_path_factory.mktemp("plain") / "matte")


def soft(levels: np.ndarray) -> int:
    return int(((levels > 25) & (levels < 230)).sum())


def test_the_first_frame_has_soft_edges_like_the_others(plain):
    widths = [soft(frame) for frame in plain]
    assert widths[0] > 0.3 * np.median(widths[1:])


def test_grow_and_shrink_move_the_edge(scene, plain, tmp_path):
    areas = [plain[3].sum()]
    areas += [mattes(scene, tmp_path / name, f"--{name}", 4, "--end", 4)[3].sum() for name in ("grow", "shrink")]
    assert areas[1] > 1.05 * areas[0] and areas[2] < 0.95 * areas[0]


def test_crisp_edges_are_narrower_and_feathered_ones_wider(scene, plain, tmp_path):
    crisp = mattes(scene, tmp_path / "crisp", "--edge", "crisp", "--end", 4)
    feathered = mattes(scene, tmp_path / "feathered", "--feather", 8, "--end", 4)
    assert soft(crisp[3]) < soft(plain[3]) < 0.7 * soft(feathered[3])


def test_each_object_has_a_matte_of_its_own(scene, plain, tmp_path):
    result = vcut("segment", scene.clip, "-m", scene.mask, "-o", tmp_path / "m", "-f", "matte", "--split-objects")
    assert result.exit_code == 0, result.output
    single = [np.array(Image.open(tmp_path / f"m_{i}" / "00005.png")).astype(float) for i in (1, 3)]
    assert np.abs(np.maximum(*single) - plain[5]).mean() < 1  # they lie apart


def test_sixteen_bits_of_opacity_are_no_enlarged_eight(scene, tmp_path):
    result = vcut("segment", scene.clip, "-m", scene.mask, "-o", tmp_path / "m", "-f", "matte-16", "--end", 3)
    assert result.exit_code == 0, result.output
    with av.open(str(tmp_path / "m" / "%05d.png")) as container:
        levels = next(iter(container.decode(video=0))).to_ndarray()
    assert levels.dtype == np.uint16 and (levels % 257 != 0).any()


def test_most_of_the_old_background_is_gone_from_the_edge(tmp_path):
    """A red disc with a soft edge before blue: most of the blue in its edge is gone."""
    height, width = 240, 320
    rows, columns = np.mgrid[:height, :width]
    away = np.hypot(rows - 120, columns - 160)
    noise = np.random.default_rng(0).normal(0, 3, (height, width, 1))
    alpha = np.clip((70 - away) / 3 + 0.5, 0, 1)[..., None]
    picture = (alpha * [200, 30, 30] + (1 - alpha) * [20, 40, 220] + noise).clip(0, 255).astype(np.uint8)
    (tmp_path / "clip").mkdir()
    for number in range(3):
        Image.fromarray(picture).save(tmp_path / "clip" / f"{number}.png")
    Image.fromarray(np.where(away < 70, 255, 0).astype(np.uint8)).save(tmp_path / "mask.png")
    result = vcut("segment", tmp_path / "clip", "-m", tmp_path / "mask.png", "-o", tmp_path / "cut", "-f", "rgba")
    assert result.exit_code == 0, result.output
    cut = np.array(Image.open(tmp_path / "cut" / "00002.png")).astype(float)
    edge = (cut[..., 3] > 40) & (cut[..., 3] < 215)
    assert edge.sum() > 200
    blue, old = cut[edge][:, 2].mean(), picture[edge][:, 2].mean()
    assert blue - 30 < 0.6 * (old - 30)


@pytest.mark.parametrize(
    "options", [("--edge", "blunt"), ("--grow", 500), ("--grow", 2, "--shrink", 1), ("--feather", -1)]
)
def test_edges_that_make_no_sense_are_refused(scene, tmp_path, options):
    result = vcut("segment", scene.clip, "-m", scene.mask, "-o", tmp_path / "cut", *options)
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1
