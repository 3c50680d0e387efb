"""When a process that died may start again: the more often it dies, the later."""

FIRST_DELAY_S = 0.5
DELAY_MAX_S = 30.0
HEALTHY_AFTER_S = 60.0


class Restarts:
    """Plan one restart a process, with delays that double until a life of HEALTHY_AFTER_S."""

    def __init__(self) -> None:
        self._deaths: dict[str, int] = {}
        self._due: dict[str, float] = {}

    def plan(self, name: str, *, lived_s: float, now: float) -> float:
        """Plan the restart of `name`, which died just now, and return the delay in seconds."""
        deaths = 0 if lived_s >= HEALTHY_AFTER_S else self._deaths.get(name, 0)
        self._deaths[name] = deaths + 1
        delay = min(FIRST_DELAY_S * (1 << min(deaths, 16)), DELAY_MAX_S)
        self._due[name] = now + delay
        return delay

    def is_planned(self, name: str) -> bool:
        return name in self._due

    def take(self, name: str, *, now: float) -> bool:
        """Tell whether the planned restart of `name` is due; if so it counts as carried out."""
        if self._due.get(name, now + 1) > now:
            return False
        del self._due[name]
        return True

    def forget(self, name: str) -> None:
        """Drop a plan: somebody started or stopped `name` on purpose."""
        self._due.pop(name, None)
