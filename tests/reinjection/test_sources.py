"""Oracles: the lists that the files and streams were written from, read by real loaders in their workers."""

import pickle
from functools import partial

import lightning.pytorch as lp
import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader

from collapse_guard.corpus.reading import read_documents
from collapse_guard.errors import CorpusError, InputError
from collapse_guard.lightning import ReinjectionDataModule
from collapse_guard.reinjection import ArrowItems, StreamedItems, TokenWindows

TEXTS = [f"document {number}: we the people" for number in range(50)]
LONG = [f"{text} {'of the United States ' * 100}".rstrip() for text in TEXTS]
LARGE = ["x" * 1000 + str(number) for number in range(20_000)]
SIZE = sum(map(len, LARGE))
"""Bytes."""
"""20 MB."""


def write_file(table, path):
    with pa.ipc.new_file(str(path), table.schema) as file:
        file.write_table(table, max_chunksize=7)


def write_stream(table, path):
    with pa.ipc.new_stream(str(path), table.schema) as stream:
        stream.write_table(table, max_chunksize=7)


def write_parquet(table, path):
    pq.write_table(table, path, row_group_size=7)


WRITERS = {
    "file.arrow": write_file,
    "stream.arrow": write_stream,
    "plain.feather": partial(pa.feather.write_feather, compression="uncompressed", chunksize=7),
    "compressed.FEATHER": partial(pa.feather.write_feather, compression="lz4", chunksize=7),
    "groups.parquet": write_parquet,
}


def table_of(texts, column="text"):
    return pa.table({"number": range(len(texts)), column: texts})


def numbers(n):
    """A source that can only be gone through."""
    yield from range(n)


def loaded(sent):
    return pickle.loads(sent)  # noqa: S301


@pytest.fixture
def arrow(tmp_path):
    """Two files, 50 documents."""
    paths = [tmp_path / "first.arrow", tmp_path / "second.parquet"]
    write_file(table_of(TEXTS[:20]), paths[0])
    write_parquet(table_of(TEXTS[20:]), paths[1])
    return ArrowItems(paths)


@pytest.fixture
def windows(tmp_path):
    np.arange(203, dtype=np.uint16).tofile(tmp_path / "tokens.bin")
    return TokenWindows(tmp_path / "tokens.bin", 4, overlap=1)


@pytest.fixture
def stream(tmp_path):
    """Documents in a file that is read on, a few of them at a time."""
    (tmp_path / "documents.txt").write_text("\n".join(LONG))
    return StreamedItems(partial(read_documents, tmp_path / "documents.txt"), 50)


@pytest.fixture(params=["arrow", "windows", "stream"])
def source(request):
    return request.getfixturevalue(request.param)


EXPECTED = {
    ArrowItems: TEXTS,
    TokenWindows: [list(range(4 * i, 4 * i + 5)) for i in range(50)],
    StreamedItems: LONG,
}


def plain(items):
    """Token ids as lists, anything else as it is."""
    return [item.tolist() if isinstance(item, torch.Tensor) else item for item in items]


def as_vector(item):
    """The first number of an item, four times over."""
    number = (
        int(item.split()[1][:-1]) if isinstance(item, str) else int(item[0]) // 4 if torch.is_tensor(item) else item
    )
    return torch.full((4,), float(number))


