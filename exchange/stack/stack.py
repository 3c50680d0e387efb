"""One instance at work: its parts, its set-up, its processes, their restarts and their end.

Everything happens in the thread that calls: the kernel ties a child's life to that thread's.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGKILL, Signals
from tempfile import TemporaryFile
from typing import Self

from exchange.stack.chain import lane_fund, loopback_port
from exchange.stack.environment import (
    URL_OF_PART,
    base_environment,
    operator_environment,
    part_urls,
)
from exchange.stack.errors import StackError
from exchange.stack.folders import secret_file
from exchange.stack.forks import ForkServer
from exchange.stack.instance import REPOSITORY, Instance
from exchange.stack.outside import outside_probe
from exchange.stack.process import Process, Program, leftovers_end
from exchange.stack.processes import PARTS, manage
from exchange.stack.programs import part_programs, row_program, rows_named, steps_named
from exchange.stack.restarts import Restarts

LOG_BYTES_MAX = 16 * 2**20
STEP_TIMEOUT_S = 300


class Stack:
    """Run an instance while the `with` block lasts.

    `processes` are names of processes.ROWS (all by default); `parts` what must run besides what
    these need; `setup` the set-up steps (by default those whose parts run). `urls` name parts that
    run elsewhere, as DATABASE_URL, REDIS_URL and CHAIN_URL; the starting shell's own are read by
    the command line alone. `standby` adds a second engine; `process_env` adds variables to single
    processes. Without `durable` the embedded parts skip fsync: then the death of the host may lose
    data, that of any process never.
    """

    def __init__(
        self,
        name: str,
        *,
        processes: Iterable[str] | None = None,
        parts: Iterable[str] = (),
        setup: Iterable[str] | None = None,
        root: Path | None = None,
        urls: Mapping[str, str] | None = None,
        standby: bool = False,
        process_env: Mapping[str, Mapping[str, str]] | None = None,
        durable: bool = True,
        web_port: int | None = None,
        say: Callable[[str], None] = lambda message: None,
        progress: Callable[[str], AbstractContextManager[object]] = lambda text: nullcontext(),
    ) -> None:
        self.instance = Instance.named(name, root)
        self._rows = rows_named(processes, standby=standby)
        self._in_use = {part for row in self._rows for part in row.needs} | set(parts)
        self._steps = steps_named(setup, self._in_use)
        self._outside = urls or {}
        self._process_env = process_env or {}
        self._durable = durable
        self._say = say
        self._progress = progress
        self._web_port = loopback_port(web_port)
        self._chain_port = loopback_port()
        self.urls = part_urls(self.instance, self._chain_port, self._outside)
        self._programs: dict[str, Program] = {}
        self._processes: dict[str, Process] = {}
        self._restarts = Restarts()
        self._held = ExitStack()

    @property
    def env(self) -> dict[str, str]:
        """The environment in which management commands act on this instance."""
        return {
            **base_environment(self.instance, self.urls),
            **operator_environment(self.instance),
            "NEXUS_WEB_URL": self.web_url,
        }

    @property
    def web_url(self) -> str:
        return f"http://127.0.0.1:{self._web_port}"

    @property
    def names(self) -> list[str]:
        """The parts and processes that run, in the order they started."""
        return list(self._processes)

    def __enter__(self) -> Self:
        self._held.enter_context(self.instance.locked())
        try:
            cleared = leftovers_end(self.instance.pids)
            self.instance.prepare()
            for message in cleared:
                self.say(message)
            self._logs_turn()
            self._forks = self._held.enter_context(
                ForkServer(
                    env=base_environment(self.instance, self.urls),
                    cwd=REPOSITORY,
                    log=self.instance.logs / "forks.log",
                )
            )
            self.instance.environment_file.unlink(missing_ok=True)
            secret_file(self.instance.environment_file, json.dumps(self.env))
            self._start_all()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop everything in reverse order and let the instance go; safe to call twice."""
        try:
            with self._progress("stopping") if self._processes else nullcontext():
                for level in sorted({p.level for p in self._programs.values()}, reverse=True):
                    self._stop([n for n in self._processes if self._programs[n].level == level])
        finally:
            self._held.close()

    def process(self, name: str) -> Process:
        """Return the process `name`, running or ended. Raises StackError if it was not started."""
        if name not in self._processes:
            raise StackError(f"{name} was not started; started are {', '.join(self.names)}")
        return self._processes[name]

    def start(self, name: str, env: Mapping[str, str] | None = None) -> Process:
        """Start `name`, with `env` added this once, and wait until it is ready.

        Raises StackError when it runs already, is not of this run, or does not become ready.
        """
        if name not in self._programs:
            raise StackError(f"{name} is not of this run, which has {', '.join(self._programs)}")
        if name in self._processes and self._processes[name].returncode is None:
            raise StackError(f"{name} runs already as process {self._processes[name].pid}")
        process = self._spawn(name, env)
        self.wait_ready([name])
        return process

    def stop(self, name: str) -> None:
        """Stop `name`, wait for its end, and let it rest until started again."""
        self.process(name)
        self._stop([name])

    def restart(self, name: str) -> Process:
        """Stop `name`, unless it has ended already, and start it again."""
        self.stop(name)
        return self.start(name)

    def kill(self, name: str, number: Signals = SIGKILL) -> int:
        """Send `name` a signal that ends it, wait for the end and return the status."""
        process = self.process(name)
        process.signal(number)
        process.finish()
        return process.wait()

    def manage(
        self, *arguments: str, env: Mapping[str, str] | None = None, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        """Run a management command on this instance and return its output.

        Raises StackError, with what it printed, when it fails and `check` is set.
        """
        argv = manage(*arguments)
        with TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
            process = self._forks.fork(
                argv,
                name=arguments[0],
                env={**self.env, **(env or {})},
                cwd=REPOSITORY,
                death_signal=SIGKILL,
                background=False,
                output=output.fileno(),
                errors=errors.fileno(),
            )
            try:
                status = process.wait(STEP_TIMEOUT_S)
            finally:
                process.send_signal(SIGKILL)
            output.seek(0)
            errors.seek(0)
            done = subprocess.CompletedProcess(argv, status, output.read(), errors.read())
        if check and done.returncode:
            raise StackError(f"manage.py {arguments[0]} failed:\n{done.stdout}{done.stderr}")
        return done

    def wait_ready(self, names: Iterable[str] | None = None) -> None:
        """Wait until the named processes, or all, are ready.

        Raises StackError, with the end of its log, for one that ends or takes too long.
        """
        waiting = list(self._processes if names is None else names)
        while waiting:
            for name in list(waiting):
                if self._is_ready(name):
                    waiting.remove(name)
            if waiting:
                time.sleep(0.02)

    def tend(self) -> None:
        """Start again what has died, with growing delays, and say so; call it often."""
        for name, process in list(self._processes.items()):
            now = time.monotonic()
            if self._restarts.is_planned(name):
                if self._restarts.take(name, now=now):
                    self._revive(name)
            elif process.returncode is not None:
                process.finish()
                delay_s = self._restarts.plan(name, lived_s=now - process.started_at, now=now)
                self.say(f"{name} {_end(process)}; starting it again in {delay_s:g} s")

    def say(self, message: str) -> None:
        """Tell the console and supervisor.log."""
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        with open(self.instance.logs / "supervisor.log", "a") as log:
            log.write(f"{stamp} {message}\n")
        self._say(message)

    def erase(self) -> None:
        """End everything at once, without leaving it in order, and remove the instance."""
        for process in self._processes.values():
            process.signal(process.program.death_signal)
        self.close()
        instance_erase(self.instance)

    def _logs_turn(self) -> None:
        for log in self.instance.logs.glob("*.log"):
            if log.stat().st_size > LOG_BYTES_MAX:
                log.rename(log.with_suffix(".log.1"))

    def _start_all(self) -> None:
        embedded = [p for p in PARTS if p in self._in_use and not self._outside.get(URL_OF_PART[p])]
        programs = part_programs(
            self.instance, embedded, chain_port=self._chain_port, durable=self._durable
        )
        programs += [
            row_program(row, self.instance, self.urls, self._web_port, self._rows)
            for row in self._rows
        ]
        self._programs = {program.name: program for program in programs}
        outside_probe(self._outside)
        if self._steps or any(program.forked for program in programs):
            self._forks.start()
        with self._progress(f"starting {', '.join(embedded)}"):
            self._start_level(0)
            if "chain" in self._in_use:
                lane_fund(self.urls["CHAIN_URL"], self.instance.lane_key)
        if self._steps:
            names = [step.name for step in self._steps]
            with self._progress(f"setting up: {', '.join(names)}"):
                self._set_up(names)
        for level in sorted({program.level for program in programs} - {0}):
            names = [program.name for program in programs if program.level == level]
            with self._progress(f"starting {', '.join(names)}"):
                self._start_level(level)

    def _start_level(self, level: int) -> None:
        names = [p.name for p in self._programs.values() if p.level == level]
        for name in names:
            self._spawn(name)
        self.wait_ready(names)

    def _set_up(self, steps: list[str]) -> None:
        argv = manage("set_up", *steps)
        program = Program(
            name="set_up", argv=argv, env=self.env, level=0, cwd=REPOSITORY, forked=True
        )
        process = self._process(program)
        try:
            status = process.wait(STEP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.finish(0)
            raise StackError(f"set-up took longer than {STEP_TIMEOUT_S} s") from None
        if status:
            raise StackError(f"set-up {_end(process)}:\n{process.log_tail()}")

    def _spawn(self, name: str, env: Mapping[str, str] | None = None) -> Process:
        self._restarts.forget(name)
        extra = {**self._process_env.get(name, {}), **(env or {})}
        process = self._process(replace(self._programs[name], extra_env=extra))
        self._processes[name] = process
        return process

    def _process(self, program: Program) -> Process:
        return Process(
            program,
            log=self.instance.logs / f"{program.name}.log",
            pid_file=self.instance.pids / f"{program.name}.json",
            forks=self._forks,
        )

    def _is_ready(self, name: str) -> bool:
        """Tell whether a process just started is ready. Raises StackError if it will never be."""
        process = self._processes[name]
        if process.returncode is not None:
            raise StackError(f"{name} {_end(process)} before it was ready:\n{process.log_tail()}")
        if process.program.ready():
            process.program.provision()
            return True
        if time.monotonic() > process.started_at + process.program.start_timeout_s:
            limit_s = process.program.start_timeout_s
            raise StackError(f"{name} is not ready after {limit_s} s:\n{process.log_tail()}")
        return False

    def _revive(self, name: str) -> None:
        try:
            self.say(f"{name} runs again as process {self._spawn(name).pid}")
        except (OSError, StackError) as error:
            now = time.monotonic()
            delay_s = self._restarts.plan(name, lived_s=0, now=now)
            self.say(f"{name} cannot start, trying again in {delay_s:g} s: {error}")

    def _stop(self, names: Iterable[str]) -> None:
        stopping = [self._processes[name] for name in names]
        for process in stopping:
            process.signal(process.program.stop_signal)
        for process in stopping:
            if not process.finish():
                self.say(f"{process.program.name} did not stop when asked and was killed")
            self._restarts.forget(process.program.name)
            del self._processes[process.program.name]


def instance_erase(instance: Instance) -> None:
    """End what an earlier run left running, and remove the instance.

    Raises StackError while a supervisor holds it.
    """
    with instance.locked():
        leftovers_end(instance.pids)
        instance.erase()


def _end(process: Process) -> str:
    status = process.returncode
    assert status is not None
    how = f"died of signal {-status}" if status < 0 else f"ended with status {status}"
    return f"{how} (see {process.log})"
