"""Tables are read as people keep them, with pandas and without."""

import gzip
import sys

import numpy as np
import pytest

from sklearn_memorize.datasets._labelled_file import DataError, read_labelled
from sklearn_memorize.datasets._table import unique_names


@pytest.fixture(params=["with pandas", "without pandas"])
def pandas_or_not(request, monkeypatch):
    if request.param == "with pandas":
        return pytest.importorskip("pandas")
    monkeypatch.setitem(sys.modules, "pandas", None)
    return None


both = pytest.mark.usefixtures("pandas_or_not")


def read(folder, text, target=None, name="data.csv", **options):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_labelled(path, target, **options)


def rows_of(data):
    """Return the samples as lists, with None for what is missing."""
    return [
        [None if cell is None or cell != cell else cell for cell in row]
        for row in np.asarray(data.X, dtype=object)
    ]


def noted(data, text):
    return any(text in note for note in data.notes)


@both
def test_numbers_texts_and_gaps_are_told_apart(tmp_path, pandas_or_not):
    data = read(tmp_path, "size,color,y\n1.5,red,a\n,blue,b\n-2e1, ,a\nNA,red,b\n")
    assert rows_of(data) == [[1.5, "red"], [None, "blue"], [-20.0, None], [None, "red"]]
    assert data.y.tolist() == ["a", "b", "a", "b"]
    if pandas_or_not is None:
        assert (data.numbers, data.categories) == ([0], [1])
        assert noted(data, "pandas is not installed")
    else:
        assert (data.numbers, data.categories) == (["size"], ["color"])
    assert data.has_gaps
    assert noted(data, "missing numbers are set to the mean, and marked: size (2)")
    assert noted(data, "missing texts are a category of their own: color (1)")
    assert noted(data, "the target is the last column, 'y'")


@both
@pytest.mark.parametrize("missing", ["", " ", "?", "NA", "N/A", "nan", "NULL", "<NA>"])
def test_all_ways_to_write_a_gap_are_one(missing, tmp_path):
    data = read(tmp_path, f"a,b,y\n1,2,0\n{missing},3,1\n4,6,1\n")
    assert rows_of(data) == [[1, 2], [None, 3], [4, 6]]


@both
def test_short_lines_are_filled_and_long_ones_refused(tmp_path):
    data = read(tmp_path, "y,a,b\n0,1,2\n1,3\n\n1,2,2\n", "y")
    assert rows_of(data) == [[1, 2], [3, None], [2, 2]]
    with pytest.raises(DataError, match="not a table"):
        read(tmp_path, "y,a\n0,1\n1,3,4\n")


@both
def test_quotes_keep_separators_in_a_cell(tmp_path):
    text = 'a,b,y\n"x, y",1,0\n"say ""no""",2,1\n"two\nlines",2,1\n'
    found = [row[0] for row in rows_of(read(tmp_path, text))]
    assert found == ["x, y", 'say "no"', "two\nlines"]


@both
@pytest.mark.parametrize("pack", [gzip.compress, bytes], ids=["gz", "plain"])
@pytest.mark.parametrize("ending", [".csv", ".tsv"])
def test_packed_files_are_read_as_plain_ones(pack, ending, tmp_path):
    separator = "\t" if ending == ".tsv" else ","
    text = "\ufeffa,b,y\n1,x,0\n2,z,1\n1,z,0\n".replace(",", separator)
    path = tmp_path / f"some.data{ending}{'.gz' if pack is gzip.compress else ''}"
    path.write_bytes(pack(text.encode()))
    data = read_labelled(path, "y")
    assert rows_of(data) == [[1, "x"], [2, "z"], [1, "z"]]
    assert data.name == "some.data"


@both
def test_semicolons_separate_and_commas_are_decimal_there(tmp_path):
    data = read(tmp_path, "a;b;y\n1,5;2;0\n3;4,25;1\n0;0,5;1\n")
    assert rows_of(data) == [[1.5, 2], [3, 4.25], [0, 0.5]]
    assert noted(data, "semicolons")


@both
@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(b"a,y\n1,0\n2,1\n" * 99)[:-9],
        b"a,y\n1,0\n",
        gzip.compress(b"a,y\n1,\xff\n"),
    ],
    ids=["cut", "not packed", "not UTF-8"],
)
def test_damaged_files_are_refused(content, tmp_path):
    path = tmp_path / "data.csv.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not a (whole gzip|text) file"):
        read_labelled(path, None)