class TestAnySource:
    def test_items_are_what_was_written(self, source):
        expected = EXPECTED[type(source)]
        assert len(source) == len(expected) == 50
        assert plain(source) == expected
        assert plain([source[-1], source[-50], source[np.int64(7)]]) == [expected[49], expected[0], expected[7]]

    @pytest.mark.parametrize("index", [50, -51])
    def test_an_item_that_is_not_there_is_an_index_error(self, source, index):
        with pytest.raises(IndexError, match=f"there is no item {index} among 50"):
            source[index]

    @pytest.mark.slow
    @pytest.mark.parametrize(("workers", "context"), [(0, None), (2, "fork")])
    def test_a_loader_gives_every_item_in_order(self, source, workers, context):
        expected = EXPECTED[type(source)]
        assert plain([source[0]]) == expected[:1]
        # A forked worker that read on where this process stands in its file would take what comes below from it.
        loader = DataLoader(source, batch_size=3, collate_fn=list, num_workers=workers, multiprocessing_context=context)
        assert plain(item for batch in loader for item in batch) == expected
        assert plain([source[49]]) == expected[49:]

    @pytest.mark.slow
    def test_a_worker_that_is_spawned_reads_them_all(self, arrow, windows, stream):
        both = {"num_workers": 1, "multiprocessing_context": "spawn"}
        loader = DataLoader(ConcatDataset([arrow, windows, stream]), batch_size=3, collate_fn=list, **both)
        expected = [item for kind in (ArrowItems, TokenWindows, StreamedItems) for item in EXPECTED[kind]]
        assert plain(item for batch in loader for item in batch) == expected

    def test_a_copy_by_pickle_opens_the_files_for_itself(self, source):
        sent = pickle.dumps(source)
        assert plain([source[30]]) == [EXPECTED[type(source)][30]]
        assert pickle.dumps(source) == sent
        assert plain(loaded(sent)) == EXPECTED[type(source)]

    def test_a_worker_with_another_working_directory_finds_the_files(self, source, tmp_path, monkeypatch):
        (tmp_path / "elsewhere").mkdir()
        sent = pickle.dumps(source)
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert plain(loaded(sent)) == EXPECTED[type(source)]

    @pytest.mark.parametrize("workers", [0, 2])
    def test_a_module_is_trained_on_it(self, source, workers, tmp_path):
        class Seeing(lp.LightningModule):
            def __init__(self):
                super().__init__()
                self.layer, self.seen = torch.nn.Linear(4, 1), []

            def training_step(self, batch, batch_index):
                self.seen.extend(batch[:, 0].int().tolist())
                return self.layer(batch).mean()

            def configure_optimizers(self):
                return torch.optim.SGD(self.parameters(), lr=1e-9)

        module = Seeing()
        data = ReinjectionDataModule(
            source, [1000 + i for i in range(10)], mixture=0.5, length=100, batch_size=4, encode=as_vector,
            num_workers=workers,
        )  # fmt: skip
        lp.Trainer(
            max_epochs=1, accelerator="cpu", devices=1, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path,
        ).fit(module, datamodule=data)  # fmt: skip
        assert sorted(number for number in module.seen if number < 1000) == list(range(50))
        assert sum(number >= 1000 for number in module.seen) == 50


@pytest.fixture
def memory():
    """Arrow memory that nothing else has a part in."""
    own = pa.proxy_memory_pool(pa.default_memory_pool())
    others = pa.default_memory_pool()
    pa.set_memory_pool(own)
    yield own
    pa.set_memory_pool(others)


