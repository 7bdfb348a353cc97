"""Every kind of mask file a user may bring."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from vcut.errors import MaskError
from vcut.masks.labels import read_mask
from vcut.masks.palette import davis_palette, save_indexed

Save = Callable[..., Path]


def in_colours(labels: np.ndarray, colours: dict[int, tuple[int, int, int]]) -> np.ndarray:
    rgb = np.zeros((*labels.shape, 3), np.uint8)
    for identifier, colour in colours.items():
        rgb[labels == identifier] = colour
    return rgb


class TestIndexed:
    def test_pixels_are_ids_whatever_the_palette(self, save: Save, two_objects: np.ndarray) -> None:
        two_objects[two_objects == 2] = 41
        mask = read_mask(save(two_objects, mode="P"))
        assert np.array_equal(mask.labels, two_objects) and mask.labels.dtype == np.uint8
        assert mask.ids == (1, 41) and mask.notices == ()

    def test_our_own_files(self, tmp_path: Path, two_objects: np.ndarray) -> None:
        save_indexed(tmp_path / "mask.png", two_objects)
        assert np.array_equal(read_mask(tmp_path / "mask.png").labels, two_objects)

    def test_void_outline_is_background(self, save: Save, two_objects: np.ndarray) -> None:
        drawn = two_objects.copy()
        drawn[38:40, 76:122] = 255
        mask = read_mask(save(drawn, mode="P"))
        assert mask.ids == (1, 2) and np.array_equal(mask.labels, np.where(drawn == 255, 0, drawn))
        assert len(mask.notices) == 1 and f"{(drawn == 255).sum()} pixels" in mask.notices[0]

    def test_255_alone_is_one_object(self, save: Save, two_objects: np.ndarray) -> None:
        mask = read_mask(save((two_objects == 2).astype(np.uint8) * 255, mode="P"))
        assert mask.ids == (1,) and np.array_equal(mask.labels, two_objects == 2) and mask.notices == ()

    def test_small_object_at_480p(self, save: Save) -> None:
        labels = np.zeros((480, 854), np.uint8)
        labels[100:300, 200:400] = 1
        labels[298:303, 398:403] = 3
        assert read_mask(save(labels, mode="P")).ids == (1, 3)

    def test_compact_dot_that_touches_an_object(self, save: Save, two_objects: np.ndarray) -> None:
        two_objects[38:40, 90:93] = 5
        assert read_mask(save(two_objects, mode="P")).ids == (1, 2, 5)

    def test_thin_line_on_background(self, save: Save, two_objects: np.ndarray) -> None:
        two_objects[100, 10:150] = 7
        assert read_mask(save(two_objects, mode="P")).ids == (1, 2, 7)

    def test_object_of_three_pixels_is_mentioned(self, save: Save, two_objects: np.ndarray) -> None:
        two_objects[100, 10:13] = 7
        assert any("object 7 has only 3 pixels" in notice for notice in read_mask(save(two_objects, mode="P")).notices)

    def test_many_real_objects(self, save: Save) -> None:
        labels = np.zeros((160, 160), np.uint8)
        for identifier in range(1, 201):
            row, column = divmod(identifier - 1, 16)
            labels[row * 10 + 2 : row * 10 + 8, column * 10 + 2 : column * 10 + 8] = identifier
        assert read_mask(save(labels, mode="P")).ids == tuple(range(1, 201))


class TestStrayIds:
    def test_blend_ids_on_an_outline(self, save: Save, two_objects: np.ndarray) -> None:
        outline = [(60, 20), (60, 80), (90, 50), (31, 45), (31, 55)]
        for (row, column), identifier in zip(outline, (9, 9, 9, 12, 12), strict=True):
            two_objects[row, column] = identifier
        with pytest.raises(MaskError, match=r"stray ids .*: 9 \(3 pixels\), 12 \(2 pixels\); save .*anti-aliasing"):
            read_mask(save(two_objects, mode="P"))

    def test_few_blend_levels_around_id_255(self, save: Save, soft_disk: np.ndarray) -> None:
        levels = (np.round(soft_disk / 255 * 3) * 85).astype(np.uint8)
        with pytest.raises(MaskError, match=r"stray ids .*(85|170) \(\d+ pixels\), (85|170) \(\d+ pixels\)"):
            read_mask(save(levels, mode="P"))

    def test_a_blended_straight_edge(self, save: Save, two_objects: np.ndarray) -> None:
        two_objects[40:80, 120] = 6
        with pytest.raises(MaskError, match=r"6 \(40 pixels\)"):
            read_mask(save(two_objects, mode="P"))

    def test_many_are_counted_not_listed(self, save: Save, soft_disk: np.ndarray) -> None:
        levels = [value for value in np.unique(soft_disk) if 0 < value < 255]
        with pytest.raises(MaskError) as caught:
            read_mask(save(soft_disk, mode="P"))
        assert caught.value.what.count("pixels)") == 8
        assert caught.value.what.endswith(f"and {len(levels) - 8} more")
        assert "\n" not in str(caught.value)

    def test_blended_colours(self, save: Save, two_objects: np.ndarray) -> None:
        sharp = Image.fromarray(in_colours(two_objects, {1: (255, 0, 0), 2: (0, 0, 255)}))
        blended = sharp.resize((150, 112), Image.Resampling.BILINEAR)
        with pytest.raises(MaskError, match=r"stray colours .*#[0-9a-f]{6} \(\d+ pixels\).* more; save"):
            read_mask(save(blended))

    def test_photograph_with_a_palette(self, save: Save) -> None:
        noise = np.random.default_rng(1).integers(0, 40, (60, 80), np.uint8)
        with pytest.raises(MaskError, match=r"photograph|stray"):
            read_mask(save(noise.repeat(2, axis=0).repeat(2, axis=1), mode="P"))

    def test_smooth_photograph_of_calm_and_busy_parts(self, save: Save) -> None:
        noise = np.random.default_rng(2).integers(0, 60, (120, 160), np.uint8)
        noise[:40] = np.arange(40).repeat(4)[None]
        noise[40:43, :] = np.arange(54).repeat(3)[None, :160]
        noise[43:46, :] = np.arange(20, 74).repeat(3)[None, :160] % 60
        with pytest.raises(MaskError, match="looks like a photograph, with 60 ids"):
            read_mask(save(noise, mode="P"))


class TestGrey:
    @pytest.mark.parametrize("mode", ["1", "L", "RGB", "LA", "RGBA"])
    def test_black_and_white(self, save: Save, two_objects: np.ndarray, mode: str) -> None:
        wanted = two_objects == 1
        mask = read_mask(save((wanted * 255).astype(np.uint8), mode=mode))
        assert mask.ids == (1,) and np.array_equal(mask.labels, wanted) and mask.notices == ()

    def test_anti_aliased_is_cut_at_half(self, save: Save, soft_disk: np.ndarray) -> None:
        mask = read_mask(save(soft_disk))
        between = int(((soft_disk > 8) & (soft_disk < 247)).sum())
        assert mask.ids == (1,) and np.array_equal(mask.labels, soft_disk >= 128)
        assert between > 0 and len(mask.notices) == 1 and f"{between} in-between" in mask.notices[0]

    def test_jpeg(self, save: Save, two_objects: np.ndarray) -> None:
        wanted = two_objects == 2
        mask = read_mask(save((wanted * 255).astype(np.uint8), name="mask.jpg"))
        assert mask.ids == (1,) and np.array_equal(mask.labels, wanted)

    def test_soft_matte_is_refused(self, save: Save) -> None:
        ramp = np.linspace(0, 255, 160).astype(np.uint8)[None].repeat(120, axis=0)
        with pytest.raises(MaskError, match=r"neither black and white nor object ids.*in-between"):
            read_mask(save(ramp))

    @pytest.mark.parametrize("mode", ["L", "RGB"])
    def test_small_values_are_ids(self, save: Save, two_objects: np.ndarray, mode: str) -> None:
        mask = read_mask(save(two_objects, mode=mode))
        assert mask.ids == (1, 2) and np.array_equal(mask.labels, two_objects)

    def test_small_ids_with_void(self, save: Save, two_objects: np.ndarray) -> None:
        two_objects[100:110] = 255
        mask = read_mask(save(two_objects))
        assert mask.ids == (1, 2) and not mask.labels[100:110].any() and "void" in mask.notices[0]

    def test_three_tones_are_refused(self, save: Save, two_objects: np.ndarray) -> None:
        with pytest.raises(MaskError, match="in-between"):
            read_mask(save(np.array([0, 128, 255], np.uint8)[two_objects]))

    def test_shades_without_white_are_ids(self, save: Save, two_objects: np.ndarray) -> None:
        assert read_mask(save(np.array([0, 38, 75], np.uint8)[two_objects])).ids == (38, 75)


class TestSixteenBit:
    def test_ids(self, save: Save, two_objects: np.ndarray) -> None:
        mask = read_mask(save(two_objects.astype(np.uint16)))
        assert mask.ids == (1, 2) and np.array_equal(mask.labels, two_objects)

    def test_black_and_white(self, save: Save, soft_disk: np.ndarray) -> None:
        mask = read_mask(save(soft_disk.astype(np.uint16) * 257))
        assert mask.ids == (1,) and np.array_equal(mask.labels, soft_disk >= 128)

    def test_ids_above_255(self, save: Save, two_objects: np.ndarray) -> None:
        with pytest.raises(MaskError, match="from 0 to 300, more than 255 objects"):
            read_mask(save(two_objects.astype(np.uint16) * 150))


class TestColours:
    def test_davis_colours_are_their_ids(self, save: Save, two_objects: np.ndarray) -> None:
        two_objects[two_objects == 2] = 9
        mask = read_mask(save(davis_palette()[two_objects]))
        assert mask.ids == (1, 9) and np.array_equal(mask.labels, two_objects)

    def test_other_colours_are_numbered_by_first_appearance(self, save: Save) -> None:
        labels = np.zeros((40, 60), np.uint8)
        labels[5:15, 40:50], labels[20:35, 5:25] = 1, 2
        mask = read_mask(save(in_colours(labels, {1: (255, 0, 0), 2: (0, 255, 255)})))
        assert mask.ids == (1, 2) and np.array_equal(mask.labels, labels)
        swapped = read_mask(save(in_colours(labels, {1: (0, 255, 255), 2: (255, 0, 0)})))
        assert np.array_equal(swapped.labels, labels)

    def test_own_colours_leave_davis_ids_free(self, save: Save, two_objects: np.ndarray) -> None:
        mask = read_mask(save(in_colours(two_objects, {1: (255, 255, 0), 2: (128, 0, 0)})))
        assert np.array_equal(mask.labels, np.array([0, 2, 1])[two_objects])

    def test_davis_void_colour_is_background(self, save: Save, two_objects: np.ndarray) -> None:
        two_objects[100:110] = 255
        mask = read_mask(save(davis_palette()[two_objects]))
        assert mask.ids == (1, 2) and not mask.labels[100:110].any() and len(mask.notices) == 1

    def test_300_colours_are_refused(self, save: Save) -> None:
        count = np.arange(300).reshape(15, 20).repeat(5, axis=0).repeat(5, axis=1)
        rgb = np.stack([count % 256, count // 256, np.full_like(count, 7)], axis=-1).astype(np.uint8)
        with pytest.raises(MaskError, match="300 colours, more than 255 objects"):
            read_mask(save(rgb))

    def test_no_background_but_several_objects(self, save: Save, two_objects: np.ndarray) -> None:
        mask = read_mask(save(in_colours(two_objects, {0: (255, 255, 255), 1: (255, 0, 0), 2: (0, 0, 255)})))
        assert mask.ids == (1, 2, 3) and "no pixel is background" in mask.notices[0]


class TestAlpha:
    def test_colours_on_transparency(self, save: Save, two_objects: np.ndarray) -> None:
        rgba = np.dstack([in_colours(two_objects, {0: (9, 9, 9), 1: (255, 0, 0), 2: (0, 0, 255)}), two_objects])
        rgba[..., 3] = np.where(two_objects, 255, 0)
        mask = read_mask(save(rgba))
        assert sorted(mask.ids) == [1, 2] and np.array_equal(mask.labels > 0, two_objects > 0)
        assert len(np.unique(mask.labels[two_objects == 1])) == 1

    @pytest.mark.parametrize("tone", [0, 255])
    def test_one_tone_on_transparency(self, save: Save, two_objects: np.ndarray, tone: int) -> None:
        pixels = np.stack([np.full_like(two_objects, tone), np.where(two_objects, 255, 0).astype(np.uint8)], axis=-1)
        mask = read_mask(save(Image.fromarray(pixels, "LA")))
        assert mask.ids == (1,) and np.array_equal(mask.labels > 0, two_objects > 0)

    def test_cut_out_picture(self, save: Save, soft_disk: np.ndarray) -> None:
        photo = np.random.default_rng(0).integers(0, 256, (*soft_disk.shape, 3), np.uint8)
        mask = read_mask(save(np.dstack([photo, soft_disk])))
        assert mask.ids == (1,) and np.array_equal(mask.labels, soft_disk >= 128)
        assert "cut-out" in mask.notices[0]

    def test_opaque_alpha_is_ignored(self, save: Save, two_objects: np.ndarray) -> None:
        rgba = np.dstack([davis_palette()[two_objects], np.full(two_objects.shape, 255, np.uint8)])
        assert np.array_equal(read_mask(save(rgba)).labels, two_objects)

    def test_all_transparent_is_empty(self, save: Save) -> None:
        with pytest.raises(MaskError, match="no object"):
            read_mask(save(np.zeros((20, 20, 4), np.uint8)))


class TestSize:
    def test_same_size(self, save: Save, two_objects: np.ndarray) -> None:
        assert read_mask(save(two_objects, mode="P"), size=(160, 120)).notices == ()

    def test_same_aspect_is_resized(self, save: Save, two_objects: np.ndarray) -> None:
        mask = read_mask(save(two_objects, mode="P"), size=(320, 240))
        assert np.array_equal(mask.labels, two_objects.repeat(2, axis=0).repeat(2, axis=1))
        assert mask.ids == (1, 2) and "160 x 120" in mask.notices[0] and "320 x 240" in mask.notices[0]

    def test_aspect_within_one_percent(self, save: Save) -> None:
        labels = np.zeros((480, 854), np.uint8)
        labels[100:200, 100:200] = 1
        assert read_mask(save(labels, mode="P"), size=(1920, 1080)).labels.shape == (1080, 1920)

    def test_other_aspect(self, save: Save, two_objects: np.ndarray) -> None:
        with pytest.raises(MaskError, match=r"160 x 120.*200 x 120"):
            read_mask(save(two_objects, mode="P"), size=(200, 120))

    def test_rotated_by_exif_is_read_as_stored(self, tmp_path: Path, two_objects: np.ndarray) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray((two_objects > 0).astype(np.uint8) * 255).save(tmp_path / "mask.png", exif=exif)
        assert read_mask(tmp_path / "mask.png").labels.shape == (120, 160)

    def test_object_lost_in_resizing_is_named(self, save: Save, two_objects: np.ndarray) -> None:
        two_objects[101, 103:105] = 8
        mask = read_mask(save(two_objects, mode="P"), size=(16, 12))
        assert mask.ids == (1, 2) and any("object 8 is too small" in notice for notice in mask.notices)

    def test_no_object_left(self, save: Save) -> None:
        labels = np.zeros((120, 160), np.uint8)
        labels[0, 0:2] = 1
        with pytest.raises(MaskError, match="no object left"):
            read_mask(save(labels, mode="P"), size=(16, 12))


class TestRefused:
    def test_empty(self, save: Save) -> None:
        with pytest.raises(MaskError, match="no object"):
            read_mask(save(np.zeros((20, 20), np.uint8)))

    @pytest.mark.parametrize("value", [1, 255])
    def test_all_foreground(self, save: Save, value: int) -> None:
        with pytest.raises(MaskError, match="no background"):
            read_mask(save(np.full((20, 20), value, np.uint8)))

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(MaskError, match=r"nothing\.png does not exist"):
            read_mask(tmp_path / "nothing.png")

    def test_folder(self, tmp_path: Path) -> None:
        with pytest.raises(MaskError, match="is a folder"):
            read_mask(tmp_path)

    def test_text(self, tmp_path: Path) -> None:
        (tmp_path / "mask.png").write_text("not a picture")
        with pytest.raises(MaskError, match="is not a picture"):
            read_mask(tmp_path / "mask.png")

    def test_cut_short(self, save: Save) -> None:
        noise = np.random.default_rng(3).integers(0, 2, (64, 64), np.uint8) * 255
        path = save(noise)
        path.write_bytes(path.read_bytes()[:300])
        with pytest.raises(MaskError, match="cannot be read"):
            read_mask(path)

    @pytest.mark.parametrize(("name", "message"), [("clip.mp4", "is a video"), ("clip.bin", "is not a picture")])
    def test_video(self, tmp_path: Path, name: str, message: str) -> None:
        path = tmp_path / name
        with av.open(str(path), "w", format="mp4") as container:
            stream = container.add_stream("mpeg4", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for _ in range(3):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8))))
            container.mux(stream.encode())
        with pytest.raises(MaskError, match=message):
            read_mask(path)

    def test_animation(self, tmp_path: Path) -> None:
        pictures = [Image.fromarray(np.full((20, 20), value, np.uint8)) for value in (0, 100, 200)]
        pictures[0].save(tmp_path / "mask.gif", save_all=True, append_images=pictures[1:])
        with pytest.raises(MaskError, match="animation of 3 frames"):
            read_mask(tmp_path / "mask.gif")

    def test_floating_point(self, save: Save, two_objects: np.ndarray) -> None:
        with pytest.raises(MaskError, match="floating-point"):
            read_mask(save(two_objects.astype(np.float32), name="mask.tiff"))