IRIS_LIKE = "5.1,3.5,setosa\n4.9,3.0,setosa\n6.3,2.5,virginica\n"
MUSHROOM_LIKE = "p,x,s\ne,x,s\np,f,y\ne,f,s\np,x,y\n"


@both
@pytest.mark.parametrize("text", [IRIS_LIKE, MUSHROOM_LIKE, "1,2\n3,4\n5,6\n"])
def test_a_first_line_of_values_is_a_sample(text, tmp_path):
    data = read(tmp_path, text, keep=[])
    assert len(data.y) == text.count("\n")
    assert noted(data, "no line of names was found: columns are called 'column 1'")
    named = read(tmp_path, text, header="yes")
    assert len(named.y) == text.count("\n") - 1


@both
@pytest.mark.parametrize(
    "text",
    [
        "a,b,y\n1,2,0\n3,4,1\n",
        "0,1,2,y\n1,2,5,u\n3,4,1,v\n",  # names as pandas gives them
        "color,shape,kind\nred,round,u\nblue,flat,v\n",
        ",a,y\n0,3,u\n1,1,v\n2,2,u\n",
        "id,2019,2020,y\nx,1,2,u\nz,3,4,v\n",
    ],
)
def test_a_first_line_of_names_is_none(text, tmp_path):
    data = read(tmp_path, text, "y" if "y" in text.split("\n")[0] else None)
    assert len(data.y) == text.count("\n") - 1
    assert not noted(data, "no line of names")
    with_names = read(tmp_path, text, header="no")
    assert len(with_names.y) == text.count("\n")


@both
def test_numbers_that_are_taken_for_names_are_noted(tmp_path):
    data = read(tmp_path, "0,1,2,y\n1,2,5,u\n3,4,1,v\n")
    assert noted(data, "--header no takes it for a sample")


@both
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("anything", [7, 8, 9, 10]),
        ("id", [40, 10, 30, 20]),
        ("CustomerID", [40, 10, 30, 20]),
        ("user_id", [40, 10, 30, 20]),
        ("", [40, 10, 30, 20]),
        ("Unnamed: 0", [40, 10, 30, 20]),
        ("Index", [40, 10, 30, 20]),
    ],
)
def test_what_numbers_the_rows_is_left_out(name, values, tmp_path):
    rows = [f"{value},{row % 3}.5,{row % 2}\n" for row, value in enumerate(values)]
    text = f"{name},b,y\n" + "".join(rows)
    data = read(tmp_path, text)
    assert data.X.shape == (4, 1)
    name = name or "unnamed 1"
    assert noted(data, f"column {name!r} is left out, for it numbers the rows")
    assert read(tmp_path, text, keep=[name]).X.shape == (4, 2)


@both
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("a", [4, 1, 3, 2]),
        ("grid", [4, 1, 3, 2]),
        ("paid", [4, 1, 3, 2]),
        ("id", [1, 1, 2, 3]),
        ("id", [1.5, 1, 2, 3]),
        ("id", ["", 1, 2, 3]),
    ],
)
def test_other_numbers_are_kept(name, values, tmp_path):
    rows = [f"{value},{row % 3}.5,{row % 2}\n" for row, value in enumerate(values)]
    assert read(tmp_path, f"{name},b,y\n" + "".join(rows)).X.shape == (4, 2)


@both
def test_a_count_that_is_all_there_is_stays(tmp_path):
    data = read(tmp_path, "id,y\n1,0\n2,1\n3,0\n")
    assert rows_of(data) == [[1], [2], [3]]


@both
def test_texts_that_are_all_different_are_left_out(tmp_path):
    rows = [f"letter no. {row},{row % 3},{row % 2}\n" for row in range(30)]
    data = read(tmp_path, "text,b,y\n" + "".join(rows))
    assert data.X.shape == (30, 1)
    assert noted(data, "column 'text' is left out, for it holds 30 different texts")
    kept = read(tmp_path, "text,b,y\n" + "".join(rows), keep=["text"])
    assert kept.X.shape == (30, 2)
    rows = [f"letter no. {row},{row % 2}\n" for row in range(30)]
    with pytest.raises(DataError, match="no column is left to learn from.*different"):
        read(tmp_path, "text,y\n" + "".join(rows))


@both
def test_empty_columns_are_left_out(tmp_path):
    data = read(tmp_path, "a,b,y\n1,,0\n2,,1\n4,,1\n")
    assert rows_of(data) == [[1], [2], [4]]
    assert noted(data, "column 'b' is left out, for it is empty")


