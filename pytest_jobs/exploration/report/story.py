"""The story of a history: what each delivery did, beside the source lines of the job."""

from __future__ import annotations

import ast
import linecache
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Final

from ...harness.records.record import call_text
from ...harness.records.texts import duration, error_text, shortened
from ..engine.acts import Act
from ..engine.points import AT_LINES, Point, source_text
from ..engine.run import Run
from ..histories.children import Child
from ..histories.exploration import Exploration, Failure
from ..histories.plans import AnyHistory


@dataclass(frozen=True)
class ExecutedLine:
    """One line, as a delivery executed it."""

    filename: str
    function: str
    line: int
    text: str
    #: The index of its point.
    index: int
    #: How many functions of the project have called each other to come to it.
    depth: int
    #: The effects in it, by the index of the point at which each was known.
    done: dict[int, str] = field(default_factory=dict)

    @property
    def place(self) -> tuple[str, str, int]:
        """File, function and line."""
        return self.filename, self.function, self.line

    def within(self, begin: int, end: int) -> ExecutedLine | None:
        """Return the line with its effects between two points; None if it does not lie between them."""
        done = {index: text for index, text in self.done.items() if begin <= index < end}
        return replace(self, done=done) if done or begin <= self.index < end else None


def executed_lines(run: Run, begin: int = 0, end: int | None = None) -> list[ExecutedLine]:
    """Return the lines of the part of a delivery between two points."""
    found: list[ExecutedLine] = []
    stack: list[tuple[str, str]] = []
    pairs = list(zip(run.points, run.point_acts, strict=True))
    for index, (point, act) in enumerate(pairs):
        executed = _line_of(index, point, found, stack)
        if act is None:
            continue
        # Nothing reports when a file has been changed, so its effect counts from the point before it.
        if point.kind == ("before" if act.kind == "file" else "after"):
            remark = " had no effect" if index in run.without_effect else ""
            executed.done[index] = act_text(act) + remark
        elif point.kind == "before" and _failed(act, run.point_acts, index + 1):
            executed.done[index] = f"{act_text(act)} failed"
    last = len(pairs) if end is None else end
    parts = [executed.within(begin, last) for executed in found]
    return [part for part in parts if part is not None]


def act_text(act: Act) -> str:
    return f"{act.kind}: {act.text}"


def _line_of(
    index: int, point: Point, found: list[ExecutedLine], stack: list[tuple[str, str]]
) -> ExecutedLine:
    """Return the executed line of a point, a new one for a new statement.

    A statement of several lines, and a comprehension in one line, is traced again and again.
    """
    place = _place(point.filename, point.function, point.line)
    if point.kind != "line" or (found and found[-1].place == place):
        for executed in reversed(found):
            if executed.place == place:
                return executed
    here = place[:2]
    if here in stack:
        del stack[stack.index(here) + 1 :]
    else:
        stack.append(here)
    # If another tool kept the tracer, no line was reported, and only the effects in it are known.
    text = source_text(place[0], place[2])
    found.append(ExecutedLine(*place, text, index, len(stack) - 1))
    return found[-1]


def _place(filename: str, function: str, line: int) -> tuple[str, str, int]:
    return filename, function, _first_lines(filename).get(line, line)


