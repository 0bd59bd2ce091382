"""Vehicle types of route files: which there are, and of which class each is."""

from collections.abc import Collection, Sequence

from trafficsim.demand.route_file import RouteFile
from trafficsim.demand.trips import DEFAULT_TYPE, VehicleType
from trafficsim.nets.network import CAR
from trafficsim.nets.problems import Problems
from trafficsim.nets.sumo_text import number, shown

OWN_DEFAULT_TYPE = "given_" + DEFAULT_TYPE  # where a file defines SUMO's default type anew
BUILT_IN_TYPES = {  # of SUMO, and their classes
    DEFAULT_TYPE: CAR,
    "DEFAULT_BIKETYPE": "bicycle",
    "DEFAULT_TAXITYPE": "taxi",
    "DEFAULT_RAILTYPE": "rail",
    "DEFAULT_CONTAINERTYPE": "container",
    "DEFAULT_PEDTYPE": "pedestrian",
}


def weight_of(text: str, line: int, problems: Problems) -> float:
    """A probability as written; 0 and a problem where it is none."""
    weight = number(text)
    if not 0 <= weight < 1e9:
        problems.add(line, f"probability is {shown(text)}; give a number from 0")
        return 0.0
    return weight


class VehicleTypes:
    """Types and mixtures of types, as far as files have been read."""

    def __init__(self) -> None:
        self._types: dict[str, VehicleType] = {}
        self._mixtures: dict[str, list[tuple[str, float]]] = {}

    def define(self, file: RouteFile, problems: Problems) -> None:
        """Add those of a file, noting what is wrong with them."""
        for name, attributes, line in file.types:
            own = OWN_DEFAULT_TYPE if name == DEFAULT_TYPE else name
            if not name or own in self._types:
                problems.add(line, f"vType {shown(name)}: no id, or defined before")
            for key, value in attributes.items():
                if value.strip().lower().lstrip("+-") in ("nan", "inf", "infinity"):
                    problems.add(line, f"vType {shown(name)}: {key} is {shown(value)}")
            self._types[own] = VehicleType(own, tuple(attributes.items()))
        mixtures = dict(self._mixtures)
        for mixture in file.type_mixtures:
            options = [
                (option.name, weight_of(option.weight, option.line, problems))
                for option in mixture.options
                if self.is_known(option.name, option.line, problems)
            ]
            if not sum(weight for _, weight in options) > 0:
                problems.add(mixture.line, "vTypeDistribution without a vType")
            mixtures[mixture.name] = options
        self._mixtures = mixtures  # only now: none is part of another

    def is_known(self, name: str, line: int, problems: Problems) -> bool:
        """Whether a type or mixture has that name; a problem if not."""
        known = name in self._types or name in BUILT_IN_TYPES or name in self._mixtures
        if not known:
            problems.add(line, f"vehicle type {shown(name)} is not defined")
        return known

    def options(self, name: str) -> Sequence[tuple[str, float]]:
        """Types that a vehicle of this type or mixture may be of, with weights."""
        return self._mixtures.get(name, [(name, 1.0)])

    def defined_name(self, type_id: str) -> str:
        """The same, but that of a file for SUMO's default type if a file defines it."""
        own = type_id == DEFAULT_TYPE and OWN_DEFAULT_TYPE in self._types
        return OWN_DEFAULT_TYPE if own else type_id

    def class_of(self, type_id: str) -> str:
        """SUMO's vehicle class of a type."""
        known = self._types.get(type_id)
        built_in = BUILT_IN_TYPES.get(type_id, CAR)
        return built_in if known is None else dict(known.attributes).get("vClass", built_in)

    def among(self, names: Collection[str]) -> tuple[VehicleType, ...]:
        """The types with these names, in the order of the files."""
        return tuple(each for name, each in self._types.items() if name in names)