class TestArrowItems:
    @pytest.mark.parametrize("name", WRITERS)
    def test_every_format_gives_its_rows_in_any_order(self, tmp_path, name):
        WRITERS[name](table_of(TEXTS, "speech"), str(tmp_path / name))
        items = ArrowItems(str(tmp_path / name), "speech")
        order = np.random.default_rng(0).permutation(50).tolist()
        assert [items[place] for place in order] == [TEXTS[place] for place in order]

    @pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
    @pytest.mark.parametrize("name", ["file.arrow", "stream.arrow", "groups.parquet"])
    def test_every_type_of_string_is_taken(self, tmp_path, name, kind):
        WRITERS[name](pa.table({"text": pa.array(TEXTS).cast(kind)}), tmp_path / name)
        assert list(ArrowItems(tmp_path / name)) == TEXTS

    def test_files_without_rows_are_passed_over(self, tmp_path):
        parts = {"a.arrow": [], "b.parquet": TEXTS[:3], "c.parquet": [], "d.arrow": TEXTS[3:4]}
        for name, texts in parts.items():
            write = write_file if name.endswith("arrow") else write_parquet
            write(pa.table({"text": pa.array(texts, pa.string())}), tmp_path / name)
        assert list(ArrowItems([tmp_path / name for name in parts])) == TEXTS[:4]

    @pytest.mark.parametrize("name", ["file.arrow", "stream.arrow", "plain.feather"])
    def test_a_file_that_can_be_mapped_is_not_read_into_memory(self, tmp_path, name, memory):
        WRITERS[name](table_of(LARGE), str(tmp_path / name))
        before = memory.bytes_allocated()
        items = ArrowItems(tmp_path / name)
        assert items[19_999] == LARGE[-1]
        assert memory.bytes_allocated() - before < SIZE / 20

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["compressed.FEATHER", "groups.parquet"])
    def test_the_column_of_any_other_file_is_held_once_it_is_asked_for(self, tmp_path, name, memory):
        table = table_of(LARGE)
        for other in range(5):
            table = table.append_column(f"other {other}", [LARGE])
        WRITERS[name](table, str(tmp_path / name))
        before = memory.bytes_allocated()
        items = ArrowItems(tmp_path / name)
        assert memory.bytes_allocated() - before < SIZE / 20
        assert items[19_999] == LARGE[-1]
        held = memory.bytes_allocated() - before
        assert SIZE < held < 1.5 * SIZE
        assert items[0] == LARGE[0]
        assert memory.bytes_allocated() - before == held
        assert memory.max_memory() - before < 3 * SIZE  # with the other columns it would be six

    @pytest.mark.parametrize("name", WRITERS)
    def test_a_row_without_text_is_refused(self, tmp_path, name):
        WRITERS[name](table_of([*TEXTS, None]), str(tmp_path / name))
        with pytest.raises(CorpusError, match=rf"`text` of .*{name} must hold a text in every row, but 1 of 51 rows"):
            ArrowItems(tmp_path / name)[0]

    @pytest.mark.parametrize("name", WRITERS)
    def test_a_column_that_is_not_there_or_holds_no_strings_is_refused(self, tmp_path, name):
        WRITERS[name](table_of(TEXTS), str(tmp_path / name))
        with pytest.raises(
            CorpusError, match="must have a column `texts`, but has none of that name: did you mean `text`"
        ):
            ArrowItems(tmp_path / name, "texts")
        with pytest.raises(CorpusError, match=r"column `number` of .* must hold strings, but it holds int64"):
            ArrowItems(tmp_path / name, "number")

    @pytest.mark.parametrize("name", ["a.arrow", "a.feather", "a.parquet"])
    @pytest.mark.parametrize("content", [b"", b"not at all" * 10])
    def test_a_file_of_another_format_is_refused(self, tmp_path, name, content):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CorpusError, match=r"must be a (Arrow IPC|Parquet) file, but it cannot be read as one"):
            ArrowItems(tmp_path / name)

    def test_texts_that_are_not_utf_8_are_refused(self, tmp_path):
        bad = pa.Array.from_buffers(
            pa.string(), 1, [None, pa.array([0, 1], pa.int32()).buffers()[1], pa.py_buffer(b"\xff")]
        )
        write_file(pa.table({"text": bad}), tmp_path / "a.arrow")
        with pytest.raises(CorpusError, match=r"a.arrow must hold UTF-8 texts, but one is not"):
            ArrowItems(tmp_path / "a.arrow")[0]

    def test_invalid_paths_are_refused(self, tmp_path):
        write_parquet(table_of([]).cast(pa.schema({"number": pa.int64(), "text": pa.string()})), tmp_path / "a.parquet")
        (tmp_path / "a.txt").write_text("a document")
        for paths, message in [
            ([], "`paths` must name at least one file, but got none"),
            (7, "`paths` must be a path, but got a int"),
            ([tmp_path / "a.parquet", None], "`paths` must be a path, but got a NoneType"),
            (tmp_path / "a.parque", "`paths` must be a file, but .* does not exist: did you mean `a.parquet`"),
            (tmp_path / "no" / "a.parquet", "`paths` must be a file, but .* does not exist: there are none"),
            (tmp_path, "`paths` must be a file, but .* is a directory"),
            (tmp_path / "a.txt", r"`paths` must be .arrow, .feather or .parquet files, but got .*a.txt"),
            (tmp_path / "a.parquet", "`paths` must hold at least one document, but the files have no rows"),
        ]:
            with pytest.raises(InputError, match=message):
                ArrowItems(paths)

    @pytest.mark.parametrize("name", ["file.arrow", "groups.parquet"])
    def test_a_file_that_has_changed_since_is_refused(self, tmp_path, name):
        WRITERS[name](table_of(TEXTS), tmp_path / name)
        sent = pickle.dumps(ArrowItems(tmp_path / name))
        WRITERS[name](table_of(TEXTS[:20]), tmp_path / name)
        with pytest.raises(InputError, match=rf"{name} must not change while it is in use, but its size went from"):
            loaded(sent)[0]


