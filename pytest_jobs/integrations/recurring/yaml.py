"""Configuration files in YAML, and the tasks in a file of recurring tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...errors import JobsError, ScheduleError

if TYPE_CHECKING:
    import yaml


def read_yaml(text: str, source: str, refusal: type[JobsError]) -> Any:
    """Return the content of a YAML file; a key that is there twice is an error.

    Args:
        text: the text of the file.
        source: the name of the file, for messages.
        refusal: the error when it cannot be read, or PyYAML is not installed.
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
        """Refuses keys that are there twice: PyYAML would take the last one."""

        def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
            # Here the keys are as they are written: `construct_mapping` adds those of a `<<`.
            node = super().compose_mapping_node(anchor)
            lines: dict[Any, int] = {}
            for key, _ in node.value:
                if not isinstance(key.value, str):  # A list or a mapping, which PyYAML refuses.
                    continue
                line = key.start_mark.line + 1
                if key.value in lines and key.tag != "tag:yaml.org,2002:merge":
                    raise refusal(
                        f"{source} has the key {key.value!r} twice, in lines {lines[key.value]} and {line}: "
                        "rename one, since only the last would count."
                    )
                lines[key.value] = line
            return node

    try:
        return yaml.load(text, Loader)  # noqa: S506 - it is a SafeLoader
    except refusal:
        raise
    except (yaml.YAMLError, ValueError) as error:
        raise refusal(f"{source} is not a YAML: {error}") from None
    except RecursionError:
        raise refusal(
            f"{source} is nested too deeply: write lists and mappings that a person can read."
        ) from None


def tasks_of(content: object, environment: str | None, source: str) -> Mapping[Any, Any]:
    """Return the tasks of a file by their keys.

    Args:
        content: tasks, or environments with tasks below them.
        environment: which of the environments; None for the only one, or for `production`.
        source: the name of the file, for messages.

    Raises:
        ScheduleError: when there is no such environment.
    """
    if content is None or content == {}:
        return {}
    if not isinstance(content, Mapping):
        raise ScheduleError(
            f"{source} holds {content!r}: write tasks, or environments with tasks below them."
        )
    words = ("class", "command", "schedule", "cron", "every")
    values = [value for value in content.values() if isinstance(value, Mapping)]
    if any(word in value for value in values for word in words):
        return content
    names = ", ".join(str(name) for name in content)
    if environment is None:
        # What recurs for the users of the application; the parts for tests and development are mostly empty.
        environment = next(iter(content)) if len(content) == 1 else "production"
        if environment not in content:
            raise ScheduleError(
                f"{source} has tasks for several environments, and production is not one of them: name one of "
                f"{names}, as in environment={next(iter(content))!r}."
            )
    if environment not in content:
        raise ScheduleError(f"{source} has no environment {environment!r}: there are {names}.")
    tasks = content[environment]
    if tasks is None:
        return {}
    if not isinstance(tasks, Mapping):
        raise ScheduleError(f"{source}: {environment} holds {tasks!r}: write tasks below it.")
    return tasks
