"""The metadata that depends on where the repository is public: the links of the README, and `[project.urls]`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

#: A link, or a picture, to a file of the repository: `[text](docs/page.md)`.
_LINK = re.compile(r"(!?)\[([^]]*)\]\((?!https?://)([^)]+)\)")
#: A line that has nothing but links.
_NAVIGATION = re.compile(rf"(?m)^{_LINK.pattern}(?: · {_LINK.pattern})*\n\n?")


class CustomMetadataHook(MetadataHookInterface):
    """Reads `home`, the address of the repository; it is empty while there is none."""

    def update(self, metadata: dict[str, Any]) -> None:
        home, tag = self.config["home"], f"v{metadata['version']}"
        text = Path(self.root, "README.md").read_text("utf-8")
        metadata["urls"] = {}
        if home:
            text = _LINK.sub(
                lambda link: (
                    f"{link[1]}[{link[2]}]({home}/{'raw' if link[1] else 'blob'}/{tag}/{link[3]})"
                ),
                text,
            )
            metadata["urls"] = {
                "Source": home,
                "Documentation": f"{home}/blob/{tag}/docs/index.md",
                "Changelog": f"{home}/blob/{tag}/CHANGELOG.md",
                "Issues": f"{home}/issues",
            }
        else:
            # Links that lead nowhere are worse than none: their text stays.
            text = _LINK.sub(r"\2", _NAVIGATION.sub("", text))
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