@both
def test_a_text_among_many_numbers_is_refused_and_among_few_is_noted(tmp_path):
    rows = [f"{row * row},{row % 2}\n" for row in range(40)]
    with pytest.raises(DataError, match="sample 41, column 'a': 'two' is not a number"):
        read(tmp_path, "a,y\n" + "".join(rows) + "two,1\n")
    data = read(tmp_path, "a,y\n1,0\n2,1\n1,1\nmany,0\n2,0\n")
    assert rows_of(data) == [["1"], ["2"], ["1"], ["many"], ["2"]]
    assert noted(data, "sample 4, column 'a': 'many' is a text, so all values")


@pytest.mark.parametrize("cell", ["1_000", "\uff11", "0x10", "1,5"])
@both
def test_cells_that_only_python_takes_for_numbers_are_texts(cell, tmp_path):
    data = read(tmp_path, f'a,y\n"{cell}",0\n2,1\n')
    assert rows_of(data) == [[cell], ["2"]]


@both
def test_names_are_told_apart(tmp_path):
    data = read(tmp_path, "a,a,b,y\n1,2,x,0\n3,4,x,1\n1,1,z,1\n", "y")
    assert rows_of(data) == [[1, 2, "x"], [3, 4, "x"], [1, 1, "z"]]
    assert unique_names(["a", "a", "a.1", "a"]) == ["a", "a.2", "a.1", "a.3"]


def test_a_column_to_keep_has_to_be_there(tmp_path):
    with pytest.raises(DataError, match="--keep 'z' is none of 'a'"):
        read(tmp_path, "a,y\n1,0\n2,1\n", keep=["z"])


def test_a_broken_pandas_is_noted_and_done_without(tmp_path, monkeypatch):
    (tmp_path / "pandas.py").write_text("raise ValueError('made for another NumPy')")
    monkeypatch.delitem(sys.modules, "pandas", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    data = read(tmp_path, "a,b,y\n1,x,0\n2,z,1\n")
    assert rows_of(data) == [[1, "x"], [2, "z"]]
    assert noted(data, "pandas cannot be imported (made for another NumPy)")


def typed_frame(pd):
    return pd.DataFrame(
        {
            "whole": pd.array([1, None, 3, 5], dtype="Int64"),
            "real": [0.5, 1.5, np.nan, 1.5],
            "flag": [True, False, True, True],
            "word": ["x", None, "x", "z"],
            "level": pd.Categorical(["low", "high", "low", "low"]),
            "day": pd.to_datetime(["2020-01-01", "2020-01-02"] * 2),
            "label": np.array([2**53, 2**53 + 1] * 2),
        }
    )


def assert_typed(data):
    assert rows_of(data) == [
        [1, 0.5, "True", "x", "low", "2020-01-01 00:00:00"],
        [None, 1.5, "False", None, "high", "2020-01-02 00:00:00"],
        [3, None, "True", "x", "low", "2020-01-01 00:00:00"],
        [5, 1.5, "True", "z", "low", "2020-01-02 00:00:00"],
    ]
    assert data.y.tolist() == [2**53, 2**53 + 1] * 2


def test_typed_columns_of_parquet_files_are_read(tmp_path, monkeypatch):
    pd = pytest.importorskip("pandas")
    monkeypatch.setattr(pd, "read_parquet", lambda path: typed_frame(pd))
    assert_typed(read_labelled(tmp_path / "data.parquet", None))


def test_parquet_files_are_read_where_pandas_can(tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    path = tmp_path / "data.parquet"
    typed_frame(pd).to_parquet(path)
    assert_typed(read_labelled(path, "label"))
    typed_frame(pd).set_index("label").to_parquet(path)
    assert_typed(read_labelled(path, "label"))
    path.write_text("a,y\n1,0\n")
    with pytest.raises(DataError, match="not a Parquet file"):
        read_labelled(path, None)


def test_what_reads_parquet_files_is_named_where_it_is_missing(tmp_path, monkeypatch):
    pd = pytest.importorskip("pandas")

    def read_parquet(path):
        raise ImportError("Unable to find a usable engine")

    monkeypatch.setattr(pd, "read_parquet", read_parquet)
    with pytest.raises(DataError, match="pip install pyarrow"):
        read_labelled(tmp_path / "data.parquet", None)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(DataError, match="pandas, and pandas is not installed"):
        read_labelled(tmp_path / "data.parquet", None)
