"""Packs and the clips drawn from them."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from vcut.errors import InputError, OptionError
from vcut.training.clips import Batches, ClipMaker, Drawn
from vcut.training.layout import Resident, lay_out
from vcut.training.motion import KNOTS
from vcut.training.options import AUGMENTATIONS, TrainOptions
from vcut.training.pack import open_packs
from vcut.training.pictures import stack
from vcut.training.render import draw, render
from vcut.training.scene import MARKED, Box, Camera, Layer, Path, Scene


def test_packs_hold_the_pictures(data, packs):
    assert {name: len(pack) for name, pack in packs.items()} == {"stills": 7, "backgrounds": 1, "video": 8}
    assert [len(clip) for clip in packs["video"].clips] == [8]
    file = data / "static/discs/images/3.webp"
    index = 1 + 3  # sets in order of their names: cut, discs
    assert np.array_equal(packs["stills"].image(index), np.array(Image.open(file)))
    assert np.array_equal(packs["stills"].mask(index), np.array(Image.open(data / "static/discs/masks/3.png")))
    assert packs["stills"].objects(index) == [1] and packs["stills"].objects(0) == [1]


def test_packs_are_made_again_when_the_data_has_changed(data, tmp_path):
    copy, packed = tmp_path / "data", tmp_path / "packed"
    shutil.copytree(data, copy)
    first = open_packs(copy, packed)
    made = {name: (packed / f"{name}.bin").stat().st_mtime_ns for name in first}
    open_packs(copy, packed)
    assert made == {name: (packed / f"{name}.bin").stat().st_mtime_ns for name in first}
    shutil.copy(copy / "static/discs/images/3.webp", copy / "static/discs/images/9.webp")
    shutil.copy(copy / "static/discs/masks/3.png", copy / "static/discs/masks/9.png")
    assert len(open_packs(copy, packed)["stills"]) == 8
    assert made["video"] == (packed / "video.bin").stat().st_mtime_ns


def test_no_data_is_an_error_in_one_line(tmp_path):
    with pytest.raises(InputError, match="nothing to pack"):
        open_packs(tmp_path, tmp_path / "packed")


def at_rest(length: int, anchor: tuple[float, float], half: float, centre=(0.0, 0.0)) -> Path:
    """A path that shows ``2 * half`` pixels of a layer on the whole side, and does not move."""
    return Path(
        np.tile(np.array(anchor, float), (length, 1)),
        np.tile(np.array(centre, float), (length, 1)),
        np.tile(np.diag([half, half]), (length, 1, 1)),
        np.zeros((length, 2, KNOTS, KNOTS)),
    )


def plain_camera(length: int) -> Camera:
    return Camera(np.eye(3, 4), np.ones((length, 3)))


def of(rgb: np.ndarray, ids: np.ndarray, number: int, path: Path, **more) -> Layer:
    """All of some pictures, as one thing."""
    return Layer(stack(rgb, ids), np.arange(len(ids)), Box(0, 0, *ids.shape[1:]), (MARKED,), (number,), path, **more)


def ground(rng: np.random.Generator, length: int, size: int = 64) -> Layer:
    """A noisy picture with a square that is thing 1."""
    rgb = rng.integers(0, 256, (1, size, size, 3), np.uint8)
    ids = np.zeros((1, size, size), np.uint8)
    ids[:, 8:24, 8:24] = 1
    return of(rgb, ids, 1, at_rest(length, (size / 2, size / 2), size / 2), whole=True)


def patch(length: int, number: int, centre: tuple[float, float], **more) -> Layer:
    """A red square of 16 x 16 pixels of a 64-pixel frame."""
    rgb = np.zeros((1, 16, 16, 3), np.uint8)
    rgb[..., 0] = 255
    return of(rgb, np.ones((1, 16, 16), np.uint8), number, at_rest(length, (8, 8), 32, centre), **more)


def test_a_layer_at_rest_is_its_picture():
    base = ground(np.random.default_rng(0), 3)
    frames, labels = render([Scene([base], (1,), 1, plain_camera(3))], 64)
    assert torch.equal(frames[0, 2], torch.from_numpy(base.pictures.image(0)).permute(2, 0, 1))
    assert torch.equal(labels[0, 1], torch.from_numpy(base.pictures.mask(0)))


def test_layers_cover_pass_behind_and_vanish():
    rng = np.random.default_rng(0)
    over, under = patch(3, 2, (-0.25, -0.5)), patch(3, 2, (-0.25, -0.5), behind=True)
    gone = patch(3, 2, (0.5, 0.5), shown=np.array([True, False, True]))
    scenes = [Scene([ground(rng, 3), layer], (2, 1), 2, plain_camera(3)) for layer in (over, under, gone)]
    frames, labels = render(scenes, 64)
    assert labels[0, 0, 12, 20] == 1 and frames[0, 0, :, 12, 20].tolist() == [255, 0, 0]
    assert labels[1, 0, 12, 20] == 2 and labels[1, 0, 12, 28] == 1  # what was there first stays in front
    assert (labels[2] == 1).sum((1, 2)).tolist() == [256, 0, 256]
    assert (labels[2] == 2).sum((1, 2)).tolist() == [256, 256, 256]


def test_what_can_never_be_a_target_hides_but_has_no_label():
    base, post = ground(np.random.default_rng(0), 2), patch(2, 0, (-0.5, -0.5))
    _, labels = render([Scene([base, post], (1,), 3, plain_camera(2))], 64)
    assert set(labels.unique().tolist()) <= {0, 1} and labels[0, 0, 12, 12] == 0


def test_clips_rendered_together_equal_clips_one_by_one(packs):
    maker = ClipMaker(packs)
    scenes = [maker.scene(np.random.default_rng(seed), 4, 2, seed % 2 == 0) for seed in range(8)]
    frames, labels = render(scenes, 64)
    for i, scene in enumerate(scenes):
        alone, own = render([scene], 64)
        assert (frames[i].int() - alone[0].int()).abs().max() <= 1
        assert (labels[i] != own[0]).float().mean() < 1e-3


@pytest.mark.parametrize("video", [False, True])
def test_pictures_on_the_device_are_drawn_as_those_that_are_brought_there(packs, video):
    maker = ClipMaker(packs)
    scenes = [maker.scene(np.random.default_rng(seed), 4, 3, video) for seed in range(8)]
    resident = Resident(packs.values(), torch.device("cpu"))
    layout = lay_out(scenes, resident.places)
    assert not len(layout.pixels)
    frames, labels = draw(replace(layout, pixels=resident.pixels), 64)
    brought, own = render(scenes, 64)
    assert torch.equal(frames, brought) and torch.equal(labels, own)


@pytest.mark.parametrize("video", [False, True])
def test_clips_have_targets_in_their_first_frame(packs, video):
    maker = ClipMaker(packs)
    scenes = [maker.scene(np.random.default_rng(seed), 4, 2, video) for seed in range(12)]
    frames, labels = render(scenes, 64)
    assert frames.shape == (12, 4, 3, 64, 64) and frames.dtype == torch.uint8
    assert labels.shape == (12, 4, 64, 64) and labels.dtype == torch.uint8
    seen = set()
    for clip in labels:
        first = set(clip[0].unique().tolist()) - {0}
        assert first in ({1}, {1, 2}) and set(clip.unique().tolist()) <= first | {0}
        seen |= first
    assert seen == {1, 2}


def test_augmentations_can_be_left_out_one_by_one(packs):
    def drawn(kinds) -> list[Scene]:
        maker = ClipMaker(packs, kinds)
        return [maker.scene(np.random.default_rng(seed), 5, 2, seed % 2 == 0) for seed in range(60)]

    def signs(scenes: list[Scene]) -> dict[str, bool]:
        layers = [layer for scene in scenes for layer in scene.layers]
        cameras = [scene.camera for scene in scenes]
        return {
            "occlusion": any(layer.things == (0,) for layer in layers),
            "vanish": any(layer.shown is not None for layer in layers),
            "motion-blur": any(camera.streaks is not None for camera in cameras),
            "jpeg": any(camera.quality for camera in cameras),
            "flicker": any(np.ptp(camera.gains) > 0.25 for camera in cameras),
        }

    assert all(signs(drawn(AUGMENTATIONS)).values())
    for kind in signs([]):
        found = signs(drawn([k for k in AUGMENTATIONS if k != kind]))
        assert not found.pop(kind) and all(found.values())
    with_twins = sum(len(scene.layers) for scene in drawn(["twin"]))
    assert with_twins > sum(len(scene.layers) for scene in drawn([])) + 10


def test_camera_faults_change_the_picture_and_not_the_labels():
    rng = np.random.default_rng(3)
    smooth = np.kron(rng.integers(0, 256, (1, 8, 8, 3), np.uint8), np.ones((1, 8, 8, 1), np.uint8))
    base = ground(rng, 2)
    base.pictures = stack(smooth, base.pictures.mask(0)[None])
    plain, labels = render([Scene([base], (1,), 1, plain_camera(2))], 64)
    faults = {
        "streaks": np.array([[0.0, 0.0], [10.0, 0.0]]),
        "quality": 10,
        "noise": 0.05,
        "shrink": 0.4,
        "gains": np.array([[1.0] * 3, [0.6] * 3]),
    }
    for name, value in faults.items():
        camera = plain_camera(2)
        setattr(camera, name, value)
        frames, same = render([Scene([base], (1,), 1, camera)], 64)
        change = (frames.float() - plain.float()).abs().mean((0, 2, 3, 4))
        assert change[1] > 1.5, name
        assert torch.equal(labels, same)
        if name in ("streaks", "gains"):
            assert change[0] < 0.5, name
    # horizontal streaks blur along x only
    camera = plain_camera(2)
    camera.streaks = faults["streaks"]
    frames, _ = render([Scene([base], (1,), 1, camera)], 64)
    detail = frames[0, 1].float()
    before = plain[0, 1].float()
    assert detail.diff(dim=2).square().mean() < 0.5 * before.diff(dim=2).square().mean()
    assert detail.diff(dim=1).square().mean() > 0.5 * before.diff(dim=1).square().mean() * 0.5


def test_a_batch_is_determined_by_its_step(packs):
    options = TrainOptions(steps=10, batch=2, size=64, video_from=0.5, long_from=0.5, clip=3, long_clip=5)
    batches = Drawn(Batches(ClipMaker(packs), options))
    a, b, other = batches[3], batches[3], batches[4]
    assert torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])
    assert not torch.equal(a[0], other[0])
    assert a[0].shape[:2] == (2, 3) and batches[5][0].shape[:2] == (2, 5)
    scenes = Batches(ClipMaker(packs), options).scenes(3)
    assert torch.equal(render(scenes, 64)[0], a[0])


def test_first_frames_apart_are_another_time_and_make_clips_a_frame_longer(packs):
    options = TrainOptions(steps=40, batch=2, size=64, clip=3, long_clip=3, video_from=0, video=1, apart=0.5)
    batches = Batches(ClipMaker(packs), options)
    lengths = [len(batches.scenes(step)[0].layers[0].path.centre) for step in range(40)]
    given = [options.given(step) for step in range(40)]
    assert lengths == [2 + count for count in given] and 10 < given.count(2) < 30

    def moves(apart: bool) -> tuple[float, float]:
        scenes = [ClipMaker(packs).scene(np.random.default_rng(n), 4, 1, False, apart) for n in range(80)]
        steps = np.mean(
            [
                np.linalg.norm(scene.layers[0].path.centre[1:] - scene.layers[0].path.centre[:-1], axis=1)
                for scene in scenes
            ],
            0,
        )
        return float(steps[0]), float(steps[1:].mean())

    first, later = moves(apart=True)
    assert first > 2 * later
    first, later = moves(apart=False)
    assert 0.5 < first / later < 2


def test_stills_move_as_a_whole_or_have_objects_pasted_on_them_or_either(packs):
    def targets_of(stills: str) -> list[tuple[bool, bool]]:
        """Whether the picture's own objects, and cut-outs, can be targets, for each clip."""
        maker = ClipMaker(packs, (), stills=stills)
        scenes = [maker.scene(np.random.default_rng(seed), 3, 2, False) for seed in range(60)]
        return [(bool(s.layers[0].things), any(layer.things for layer in s.layers[1:])) for s in scenes]

    assert set(targets_of("moved")) == {(True, False)}
    assert set(targets_of("pasted")) == {(False, True)}
    either = targets_of("either")
    assert set(either) == {(True, False), (False, True)} and 15 < either.count((True, False)) < 45
    assert (True, True) in targets_of("mixed")
    with pytest.raises(OptionError, match="unknown --stills"):
        TrainOptions(stills="both")


def test_larger_frames_show_more_instead_of_the_same_from_closer(packs):
    def seen(size: int) -> float:
        maker = ClipMaker(packs, (), size)
        views = [maker.scene(np.random.default_rng(seed), 2, 1, True).layers[0].path.linear for seed in range(40)]
        return float(np.mean([abs(np.linalg.det(view[0])) ** 0.5 for view in views]))

    assert seen(384) > 1.1 * seen(256)
