"""Finding sequences in folders of DAVIS layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vcut.errors import InputError
from vcut.evaluation.dataset import find_sequences

Write = Callable[..., Path]


def block(*ids: int) -> np.ndarray:
    """Labels 12 x 16 with a 3 x 3 block of each id."""
    labels = np.zeros((12, 16), np.uint8)
    for place, identifier in enumerate(ids):
        labels[2:5, 1 + 4 * place : 4 + 4 * place] = identifier
    return labels


@pytest.mark.parametrize("resolution", ["", "480p", "Full-Resolution", "1080p"])
def test_layouts(write_sequence: Write, resolution: str) -> None:
    write_sequence("zebra", {0: block(1), 1: block(1), 2: block(1)}, 3, resolution)
    root = write_sequence("ant", {0: block(2, 5), 1: block(2)}, 2, resolution)
    ant, zebra = find_sequences(root)
    assert (ant.name, zebra.name) == ("ant", "zebra")
    assert ant.ids == (2, 5) and zebra.ids == (1,)
    assert [frame.name for frame in zebra.frames] == ["00000.jpg", "00001.jpg", "00002.jpg"]
    assert zebra.annotations[2].name == "00002.png" and zebra.annotations[2].parent.name == "zebra"
    assert zebra.dense and zebra.scored == [1]


def test_480p_is_taken_before_others(write_sequence: Write) -> None:
    write_sequence("ant", {0: block(1)}, 1, "Full-Resolution")
    root = write_sequence("ant", {0: block(1)}, 1, "480p")
    assert find_sequences(str(root))[0].frames[0].parent.parent.name == "480p"


def test_sparse_annotation_starts_at_the_first(write_sequence: Write) -> None:
    root = write_sequence("ant", {3: block(1), 6: block(1), 9: block(1, 2)}, 10)
    (ant,) = find_sequences(root)
    assert ant.start == 3 and ant.ids == (1,) and not ant.dense
    assert ant.scored == [6, 9], "the last annotation of a sparse sequence is judged"


def test_dense_from_a_later_start(write_sequence: Write) -> None:
    root = write_sequence("ant", {index: block(1) for index in range(2, 6)}, 6)
    (ant,) = find_sequences(root)
    assert ant.start == 2 and ant.dense and ant.scored == [3, 4]


def test_numbers_without_padding_are_in_order(tmp_path: Path) -> None:
    for folder in ("JPEGImages", "Annotations"):
        (tmp_path / folder / "ant").mkdir(parents=True)
    for index in (0, 2, 10, 9):
        Image.new("RGB", (16, 12)).save(tmp_path / "JPEGImages" / "ant" / f"frame{index}.jpg")
    Image.fromarray(block(1)).save(tmp_path / "Annotations" / "ant" / "frame0.png")
    Image.fromarray(block(1)).save(tmp_path / "Annotations" / "ant" / "frame10.png")
    (ant,) = find_sequences(tmp_path)
    assert [frame.stem for frame in ant.frames] == ["frame0", "frame2", "frame9", "frame10"]
    assert list(ant.annotations) == [0, 3]


class TestAnnotations:
    def test_void_is_background(self, write_sequence: Write) -> None:
        root = write_sequence("ant", {0: block(1, 255, 4), 1: block(255)}, 2)
        (ant,) = find_sequences(root)
        assert ant.ids == (1, 4) and not ant.binary
        assert np.array_equal(ant.truth(0), block(1, 0, 4)) and not ant.truth(1).any()

    @pytest.mark.parametrize("mode", ["P", "L", "1", "RGB", "RGBA"])
    def test_davis_2016(self, write_sequence: Write, mode: str) -> None:
        root = write_sequence("ant", {0: block(255), 1: block(255), 2: block(0)}, 3)
        for path in (root / "Annotations" / "ant").iterdir():
            if mode != "P":
                grey = Image.fromarray(np.array(Image.open(path)))
                grey.convert(mode).save(path)
        (ant,) = find_sequences(root)
        assert ant.binary and ant.ids == (1,)
        assert np.array_equal(ant.truth(1), block(1)) and not ant.truth(2).any()

    def test_first_at_frame_size(self, write_sequence: Write) -> None:
        root = write_sequence("ant", {0: block(1, 3)}, 1, size=(32, 24))
        (ant,) = find_sequences(root)
        assert ant.first().ids == (1, 3)
        assert np.array_equal(ant.first().labels, block(1, 3).repeat(2, axis=0).repeat(2, axis=1))
        assert ant.truth(0).shape == (12, 16)

    def test_frame_of_another_aspect(self, write_sequence: Write) -> None:
        root = write_sequence("ant", {0: block(1)}, 1, size=(20, 12))
        with pytest.raises(InputError, match=r"16 x 12, .*20 x 12"):
            find_sequences(root)[0].first()

    def test_object_lost_at_frame_size(self, write_sequence: Write) -> None:
        dot = block(1)
        dot[10, 11] = 2
        root = write_sequence("ant", {0: dot}, 1, size=(4, 3))
        with pytest.raises(InputError, match="loses objects at 4 x 3"):
            find_sequences(root)[0].first()


class TestSplit:
    def names(self, root: Path, split: str) -> list[str]:
        return [sequence.name for sequence in find_sequences(root, split)]

    @pytest.fixture
    def root(self, write_sequence: Write) -> Path:
        for name in ("ant", "bee"):
            write_sequence(name, {0: block(1)}, 1, "480p")
        root = write_sequence("cow", {0: block(1)}, 1, "480p")
        for year, text in (("2016", "ant\n"), ("2017", "cow\nbee\n\n")):
            (root / "ImageSets" / year).mkdir(parents=True)
            (root / "ImageSets" / year / "val.txt").write_text(text)
        return root

    def test_list_of_names(self, root: Path) -> None:
        (root / "ImageSets" / "2016" / "val.txt").unlink()
        assert self.names(root, "val") == ["bee", "cow"]

    def test_several_lists(self, root: Path) -> None:
        with pytest.raises(InputError, match="more than one split val; say 2016/val or 2017/val"):
            self.names(root, "val")
        assert self.names(root, "2016/val") == ["ant"]

    def test_list_of_paths(self, root: Path) -> None:
        lines = [
            f"/JPEGImages/480p/{n}/0000{i}.jpg /Annotations/480p/{n}/0000{i}.png"
            for n in ("bee", "ant")
            for i in (0, 1)
        ]
        (root / "ImageSets" / "old.txt").write_text("\n".join(lines))
        assert self.names(root, "old") == ["ant", "bee"]

    def test_missing_list(self, root: Path) -> None:
        with pytest.raises(InputError, match="no split test"):
            self.names(root, "test")

    def test_empty_list(self, root: Path) -> None:
        (root / "ImageSets" / "none.txt").write_text("\n")
        with pytest.raises(InputError, match="is empty"):
            self.names(root, "none")

    def test_listed_sequence_is_missing(self, root: Path) -> None:
        (root / "ImageSets" / "more.txt").write_text("ant\ndodo\n")
        with pytest.raises(InputError, match="sequence dodo has no frames"):
            self.names(root, "more")


class TestRefused:
    def test_missing_root(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="does not exist; give a folder"):
            find_sequences(tmp_path / "nothing")

    @pytest.mark.parametrize("missing", ["JPEGImages", "Annotations"])
    def test_half_a_layout(self, tmp_path: Path, missing: str) -> None:
        (tmp_path / ({"JPEGImages", "Annotations"} - {missing}).pop()).mkdir()
        with pytest.raises(InputError, match=f"has no folder {missing}"):
            find_sequences(tmp_path)

    def test_no_sequence(self, tmp_path: Path) -> None:
        (tmp_path / "JPEGImages").mkdir()
        (tmp_path / "Annotations").mkdir()
        with pytest.raises(InputError, match="has no sequence"):
            find_sequences(tmp_path)

    def test_no_annotation(self, write_sequence: Write) -> None:
        with pytest.raises(InputError, match="sequence ant has no annotation"):
            find_sequences(write_sequence("ant", {}, 2))

    def test_no_frame(self, write_sequence: Write) -> None:
        with pytest.raises(InputError, match="sequence ant has no frames"):
            find_sequences(write_sequence("ant", {0: block(1)}, 0))

    def test_annotation_without_its_frame(self, write_sequence: Write) -> None:
        with pytest.raises(InputError, match=r"00007\.png has no frame"):
            find_sequences(write_sequence("ant", {0: block(1), 7: block(1)}, 3))

    def test_two_frames_of_one_name(self, write_sequence: Write) -> None:
        root = write_sequence("ant", {0: block(1)}, 1)
        Image.new("RGB", (16, 12)).save(root / "JPEGImages" / "ant" / "00000.png")
        with pytest.raises(InputError, match="several frames of one name"):
            find_sequences(root)

    def test_first_annotation_is_empty(self, write_sequence: Write) -> None:
        with pytest.raises(InputError, match=r"00000\.png has no object"):
            find_sequences(write_sequence("ant", {0: block(0), 1: block(1)}, 2))

    def test_damaged_annotation(self, write_sequence: Write) -> None:
        root = write_sequence("ant", {0: block(1)}, 1)
        (root / "Annotations" / "ant" / "00000.png").write_bytes(b"PNG?")
        with pytest.raises(InputError, match=r"annotation: .*00000\.png is not a picture"):
            find_sequences(root)

    def test_annotation_in_colour(self, write_sequence: Write) -> None:
        root = write_sequence("ant", {0: block(1)}, 1)
        Image.new("RGB", (16, 12), (128, 0, 0)).save(root / "Annotations" / "ant" / "00000.png")
        with pytest.raises(InputError, match="is in colour"):
            find_sequences(root)

    def test_annotation_of_sixteen_bits(self, write_sequence: Write) -> None:
        root = write_sequence("ant", {0: block(1)}, 1)
        Image.fromarray(block(1).astype(np.uint16)).save(root / "Annotations" / "ant" / "00000.png")
        with pytest.raises(InputError, match="I;16"):
            find_sequences(root)

    def test_damaged_frame(self, write_sequence: Write) -> None:
        root = write_sequence("ant", {0: block(1)}, 1)
        (root / "JPEGImages" / "ant" / "00000.jpg").write_bytes(b"JPEG?")
        with pytest.raises(InputError, match=r"frame .*00000\.jpg cannot be read"):
            find_sequences(root)[0].first()
