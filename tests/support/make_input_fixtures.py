"""Write the tables that ``test_inputs_fixtures.py`` reads, with the programs that people use.

    python -m venv other && other/bin/pip install pandas pyarrow duckdb
    other/bin/python -m tests.support.make_input_fixtures

LibreOffice must be installed (``soffice``). The files of Excel, Spark and PowerShell are made to the shape
that these programs give them, since they do not run here: Excel's CSV with a ``sep=`` line and cells that
were once in use, Spark's part files with quotes escaped by a backslash, PowerShell's ``Export-Csv`` and
``Out-File`` in UTF-16.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.support.input_fixture_rows import fixture_rows

FOLDER = Path(__file__).parents[1] / "fixtures" / "inputs"
PART = 400
"""Rows in each part file of Spark."""


def quoted(text: str) -> str:
    """A CSV field in quotes."""
    return '"' + text.replace('"', '""') + '"'


def plain(text: str, separators: str) -> str:
    """A CSV field, in quotes only where it needs them."""
    return quoted(text) if any(char in text for char in separators + '"\n') else text


def write_pandas(rows: list[tuple[str, str]]) -> None:
    """With its index, as JSON Lines, and with types of its own."""
    pd: Any = import_module("pandas")
    frame = pd.DataFrame(rows, columns=["id", "text"])
    frame.to_csv(FOLDER / "pandas.csv")
    frame.to_json(FOLDER / "pandas.jsonl", orient="records", lines=True)
    frame["at"] = pd.Timestamp("2026-11-22T17:00:00.123456789")
    frame["kind"] = pd.Categorical(["even", "odd"] * 500)
    frame["took"] = pd.Timedelta("1.5s")
    frame["score"] = [None if number % 7 == 0 else number / 2 for number in range(1000)]
    frame.index += 7
    frame.to_parquet(FOLDER / "pandas.parquet")


def write_duckdb(rows: list[tuple[str, str]]) -> None:
    """As CSV, as JSON, and as Parquet with types that Python does not have."""
    database: Any = import_module("duckdb").connect()
    database.execute("CREATE TABLE t (id VARCHAR, text VARCHAR)")
    database.executemany("INSERT INTO t VALUES (?, ?)", rows)
    database.execute(f"COPY t TO '{FOLDER}/duckdb.csv'")
    database.execute(f"COPY t TO '{FOLDER}/duckdb.json'")
    more = """
        SELECT *, INTERVAL 14 MONTH + INTERVAL 3 DAY + INTERVAL '4.5' SECOND AS span,
            TIMESTAMP_NS '2026-11-22 17:00:00.123456789' AS at, DATE '12026-01-01' AS far,
            12345678901234567890::HUGEINT AS huge, 1.50::DECIMAL(9, 2) AS price,
            'a'::ENUM ('a', 'b') AS kind, uuid '12341234-1234-1234-1234-123412341234' AS uuid,
            '\\xff'::BLOB AS bytes, MAP {'k': 1} AS map, {'a': [DATE '1999-01-02']} AS nested
        FROM t ORDER BY CAST(id[2:] AS INTEGER)
    """
    database.execute(f"COPY ({more}) TO '{FOLDER}/duckdb.parquet'")


def write_libreoffice(rows: list[tuple[str, str]]) -> None:
    """Through a spreadsheet, with semicolons as a German system has them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fields = [("id", "text"), *rows]
        lines = [",".join(map(quoted, row)) for row in fields]
        (folder / "libreoffice.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        profile = f"-env:UserInstallation=file://{folder}/profile"
        reads = "--infilter=Text - txt - csv (StarCalc):44,34,76,1,1/2/2/2"
        convert = ["soffice", profile, "--headless", "--convert-to"]
        spreadsheet = [*convert, "ods", reads, "--outdir", name, str(folder / "libreoffice.csv")]
        subprocess.run(spreadsheet, check=True, stdout=subprocess.DEVNULL)
        form = "csv:Text - txt - csv (StarCalc):59,34,76,1"
        table = [*convert, form, "--outdir", str(FOLDER), str(folder / "libreoffice.ods")]
        subprocess.run(table, check=True, stdout=subprocess.DEVNULL)


def write_excel(rows: list[tuple[str, str]]) -> None:
    """Made to its shape: a mark, a separator's line, and empty columns and rows at the end."""
    lines = ["sep=;", "id;text;;", *(";".join(plain(each, ";") for each in row) + ";;" for row in rows)]
    text = "\r\n".join([*lines, ";;;", ";;;", ""])
    (FOLDER / "excel.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())


def write_spark(rows: list[tuple[str, str]]) -> None:
    """Made to its shape: part files, each with a header, and files that are no rows."""
    folder = FOLDER / "spark"
    folder.mkdir(exist_ok=True)
    (folder / "_SUCCESS").write_bytes(b"")
    (folder / "._SUCCESS.crc").write_bytes(b"crc\0\0\0\2\0\0\0\0\0")
    for part, start in enumerate(range(0, len(rows) + PART, PART)):
        name = f"part-{part:05}-7a1b2c3d-0000-4000-8000-000000000000-c000.csv"
        lines = ["id,text"] if start < len(rows) else []  # one part is empty
        lines += (",".join(map(_as_spark, row)) for row in rows[start : start + PART])
        (folder / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        (folder / f".{name}.crc").write_bytes(b"crc\0\0\0\2\0\x12\x34\x56\x78")


def _as_spark(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"' if any(char in text for char in ',"\n') else text


def write_powershell(rows: list[tuple[str, str]]) -> None:
    """Made to its shape: ``Export-Csv -Encoding Unicode``, and ``ConvertTo-Json`` through ``Out-File``."""
    kind = "#TYPE System.Management.Automation.PSCustomObject"
    lines = [kind, '"id","text"', *(",".join(map(quoted, row)) for row in rows)]
    (FOLDER / "powershell.csv").write_bytes(("\ufeff" + "\r\n".join([*lines, ""])).encode("utf-16-le"))
    objects = [json.dumps({"id": name, "text": text}, ensure_ascii=False) for name, text in rows]
    (FOLDER / "powershell.jsonl").write_bytes(("\ufeff" + "\r\n".join([*objects, ""])).encode("utf-16-le"))


def main() -> None:
    """The command."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = fixture_rows()
    for write in (write_excel, write_spark, write_powershell, write_libreoffice, write_pandas, write_duckdb):
        write(rows)
    size = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file())
    sys.stdout.write(f"{FOLDER}: {size / 1024:.0f} KiB\n")


if __name__ == "__main__":
    main()
