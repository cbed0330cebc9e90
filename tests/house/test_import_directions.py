"""Imports run downwards only, and third parties stay in their own files."""

from package_modules import (
    PACKAGE,
    Import,
    cycles,
    imports,
    is_ours,
    is_third_party,
    modules,
    room,
)

LAYERS = [
    {"errors"},
    {"core"},
    {"harness", "adapters"},
    {"bridges", "integrations"},
    {"assertions"},
    {"insight", "exploration"},
    {"plugin", "conformance", "types", "__main__"},
]
HEIGHTS = {name: height for height, layer in enumerate(LAYERS) for name in layer}

#: Which rooms or modules may import which third parties; what ends with a dot holds for what is below.
THIRD_PARTIES = {
    "pytest": ("pytest_jobs.plugin.", "pytest_jobs.conformance."),
    "pluggy": ("pytest_jobs.core.",),
    "time_machine": ("pytest_jobs.harness.time.clock",),
    "hypothesis": ("pytest_jobs.exploration.",),
}
#: Where a third party may have a file of its own.
OWN_FILES = (
    "pytest_jobs.bridges.",
    "pytest_jobs.integrations.",
    "pytest_jobs.exploration.worlds.",
    "pytest_jobs.exploration.effects.",
)
#: Modules that cost more than they are worth at start-up.
HEAVY = {
    "asyncio",
    "hypothesis",
    "time_machine",
    "fakeredis",
    "redis",
    "coverage",
    "celery",
    "sqlalchemy",
}

#: Modules that import asyncio at once, and are imported only when a coroutine is run or asyncio is there.
OF_ASYNCIO = {"pytest_jobs.harness.time.loop"}
#: Packages whose flat files are what their rooms stand on.
GROUND_FLOORS = ("pytest_jobs.bridges", "pytest_jobs.exploration.effects")


def lies_in(module: str, places: tuple[str, ...]) -> bool:
    return any(f"{module}.".startswith(place) or module == place for place in places)


def inside(folder: str, module: str) -> str:
    """Return which file or room directly inside a folder a module belongs to; empty if to none."""
    if not module.startswith(f"{folder}."):
        return ""
    return module.removeprefix(f"{folder}.").partition(".")[0]


def modules_that_are_rooms() -> set[str]:
    return {name for name, path in modules().items() if path.name == "__init__.py"}


def test_there_is_something_to_read():
    assert len(modules()) > 60
    assert len(imports()) > 300
    assert Import("pytest_jobs.plugin.guard", "pytest_jobs.harness.jobs", 0, early=False) in [
        Import(found.importer, found.imported, 0, found.early) for found in imports()
    ]


def test_a_module_of_ours_that_is_imported_exists():
    """Late imports too. A type checker is told not to follow some of them, and no test may reach one."""
    missing = [
        str(found)
        for found in imports()
        if is_ours(found.imported) and found.imported not in modules()
    ]

    assert missing == []


def test_every_room_has_its_place():
    rooms = {room(module) for module in modules()} - {""}

    assert rooms <= HEIGHTS.keys()


def test_imports_run_downwards():
    upwards = [
        str(found)
        for found in imports()
        if found.importer != PACKAGE.name
        and is_ours(found.imported)
        and room(found.importer) != room(found.imported)
        and HEIGHTS[room(found.importer)] <= HEIGHTS.get(room(found.imported), len(LAYERS))
    ]

    assert upwards == []


def test_the_package_itself_imports_nothing_at_once():
    early = {
        room(found.imported)
        for found in imports()
        if found.importer == PACKAGE.name and found.early
    }

    assert early - {""} == set()


def test_no_modules_import_each_other():
    """Imports inside functions and under TYPE_CHECKING count as well."""
    edges = {
        (found.importer, found.imported)
        for found in imports()
        if is_ours(found.imported) and PACKAGE.name not in (found.importer, found.imported)
    }

    assert cycles(edges) == []


def test_inside_a_folder_the_rooms_and_files_are_ordered():
    tangled = {}
    for folder in {name.rpartition(".")[0] for name in modules()} - {"", PACKAGE.name}:
        edges = {
            (inside(folder, found.importer), inside(folder, found.imported)) for found in imports()
        }
        found = cycles((a, b) for a, b in edges if a and b and a != b)
        if found:
            tangled[folder] = found

    assert tangled == {}


def test_a_room_imports_no_file_of_the_floor_above():
    """The flat files of a package are its top floor."""
    upwards = [
        str(found)
        for found in imports()
        for folder in [found.imported.rpartition(".")[0]]
        if found.importer.startswith(f"{folder}.")
        and found.importer.rpartition(".")[0] != folder
        and folder != PACKAGE.name
        and modules()[found.imported].name != "__init__.py"
        and folder not in GROUND_FLOORS
        and found.importer not in modules_that_are_rooms()
    ]

    assert upwards == []


def test_a_third_party_is_imported_in_its_place():
    astray = [
        str(found)
        for found in imports()
        for third_party in [found.imported.partition(".")[0]]
        if third_party in THIRD_PARTIES and not lies_in(found.importer, THIRD_PARTIES[third_party])
    ]

    assert astray == []


def test_other_third_parties_have_files_of_their_own():
    astray = [
        str(found)
        for found in imports()
        if is_third_party(found.imported)
        and found.imported.partition(".")[0] not in THIRD_PARTIES
        and not lies_in(found.importer, OWN_FILES)
    ]

    assert astray == []


def test_the_core_imports_the_standard_library_and_pluggy():
    others = {
        found.imported.partition(".")[0]
        for found in imports()
        if room(found.importer) in ("core", "errors") and is_third_party(found.imported)
    }

    assert others == {"pluggy"}


def test_nobody_imports_the_insides_of_pytest():
    assert [
        str(found) for found in imports() if found.imported.partition(".")[0] == "_pytest"
    ] == []


def test_asyncio_is_imported_late():
    early = {
        found.importer
        for found in imports()
        if found.imported.partition(".")[0] == "asyncio"
        and found.early
        and not lies_in(found.importer, OWN_FILES)
    }

    assert early == OF_ASYNCIO


def test_the_modules_that_import_asyncio_are_imported_late():
    early = [
        str(found)
        for found in imports()
        if found.imported in OF_ASYNCIO and found.early and found.importer not in OF_ASYNCIO
    ]

    assert early == []


def test_heavy_modules_are_imported_late():
    early = [
        str(found)
        for found in imports()
        if found.imported.partition(".")[0] in HEAVY - {"asyncio"}
        and found.early
        and not lies_in(found.importer, OWN_FILES)
    ]

    assert early == []


def test_what_imports_a_third_party_at_once_is_imported_late():
    early = [(found.importer, found.imported) for found in imports() if found.early]
    heavy = {
        importer
        for importer, imported in early
        if is_third_party(imported) and lies_in(importer, OWN_FILES)
    }
    while found := {
        importer for importer, imported in early if importer not in heavy and imported in heavy
    }:
        heavy |= found

    assert "pytest_jobs.bridges.celery" in heavy
    assert {module for module in heavy if not lies_in(module, OWN_FILES)} == set()