class TestTokenWindows:
    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "<u4", ">i4", "int64", np.uint16])
    @pytest.mark.parametrize(("window", "overlap"), [(7, 0), (7, 1), (1, 0), (100, 0), (99, 1), (3, 5)])
    def test_items_are_slices_of_the_tokens(self, tmp_path, dtype, window, overlap):
        tokens = np.random.default_rng(0).integers(0, 200, 100).astype(dtype)
        tokens.tofile(tmp_path / "tokens.bin")
        np.save(tmp_path / "tokens.npy", tokens)
        ids = tokens.tolist()
        expected = [ids[start : start + window + overlap] for start in range(0, 100 - window - overlap + 1, window)]
        for items in (
            TokenWindows(tmp_path / "tokens.bin", window, dtype=dtype, overlap=overlap),
            TokenWindows(str(tmp_path / "tokens.npy"), window, overlap=overlap),
        ):
            assert len(items) == len(expected)
            assert [item.tolist() for item in items] == expected
            assert items[0].dtype == torch.int64

    def test_a_header_is_passed_over(self, tmp_path):
        (tmp_path / "tokens.bin").write_bytes(b"header" + np.arange(8, dtype=np.uint32).tobytes())
        items = TokenWindows(tmp_path / "tokens.bin", 4, dtype="uint32", offset=6)
        assert [item.tolist() for item in items] == [[0, 1, 2, 3], [4, 5, 6, 7]]

    def test_an_item_may_be_written_to(self, windows):
        windows[0].zero_()
        assert windows[0].tolist() == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"window": 0}, "`window` must be a whole number of at least 1, but got 0"),
            ({"window": 2.5}, "`window` must be a whole number of at least 1, but got 2.5"),
            ({"overlap": -1}, "`overlap` must be a whole number of at least 0, but got -1"),
            ({"offset": -2}, "`offset` must be a whole number of at least 0, but got -2"),
            ({"offset": 1}, r"a multiple of 2 bytes \(uint16\) after `offset`, but .* has 20 and `offset` is 1"),
            ({"offset": 22}, r"a multiple of 2 bytes \(uint16\) after `offset`, but .* has 20 and `offset` is 22"),
            ({"dtype": "int64"}, r"a multiple of 8 bytes \(int64\) after `offset`, but .* has 20 and"),
            ({"dtype": "float32"}, "`dtype` must be a type of whole numbers, but got float32"),
            ({"dtype": "tokens"}, "`dtype` must be a type of whole numbers, but got 'tokens'"),
            ({"window": 11}, "`window` and `overlap` must sum to at most the 10 tokens of .* but got 11 and 0"),
            ({"window": 10, "overlap": 1}, "must sum to at most the 10 tokens of .* but got 10 and 1"),
            ({"offset": 20}, "must sum to at most the 0 tokens of"),
            ({"path": "no-such-file"}, "`path` must be a file, but .* does not exist"),
            ({"path": None}, "`path` must be a path, but got a NoneType"),
        ],
    )
    def test_invalid_arguments_are_refused(self, tmp_path, settings, message):
        np.arange(10, dtype=np.uint16).tofile(tmp_path / "tokens.bin")
        with pytest.raises(InputError, match=message):
            TokenWindows(**{"path": tmp_path / "tokens.bin", "window": 4, **settings})

    @pytest.mark.parametrize(
        ("array", "settings", "message"),
        [
            (np.zeros((5, 4), np.uint16), {}, r"of one dimension, but .* has the shape \(5, 4\)"),
            (np.zeros(20), {}, "`dtype` must be a type of whole numbers, but got float64"),
            (np.array(["a"] * 20, object), {}, "must be a .npy file of token ids, but .* is not"),
            (np.zeros(20, np.uint16), {"offset": 2}, "`offset` must be 0 for a .npy file, .* but got 2"),
            (None, {}, "must be a .npy file of token ids, but .* is not"),
        ],
    )
    def test_an_invalid_numpy_file_is_refused(self, tmp_path, array, settings, message):
        path = tmp_path / "tokens.npy"
        path.write_bytes(b"bare ids") if array is None else np.save(path, array)
        with pytest.raises(InputError, match=message):
            TokenWindows(path, 4, **settings)

    def test_a_file_that_has_changed_since_is_refused(self, windows):
        sent = pickle.dumps(windows)
        windows.path.write_bytes(b"\0" * 100)
        with pytest.raises(InputError, match=r"must not change while it is in use, .* from 406 to 100 bytes"):
            loaded(sent)[0]


