"""Maximum matching in a small bipartite graph, and groups of what hangs together.

Both are textbook: augmenting paths (Kuhn 1955), and the transitive closure of "shares one".
"""

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

L = TypeVar("L", bound=Hashable)
R = TypeVar("R", bound=Hashable)
T = TypeVar("T", bound=Hashable)


def maximum_matching(edges: Sequence[tuple[L, R]]) -> tuple[int, ...]:
    """Indices of as many edges as possible of which no two share an end, in order.

    Where there is a choice, edges that stand earlier are tried first.
    """
    from_left: dict[L, list[int]] = {}
    for index, (left, _) in enumerate(edges):
        from_left.setdefault(left, []).append(index)
    taken: dict[R, int] = {}

    def place(left: L, seen: set[R]) -> bool:
        for index in from_left[left]:
            right = edges[index][1]
            if right in seen:
                continue
            seen.add(right)
            if right not in taken or place(edges[taken[right]][0], seen):
                taken[right] = index
                return True
        return False

    for left in from_left:
        place(left, set())
    return tuple(sorted(taken.values()))


def grouped(sets: Iterable[Iterable[T]]) -> dict[T, int]:
    """A group number for each element: two of one set, or of sets that overlap, share it."""
    groups: list[set[T]] = []
    for members in sets:
        joined = set(members)
        apart = []
        for group in groups:
            if group & joined:
                joined |= group
            else:
                apart.append(group)
        groups = [*apart, joined]
    return {member: number for number, group in enumerate(groups) for member in group}
