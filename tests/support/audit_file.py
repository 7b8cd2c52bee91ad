"""Reading audit.jsonl as somebody would who does not trust the program that wrote it: the order of
fields, the chain of hashes and the joining of halves are checked from the contract alone."""

import hashlib
import json
from pathlib import Path

from support.waiting import TooLate, wait_until

# DESIGN part 6; `w` names the writer where there are several.
REQUEST_FIELDS = (
    "v seq w time event id connection sandbox capture decision reason rule target request secrets "
    "status alarm prev"
).split()
RESPONSE_FIELDS = (
    "v seq w time event id sandbox status bytes redactions ms error address frames prev"
).split()


class AuditFile:
    def __init__(self, path):
        self.path = Path(path)

    def text(self):
        return self.path.read_text("latin-1") if self.path.exists() else ""

    def lines(self):
        """Whole lines only: a torn last line is still being written."""
        return [line for line in self.text().split("\n")[:-1] if line]

    def records(self, **wanted):
        """Every record whose fields equal `wanted`; `host` looks inside the target, `path` and
        `method` inside the request."""
        parsed = []
        for line in self.lines():
            try:
                parsed.append(json.loads(line))
            except ValueError:
                continue  # a line torn by a kill
        return [record for record in parsed if _matches(record, wanted)]

    def wait_for(self, count=1, seconds=10, **wanted):
        """Waits until at least `count` such records are in the file, and returns them all."""
        try:
            return wait_until(
                lambda: len(found := self.records(**wanted)) >= count and found, seconds
            )
        except TooLate:
            seen = "\n".join(self.lines()[-20:])
            raise TooLate(f"no {count} record(s) with {wanted} in {seconds} s; the last:\n{seen}")

    def one(self, **wanted):
        """The only such record."""
        found = self.wait_for(**wanted)
        assert len(found) == 1, f"expected one record with {wanted}, found {found}"
        return found[0]

    def response_to(self, request):
        return self.one(event="response", id=request["id"])


def _matches(record, wanted):
    flat = dict(record)
    flat["host"] = (record.get("target") or {}).get("host")
    flat["path"] = (record.get("request") or {}).get("path")
    flat["method"] = (record.get("request") or {}).get("method")
    return all(flat.get(key) == value for key, value in wanted.items())


def field_order(line):
    return [key for key, _ in json.loads(line, object_pairs_hook=list)]


def assert_order(line, allowed):
    """Its fields are a sub-sequence of `allowed`."""
    names = field_order(line)
    unknown = [name for name in names if name not in allowed]
    assert not unknown, f"unknown fields {unknown} in {line}"
    assert names == [name for name in allowed if name in names], f"fields out of order: {names}"


def chain_breaks(lines):
    """(line number, why) of every place where a writer's chain of hashes or numbers does not hold.
    `prev` is the SHA-256 of the same writer's previous line, without its newline."""
    breaks = []
    last = {}
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except ValueError:
            breaks.append((number, "not JSON"))
            continue
        writer = record.get("w")
        previous = last.get(writer)
        if previous is None:
            if record.get("prev", "").strip("0") or record["seq"] not in (0, 1):
                breaks.append((number, "the first record of its writer does not say so"))
        else:
            digest = hashlib.sha256(previous[0].encode("latin-1")).hexdigest()
            if record["prev"] != digest:
                breaks.append((number, "prev is not the hash of the previous line"))
            if record["seq"] != previous[1] + 1:
                breaks.append((number, "seq jumps"))
        last[writer] = (line, record["seq"])
    return breaks
