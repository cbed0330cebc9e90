"""Reading YAML files, by PyYAML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import JobsError

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