@lru_cache(maxsize=32)
def _first_lines(filename: str) -> Mapping[int, int]:
    """Return the first lines of the statements of a file, by all lines of simple statements and of headers."""
    try:
        tree = ast.parse("".join(linecache.getlines(filename)))
    except SyntaxError:
        return {}
    first: dict[int, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and not isinstance(node, ast.Match):
            body = getattr(node, "body", None)
            end = body[0].lineno - 1 if body else node.end_lineno or node.lineno
            first.update(dict.fromkeys(range(node.lineno, end + 1), node.lineno))
    return first


def _failed(act: Act, acts: Sequence[Act | None], begin: int) -> bool:
    if act.kind == "file" or begin == len(acts):
        return False
    return not any(acts[index] is act for index in range(begin, len(acts)))


_SOURCE_WIDTH: Final = 56
_NOTE_WIDTH: Final = 56
#: At most so many lines of a delivery are shown, the first and the last half of them.
_ROWS: Final = 10
_NEVER_RAN: Final = 3
_DROPPED: Final = ", and as configured never delivered again"
#: Why a delivery that failed is the last one, by its status.
_LAST: Final[Mapping[str, str]] = {"discarded": " (discarded)", "exhausted": " (no attempts left)"}
_MARKS: Final[Mapping[AnyHistory, str]] = {
    "reply_lost": "the answer is lost",
    "limit_fires": "the time limit is reached",
    "early": "a worker takes what is in the queue",
    "enqueue_unknown": "the answer is lost",
    "commit_unknown": "the answer is lost",
    "callback_fails": "a callback raises",
    "overtaken": "recover runs",
    "lost": "the message is lost",
}
_PAUSING: Final[frozenset[AnyHistory]] = frozenset(("overlap", "lease_expires"))


@dataclass(frozen=True)
class Row:
    """A source line with its effects, or an interruption of the delivery."""

    label: str
    text: str
    note: str = ""
    filename: str = ""


@dataclass(frozen=True)
class Block:
    """A part of a delivery."""

    title: str
    rows: tuple[Row, ...]

    @property
    def course(self) -> tuple[str, tuple[Row, ...]]:
        """Its end and its lines: the same in deliveries that went the same way."""
        return self.title.partition(")")[2], self.rows


def story(failure: Failure, exploration: Exploration, other: str = "") -> str:
    reference = exploration.reference
    if exploration.is_of_call:
        # Nobody delivers the call again.
        blocks = [_called(block) for block in _blocks(failure, reference, other)]
    else:
        blocks = _without_repetitions(_blocks(failure, reference, other))
    blocks += _performed(failure.children)
    rows = [row for block in blocks for row in block.rows]
    width = max((len(row.text) for row in rows if row.note), default=0)
    lines: list[str] = []
    filename = ""
    for block in blocks:
        lines.append(block.title)
        for row in block.rows:
            if row.filename and row.filename != filename:
                filename = row.filename
                lines.append(f"   {Path(filename).name}")
            note = f"  {row.note}" if row.note else ""
            text = row.text.ljust(width) if row.note else row.text
            lines.append(f"{row.label:>6}  {text}{note}".rstrip())
    return "\n".join(lines)


def _called(block: Block) -> Block:
    """Return the delivery of a function that is no job, in words for a call."""
    title = block.title.replace("delivery 1", "the call").replace(", acknowledged", ", returned")
    rows = [replace(row, text=row.text.replace("worker killed", "died", 1)) for row in block.rows]
    return Block(title, tuple(rows))


def _blocks(failure: Failure, reference: Run, other: str) -> list[Block]:
    plan = failure.plan
    first, *later = failure.runs
    blocks: list[Block] = []
    if plan.name in _PAUSING and plan.index is not None and later:
        at_end = plan.point is not None and plan.point.kind == "end"
        blocks += _paused(failure, len(first.points) - 1 if at_end else plan.index)
        del later[0]
    elif first.stopped_at is not None:
        cut = _cut(first.stopped_at, len(first.points) - 1)
        rows = (*_rows(first, end=cut), _killed(first.stopped_at, outage=plan.outage))
        ending = _DROPPED if first.dropped else ""
        blocks.append(Block(f"delivery 1{ending}", (*rows, *_never_ran(reference, cut, first))))
    elif plan.index is not None and plan.point is not None:
        mark = _mark("!", _MARKS.get(plan.name, "an effect fails"), plan.point)
        begin = _rows(first, end=_cut(plan.point, plan.index))
        rest = _rows(first, begin=plan.index + 1)
        blocks.append(Block(f"delivery 1{_ending(first)}", (*begin, mark, *rest)))
    else:
        blocks.append(Block(f"delivery 1{_ending(first)}", _rows(first)))
    if other:
        blocks.append(Block(f"another job, {other}, ran in between", ()))
    return [*blocks, *(_whole(run, failure) for run in later)]


def _performed(children: Sequence[Child]) -> Iterator[Block]:
    """Yield what the jobs did that the job has enqueued: their effects, since their lines are not traced."""
    done: Counter[tuple[str, str]] = Counter()
    for record, run, when in children:
        acts = [act_text(act) for act in run.acts if act.kind != "enqueue" or when == "recover"]
        effects = f"<- {shortened(', '.join(acts), _NOTE_WIDTH)}" if acts else ""
        done[f"{when} {call_text(record)}{_ending(run)}", effects] += 1
    for (title, effects), count in done.items():
        rows = (Row("", "", effects),) if effects else ()
        yield Block(f"{title}, {count} times" if count > 1 else title, rows)


def _paused(failure: Failure, index: int) -> list[Block]:
    first, second = failure.runs[:2]
    cut = _cut(first.points[index], index)
    paused = first.points[index]
    where = _mark("||", "paused", paused, ", while delivery 2 runs")
    begin = Block("delivery 1", (*_rows(first, end=cut), where))
    end = Block(f"delivery 1 goes on{_ending(first)}", _rows(first, begin=cut))
    halt = failure.plan.second
    if halt is None or halt >= len(second.points):
        return [begin, _whole(second, failure), end]
    point = second.points[halt]
    cut = _cut(point, halt)
    where = _mark("||", "paused", point, ", while delivery 1 goes on")
    title = f"delivery 2 ({_circumstances(second, failure)})"
    return [
        begin,
        Block(title, (*_rows(second, end=cut), where)),
        end,
        Block(f"delivery 2 goes on{_ending(second)}", _rows(second, begin=cut)),
    ]


def _whole(run: Run, failure: Failure) -> Block:
    rows = _rows(run)
    if run.stopped_at is not None:
        cut = _cut(run.stopped_at, len(run.points) - 1)
        rows = (*_rows(run, end=cut), _killed(run.stopped_at))
    return Block(f"delivery {run.number} ({_circumstances(run, failure)}){_ending(run)}", rows)


def _cut(point: Point, index: int) -> int:
    """Return the index of the first point that an interrupted delivery did not reach."""
    return index + 1 if point.kind == "after" else index


def _circumstances(run: Run, failure: Failure) -> str:
    gap = duration(timedelta(microseconds=(run.at_ns - failure.runs[0].at_ns) // 1000))
    is_retry = run.delivery is not None and run.delivery.record.retry_of is not None
    cause = "retry of the library" if is_retry else "same arguments"
    is_new = failure.plan.name in ("restart", "late") and failure.plan.index is None
    return f"{cause}, +{gap}{', new process' if is_new else ''}"


def _ending(run: Run) -> str:
    if run.stopped_at is not None:
        return ""
    if run.spinning:
        return ", waited for the other one without end"
    lost = _DROPPED if run.dropped and not run.acknowledged else ""
    if run.error is not None:
        last = "" if run.delivery is None else _LAST.get(run.delivery.status, "")
        last = " (accepted)" if run.accepted and run.acknowledged else last
        return f", failed: {shortened(error_text(run.error), _NOTE_WIDTH)}{last}{lost}"
    return f"{', acknowledged' if run.acknowledged else ', not done'}{lost}"


def _killed(point: Point, *, outage: bool = False) -> Row:
    return _mark("x", "machine gone" if outage else "worker killed", point)


def _mark(label: str, what: str, point: Point, meanwhile: str = "") -> Row:
    """Return the row of an interruption."""
    return Row(label, f"{what} here, {place_text(point)}{meanwhile}", filename=point.filename)


def place_text(point: Point) -> str:
    """Return where a delivery is interrupted: `before line 12 (time 2)`."""
    times = f" (time {point.hit})" if point.hit > 1 else ""
    if point.kind in AT_LINES:
        return f"{AT_LINES[point.kind]} line {point.line}{times}"
    return f"{point.kind} {shortened(point.text, _SOURCE_WIDTH)}{times}"


def _never_ran(reference: Run, index: int, first: Run) -> list[Row]:
    """Return the lines of the clean run after a point that a killed delivery did not come to, and its effects."""
    ran = {line.place for line in executed_lines(first, end=index)}
    left = executed_lines(reference, begin=index)
    fresh = [line for line in left if line.place not in ran]
    wanted = [line for line in left if line.done and line is not next(iter(fresh), None)]
    wanted = [*fresh[:1], *wanted][:_NEVER_RAN]
    rows = []
    for line in left:
        if line in wanted:
            # One that has run before in the delivery lacks only its effects.
            undone = shortened(f"never done: {', '.join(line.done.values())}", _NOTE_WIDTH)
            rows.append(_row(line, undone if line.place in ran else "never ran"))
    return rows


def _rows(run: Run, begin: int = 0, end: int | None = None) -> tuple[Row, ...]:
    """Return the lines of a part of a delivery that show how it went."""
    found = executed_lines(run, begin, end)
    telling = {0, 1, len(found) - 1}
    for position, executed in enumerate(found):
        if executed.done:
            telling |= {position, position - 1}
    shown = {position for position in telling if 0 <= position < len(found)}
    needed = {len(found) - 1}
    if run.origin is not None:
        # The line at which the error of the delivery was raised.
        function, filename, line = run.origin.place
        place = _place(filename, function, line)
        needed.add(max((at for at, each in enumerate(found) if each.place == place), default=-1))
    needed.discard(-1)
    needed |= {caller for position in needed for caller in _callers(found, position)}
    chosen = sorted(shown)
    if len(chosen) > _ROWS:
        half = _ROWS // 2
        chosen = [*chosen[:half], *chosen[-half:]]
    chosen = sorted({*chosen, *needed})
    rows: list[Row] = []
    for before, position in zip([-1, *chosen], chosen, strict=False):
        if position - before == 2:
            rows.append(_row(found[position - 1]))
        elif position - before > 2:
            rows.append(Row("", "..."))
        rows.append(_row(found[position]))
    return tuple(rows)


def _callers(found: Sequence[ExecutedLine], position: int) -> set[int]:
    """Return the positions of the lines that called each other to come to a line."""
    callers = set()
    depth = found[position].depth if found else 0
    for before in range(position - 1, -1, -1):
        if found[before].depth < depth:
            callers.add(before)
            depth = found[before].depth
    return callers


def _row(line: ExecutedLine, note: str = "") -> Row:
    text = shortened("  " * line.depth + (line.text or "(no line of the project)"), _SOURCE_WIDTH)
    done = f"<- {shortened(', '.join(line.done.values()), _NOTE_WIDTH)}" if line.done else ""
    return Row(str(line.line or ""), text, note or done, line.filename)


def _without_repetitions(blocks: Sequence[Block]) -> list[Block]:
    """Replace deliveries that went like the one before them by one line."""
    kept: list[Block] = []
    for _, alike in groupby(blocks, lambda block: block.course if block.rows else id(block)):
        first, *others = alike
        kept.append(first)
        if others:
            names = (block.title.partition(" (")[0] for block in others)
            *some, last = (name.removeprefix("delivery ") for name in names)
            noun = f"deliveries {', '.join(some)} and" if some else "delivery"
            kept.append(Block(f"{noun} {last}, ever later, went the same way", ()))
    return kept
