"""Files of ratings as people save them, and the result of reading them: the rows, or an error."""

from __future__ import annotations

import gzip
from typing import NamedTuple

HEADER = "userId,movieId,rating,timestamp\n"
CSV = HEADER + "1,31,2.5,1260759144\n2,10,4.0,835355493\n"
JSON = '[{"userId":1,"movieId":31,"rating":2.5,"timestamp":1260759144},{"userId":2,"movieId":10,"rating":4,"timestamp":835355493}]'
NDJSON = JSON[1:-1].replace("},{", "}\n{") + "\n"
ROWS = [(1, 31, 2.5, 1260759144), (2, 10, 4.0, 835355493)]


class Text(NamedTuple):
    what: str
    ending: str
    content: bytes
    says: str = ""
    """The text of the error; empty if the rows are read."""


TEXTS = [
    Text("a UTF-8 byte order mark", "csv", CSV.encode("utf-8-sig")),
    Text("a UTF-8 byte order mark", "json", JSON.encode("utf-8-sig")),
    Text("a UTF-8 byte order mark", "ndjson", NDJSON.encode("utf-8-sig")),
    Text("UTF-16", "csv", CSV.encode("utf-16")),
    Text("UTF-16, big-endian, no mark", "csv", CSV.encode("utf-16-be")),
    Text("UTF-16 and tabs, as Excel's Unicode text", "csv", CSV.replace(",", "\t").encode("utf-16")),
    Text("UTF-16, as PowerShell's >", "json", JSON.encode("utf-16")),
    Text("CR LF", "csv", CSV.replace("\n", "\r\n").encode()),
    Text("CR LF", "ndjson", NDJSON.replace("\n", "\r\n").encode()),
    Text("CR", "csv", CSV.replace("\n", "\r").encode()),
    Text("no last line end", "csv", CSV.rstrip().encode()),
    Text("no last line end", "ndjson", NDJSON.rstrip().encode()),
    Text("empty lines", "csv", CSV.replace("\n", "\n\n").encode() + b"\r\n"),
    Text("empty lines", "ndjson", NDJSON.replace("\n", "\n\n").encode()),
    Text("semicolons", "csv", CSV.replace(",", ";").encode()),
    Text("semicolons and decimal commas", "csv", CSV.replace(",", ";").replace(".", ",").encode()),
    Text("sep=;", "csv", b"sep=;\r\n" + CSV.replace(",", ";").replace("\n", "\r\n").encode()),
    Text("quotes around everything", "csv", b'"userId","movieId","rating","timestamp"\n"1","31","2.5","1260759144"\n"2","10","4.0","835355493"\n'),
    Text("spaces around numbers", "csv", CSV.replace(",", " , ").encode()),
    Text("leading zeros and plus signs", "csv", HEADER.encode() + b"001,31,+2.5,1260759144\n+2,10,4.00,835355493\n"),
    Text("dates with times, UTC", "csv", HEADER.encode() + b"1,31,2.5,2009-12-14 02:52:24\n2,10,4.0,1996-06-21T11:11:33.000Z\n"),
    Text("other names and order, an index, further columns", "csv", b'"",MOVIE_ID,user id,Rating,note,TimeStamp\n0,31,1,2.5,"a, ""b""\nc",1260759144\n1,10,2,4,,835355493\n'),
    Text("gzip of several members", "csv.gz", gzip.compress(CSV[:40].encode()) + gzip.compress(CSV[40:].encode())),
    Text("upper-case ending", "CSV", CSV.encode()),
    Text("spaces and lines between", "json", JSON.replace("},{", "},\n  {").replace(":", ": ").encode()),
    Text("bytes that are no UTF-8", "csv", b"userId,movieId,rating,timestamp,title\n1,2,3.5,4,Am\xe9lie\n", "line 2: found the bytes e9, expected text in UTF-8"),
    Text("too few fields", "csv", CSV.encode() + b"1,2,3.5\n", "line 4: found 3 fields, expected 4"),
    Text("too many fields", "csv", CSV.encode() + b"1,2,3.5,4,5\n", "line 4: found 5 fields, expected 4"),
    Text("too few and too many fields", "csv", HEADER.encode() + b"1,2,3.5\n1,2,3.5,4,5\n", "line 2: found 3 fields, expected 4"),
    Text("too few fields before a column that is not needed", "csv", b"userId,movieId,rating,timestamp,x\n1,2,3.5,4\n", "line 2: found 4 fields, expected 5"),
    Text("a quote that never closes", "csv", CSV.encode() + b'"1,2,3.5,4\n', "is not CSV"),
    Text("a CR amid lines", "csv", CSV.encode() + b"1,2,3.5,4\r5,6,3.5,4\n", "line 4"),
    Text("a null character", "csv", CSV.encode() + b"1\0,2,3.5,4\n", "line 4: found a null character"),
    Text("no header", "csv", b"1,31,2.5,1260759144\n", "line 1: the header lacks the columns userId, movieId, rating, timestamp"),
    Text("a name twice", "csv", b"userId,movieId,rating,timestamp,user_id\n", "line 1: the header has the column userId more than once"),
    Text("an empty file", "csv", b"", "line 1: found no header"),
    Text("separators ::", "csv", b"1::31::2.5::1260759144\n", "line 1: the header lacks"),
    Text("empty cells of a spreadsheet", "csv", CSV.encode() + b",,,\n", "line 4: userId: found '', expected a whole number"),
    Text("thousands separators", "csv", HEADER.encode() + b'"1,193",2,3.5,4\n', "line 2: userId: found '1,193'"),
    Text("other digits", "csv", HEADER.encode() + "\uff11,2,3.5,4\n".encode(), "line 2: userId: found '\uff11'"),
    Text("a date without time", "csv", HEADER.encode() + b"1,2,3.5,2009-12-14\n", "line 2: timestamp: found '2009-12-14'"),
    Text("a plain file called .gz", "csv.gz", CSV.encode(), "cannot be read as ratings in csv: Not a gzipped file"),
    Text("a cut gzip", "json.gz", gzip.compress(JSON.encode())[:-9], "gzip is cut or damaged"),
    Text("a gzip without its ending", "csv", gzip.compress(CSV.encode()), "its name must end in .gz"),
    Text("an Excel workbook", "csv", b"PK\x03\x04rest", "is a zip or an Excel workbook"),
    Text("one object", "json", NDJSON.split("\n")[0].encode(), "expected one array of objects"),
    Text("an object a line", "json", NDJSON.encode(), r"belongs into a file that ends in .ndjson"),
    Text("an array", "ndjson", JSON.encode(), r"line 1 is a JSON array: it belongs into a file that ends in .json"),
    Text("a response of the API", "json", b'{"result":' + JSON.encode() + b',"total":9}', "one page of an API's response"),
    Text("a cut array", "json", JSON.encode()[:-30], "row 2 is cut or not JSON"),
    Text("a comma too many", "json", JSON.encode()[:-1] + b",]", "row 3 is cut or not JSON"),
    Text("text after the array", "json", JSON.encode() + b"x", "expected the end of the array"),
    Text("a cut line", "ndjson", NDJSON.encode()[:-9], "line 2: is not JSON|line 2: is not a JSON object"),
    Text("a key twice", "ndjson", NDJSON.encode() + b'{"userId":1,"userId":2,"movieId":3,"rating":1,"timestamp":4}\n', "line 3: .* has the key 'userId' twice"),
    Text("a key missing", "ndjson", NDJSON.encode() + b'{"userId":1,"movieId":3,"rating":1}\n', "line 3: timestamp: is missing"),
    Text("no object", "json", b"[5]", "row 1 is 5, expected an object"),
]  # fmt: skip
