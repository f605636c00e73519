"""Compares what `csv` and `json` say of the same commands: python3 table.py FILE.csv FILE.json."""
import base64
import csv
import json
import sys

with open(sys.argv[1], newline="", encoding="utf-8") as file:
    rows = list(csv.DictReader(file, strict=True))
with open(sys.argv[2], encoding="utf-8") as file:
    commands = json.load(file)


def payload(row):
    if row["payload_base64"]:
        return base64.b64decode(row["payload_base64"])
    text = row["payload"]
    # what a spreadsheet would take for a formula has a mark
    return (text[1:] if text[:2] in ("'=", "'+", "'-", "'@", "'\t", "'\r") else text).encode()


def bytes_of(value):
    if value is None:
        return b""
    return value["text"].encode() if "text" in value else base64.b64decode(value["base64"])


problems = [] if len(rows) == len(commands) and rows else [f"{len(rows)} rows, {len(commands)} commands"]
for row, command in zip(rows, commands):
    if None in row or None in row.values():
        problems.append(f"{row['seq']}: not as many cells as columns")
    for name in ["session", "time", "verb", "direction", "origin", "account", "version", "server", "error"]:
        if row[name] != command.get(name, ""):
            problems.append(f"{row['seq']}: {name} is {row[name]!r} and {command.get(name)!r}")
    for name in ["seq", "connection", "size", "trid"]:
        if row[name] != str(command.get(name, "")):
            problems.append(f"{row['seq']}: {name} is {row[name]!r} and {command.get(name)!r}")
    if payload(row) != bytes_of(command.get("payload")):
        problems.append(f"{row['seq']}: the payloads differ")
    if json.loads(row["named"] or "{}") != command.get("named", {}):
        problems.append(f"{row['seq']}: the named arguments differ")
    if any(cell[:1] in "=+-@" and not cell.lstrip("-").replace(".", "").isdigit() for cell in row.values() if cell):
        problems.append(f"{row['seq']}: a cell is a formula")
for problem in problems[:50]:
    print(problem)
print(f"{len(rows)} rows, {len(problems)} problems")
sys.exit(1 if problems else 0)
