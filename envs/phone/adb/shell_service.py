"""The services that run command lines: `shell:`, `shell,v2:` and `exec:`."""

import struct
from collections.abc import Callable

from eyehand.envs.phone.adb.packet import Payload
from eyehand.envs.phone.adb.stream import Stream
from eyehand.envs.phone.shell.runner import Shell
from eyehand.envs.phone.shell.system import CommandRecord, PhoneSystem, Sink

V2_HEADER = struct.Struct("<BI")  # id, length (packages/modules/adb/shell_protocol.h)
V2_STDOUT, V2_STDERR, V2_EXIT = 1, 2, 3
NO_INTERACTIVE_SHELL = "the simulated phone has no interactive shell; give a command"

Cut = Callable[[float | None], None]


class Output:
    """What a command writes to: the stream, as the faults let it.

    Args:
        stream: Where the bytes go.
        system: Whose faults apply.
        line: The command line, which `Faults.only_for` looks at.
        cut: Drops the device.
        kind: The packet id of the shell protocol; None sends the bytes as they are.
    """

    def __init__(
        self, stream: Stream, system: PhoneSystem, line: str, cut: Cut, kind: int | None = None
    ) -> None:
        self._stream = stream
        self._system = system
        self._line = line
        self._cut = cut
        self._kind = kind

    def write(self, data: Payload) -> None:
        """Send bytes, or half of them where a fault says so."""
        faults = self._system.faults
        broken = (faults.hang_in_output or faults.drop_in_output) and faults.hits(self._line)
        if not broken:
            self._send(data)
            return
        self._send(memoryview(data)[: len(data) // 2])
        if faults.drop_in_output:
            self._cut(faults.back_after_s)
        self._stream.wait_closed()

    def _send(self, data: Payload) -> None:
        if self._kind is None:
            self._stream.write(data)
            return
        view = memoryview(data)
        most = self._stream.max_payload_bytes - V2_HEADER.size
        for start in range(0, len(view), most):
            piece = view[start : start + most]
            self._stream.write(V2_HEADER.pack(self._kind, len(piece)) + piece)


def run_command(service: str, stream: Stream, system: PhoneSystem, cut: Cut) -> None:
    """Run the command line of a service named "shell:LINE", "shell,v2,...:LINE" or "exec:LINE".

    As in a phone's daemon, errors go between the output wherever the shell protocol is not
    spoken, `exec:` included.

    Raises:
        StreamClosed: the client left before the end.
    """
    options, _, line = service.partition(":")
    with_protocol = "v2" in options.split(",")
    record = CommandRecord(line, "shell,v2" if with_protocol else options.partition(",")[0])
    system.log.append(record)
    if system.faults.hang_in_open and system.faults.hits(line):
        stream.wait_closed()
    stream.accept()
    if system.faults.slow_shell_s and system.faults.hits(line):
        stream.closed.wait(system.faults.slow_shell_s)
    kinds = (V2_STDOUT, V2_STDERR) if with_protocol else (None, None)
    stdout, stderr = (Output(stream, system, line, cut, kind) for kind in kinds)
    status = _run(system, record, stdout, stderr, stream)
    if with_protocol:
        stream.write(V2_HEADER.pack(V2_EXIT, 1) + bytes([status & 0xFF]))


def _run(
    system: PhoneSystem, record: CommandRecord, stdout: Sink, stderr: Sink, stream: Stream
) -> int:
    if not record.line.strip():
        stderr.write(f"{NO_INTERACTIVE_SHELL}\n".encode())
        return 1
    return Shell(system, stdout, stderr, stream.closed).run(record)
