"""Which tasks a YAML file of recurring tasks holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...errors import JobsError, ScheduleError

if TYPE_CHECKING:
    import yaml


def read_yaml(text: str, source: str, refusal: type[JobsError]) -> Any:
    """Return what a YAML file says; a key that is there twice is an error.

    Args:
        text: the file.
        source: how messages call it.
        refusal: what is raised when it cannot be read, or PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError:
        raise refusal(
            f'{source} is YAML, which PyYAML reads: pip install "pytest-jobs[recurring]".'
        ) from None
    if "<%" in text:
        raise refusal(
            f"{source} has ERB in it (<% ... %>), which is Ruby and is not evaluated: write the values out."
        )

    class Loader(yaml.SafeLoader):
        """Refuses keys that are there twice, of which PyYAML would take the last."""

        def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
            """Look at the keys as they are written, before those of `<<` join them."""
            node = super().compose_mapping_node(anchor)
            _check_keys(node, source, refusal)
            return node

    try:
        return yaml.load(text, Loader)  # noqa: S506 - it is a SafeLoader
    except yaml.YAMLError as error:
        raise refusal(f"{source} is no YAML: {error}") from None


def _check_keys(node: yaml.MappingNode, source: str, refusal: type[JobsError]) -> None:
    lines: dict[Any, int] = {}
    for key, _ in node.value:
        if not isinstance(key.value, str):  # Of a list or a mapping, which PyYAML refuses as a key.
            continue
        line = key.start_mark.line + 1
        if key.value in lines and key.tag != "tag:yaml.org,2002:merge":
            raise refusal(
                f"{source} has the key {key.value!r} twice, in lines {lines[key.value]} and {line}: rename one, "
                "since only the last would count."
            )
        lines[key.value] = line


def tasks_of(told: object, environment: str | None, source: str) -> Mapping[Any, Any]:
    """Return the tasks of a file by their keys.

    Args:
        told: what the file says: tasks, or environments with tasks below them.
        environment: which of the environments; None when there are none, or one.
        source: how messages call the file.

    Raises:
        ScheduleError: when there is no such environment.
    """
    if told is None or told == {}:
        return {}
    if not isinstance(told, Mapping):
        raise ScheduleError(
            f"{source} holds {told!r}: write tasks, or environments with tasks below them."
        )
    if any(_is_task(value) for value in told.values()):
        return told
    names = ", ".join(str(name) for name in told)
    if environment is None:
        if len(told) > 1:
            raise ScheduleError(
                f"{source} has tasks for several environments: name one of {names}, as in "
                f"environment={next(iter(told))!r}."
            )
        environment = next(iter(told), None)
    if environment not in told:
        raise ScheduleError(f"{source} has no environment {environment!r}: there are {names}.")
    tasks = told[environment]
    if tasks is None:
        return {}
    if not isinstance(tasks, Mapping):
        raise ScheduleError(f"{source}: {environment} holds {tasks!r}: write tasks below it.")
    return tasks


def _is_task(value: object) -> bool:
    words = ("class", "command", "schedule", "cron", "every")
    return isinstance(value, Mapping) and any(word in value for word in words)