class TestStreamedItems:
    def test_it_says_that_it_is_in_order(self):
        assert StreamedItems.in_order is True
        assert not hasattr(ArrowItems, "in_order")

    def test_ascending_items_are_read_in_one_pass_and_others_begin_another(self):
        made = []
        items = StreamedItems(lambda: made.append(numbers(9)) or made[-1], 9)
        assert (items.passes, made) == (0, [])
        assert [items[place] for place in (0, 3, 4, 8)] == [0, 3, 4, 8]
        assert items.passes == len(made) == 1
        assert [items[place] for place in (2, 2, 7)] == [2, 2, 7]
        assert items.passes == len(made) == 3

    def test_no_more_of_the_stream_is_read_than_was_asked_for(self):
        source = numbers(9)
        items = StreamedItems(lambda: source, 9)
        assert items[4] == 4
        assert list(source) == [5, 6, 7, 8]

    def test_an_item_may_be_none(self):
        assert list(StreamedItems(lambda: [None, 1], 2)) == [None, 1]

    def test_passes_are_those_of_the_process(self, stream):
        list(stream)
        assert (stream.passes, loaded(pickle.dumps(stream)).passes) == (1, 0)

    def test_a_stream_that_ends_early_says_how_many_came(self):
        items = StreamedItems(partial(numbers, 7), 10)
        assert items[6] == 6
        for _ in range(2):
            with pytest.raises(InputError, match="ended after 7 of 10: give `length=7`, or a longer stream"):
                items[8]

    def test_an_iterator_that_was_read_before_is_refused(self):
        source = numbers(9)
        items = StreamedItems(lambda: source, 9)
        assert items[4] == 4
        with pytest.raises(InputError, match=r"`make` must return a new iterator each time, but .* read before"):
            items[2]

    @pytest.mark.parametrize(
        ("make", "length", "message"),
        [
            ([1, 2], 2, "`make` must be a function that returns a new iterator, but got a list"),
            (lambda: [1], 0, "`length` must be a whole number of at least 1, but got 0"),
            (lambda: 7, 1, "`make` must return an iterator, but it returned a int"),
        ],
    )
    def test_invalid_arguments_are_refused(self, make, length, message):
        with pytest.raises(InputError, match=message):
            StreamedItems(make, length)[0]


class TestDatasetsOfHuggingFace:
    @pytest.fixture
    def dataset(self):
        return pytest.importorskip("datasets").Dataset.from_dict({"text": TEXTS})

    @pytest.mark.parametrize("workers", [0, 2])
    def test_a_column_of_texts_is_a_source(self, dataset, workers):
        data = ReinjectionDataModule(
            dataset["text"], ["new"] * 50, mixture=0.5, length=100, num_workers=workers, collate_fn=list
        )
        seen = [text for batch in data.train_dataloader() for text in batch]
        assert sorted(seen) == sorted([*TEXTS, *["new"] * 50])

    @pytest.mark.parametrize("workers", [0, 2])
    def test_rows_are_encoded(self, dataset, workers):
        data = ReinjectionDataModule(dataset, mixture=1.0, num_workers=workers, collate_fn=list, encode=text_of)
        seen = [text for batch in data.train_dataloader() for text in batch]
        assert sorted(seen) == sorted(TEXTS)


def text_of(row):
    return row["text"]
