"""Does to a broker what a client must not be able to do, for so many seconds, by its gRPC API alone.

Each attack is a function that is called again and again by a thread of its own; what it expects to be
refused and is not, is a failure. At the end there is a line for each: how often it was made. The exit
code is 1 if something was not refused.

    hostile.py --ca FILE --token-file FILE --seconds N HOST:PORT DIRECTORY

DIRECTORY has a statically linked `bin/sh`, which the jobs run.
"""

import argparse
import hashlib
import os
import platform
import queue
import socket
import ssl
import struct
import sys
import threading
import time
import uuid
from pathlib import Path

sys.path.insert(0, os.environ["GENERATED"])
sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "python"))

import grpc  # noqa: E402
import client as example  # noqa: E402
import stream_pb2 as stream  # noqa: E402
import stream_pb2_grpc as stream_grpc  # noqa: E402
from maelstrom.v1 import client_pb2 as client  # noqa: E402
from maelstrom.v1 import client_pb2_grpc as client_grpc  # noqa: E402
from maelstrom.v1 import job_pb2 as job  # noqa: E402
from maelstrom.v1 import operator_pb2 as operator  # noqa: E402
from maelstrom.v1 import operator_pb2_grpc as operator_grpc  # noqa: E402
from maelstrom.v1 import worker_pb2 as worker  # noqa: E402
from maelstrom.v1 import worker_pb2_grpc as worker_grpc  # noqa: E402

Code = grpc.StatusCode
REFUSED = {Code.PERMISSION_DENIED, Code.INVALID_ARGUMENT, Code.RESOURCE_EXHAUSTED}
TEMPLATE = example.TEMPLATE
# Addresses of this machine from which nobody else calls.
ELSEWHERE = "127.0.0.66"


class Broker:
    """A broker, and what is shown to it."""

    def __init__(self, arguments):
        self.address = arguments.address
        self.directory = arguments.directory
        self.authority = arguments.ca.read_bytes()
        self.metadata = [("authorization", f"Bearer {arguments.token_file.read_text().strip()}")]

    def channel(self):
        # A connection of its own, not one that others share.
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        return grpc.secure_channel(
            self.address, grpc.ssl_channel_credentials(self.authority), options
        )

    def raw(self, negotiate=True):
        """A connection without gRPC, from another address; with TLS if that is wanted."""
        host, port = self.address.rsplit(":", 1)
        plain = socket.create_connection((host, int(port)), 5, source_address=(ELSEWHERE, 0))
        if not negotiate:
            return plain
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        return context.wrap_socket(plain)


class Session:
    """A run. What is said is sent; events are taken only when they are asked for."""

    def __init__(self, channel, broker, run=None, name="mallory", **more):
        self.say = queue.SimpleQueue()
        versions = job.Versions(lowest=1, highest=1, release="hostile")
        run = uuid.uuid4().bytes if run is None else run
        hello = client.Hello(versions=versions, run=run, name=name, **more)
        self.tell(hello=hello)
        messages = iter(self.say.get, None)
        stub = client_grpc.JobsStub(channel)
        self.events = stub.Session(messages, metadata=broker.metadata)

    def tell(self, **message):
        self.say.put(client.ClientMessage(**message))

    def until(self, kind):
        """The first event of a kind, or the status with which the session ends before."""
        try:
            for event in self.events:
                if event.WhichOneof("kind") == kind:
                    return event
        except grpc.RpcError as error:
            return error.code(), error.details()
        return Code.OK, "the session ended"

    def end(self):
        self.tell(goodbye=job.Empty())
        self.say.put(None)
        try:
            for _ in self.events:
                pass
        except grpc.RpcError:
            pass


class Elsewhere(Exception):
    """Another of these attacks has taken what this one needed: it says nothing."""


def refused(what, answer, *codes, text=""):
    """Fails unless an answer is a refusal of such a kind, and says so."""
    if isinstance(answer, tuple) and answer[0] not in codes and codes:
        if answer[0] in (Code.RESOURCE_EXHAUSTED, Code.UNAVAILABLE):
            raise Elsewhere
    if not isinstance(answer, tuple) or answer[0] not in (codes or REFUSED):
        raise AssertionError(f"{what} was not refused: {str(answer)[:300]}")
    if text not in (answer[1] or ""):
        if answer[0] == Code.RESOURCE_EXHAUSTED and "the most for one client" in answer[1]:
            raise Elsewhere
        raise AssertionError(f"{what} was refused without {text!r}: {answer[1]}")


def called(function, *arguments, **more):
    try:
        return function(*arguments, **more)
    except grpc.RpcError as error:
        return error.code(), error.details()


def skeleton(number, **more):
    container = job.Container(
        skeleton=job.Skeleton(),
        network=job.NETWORK_LOOPBACK,
        hostname="mallory",
        privileges=more.pop("privileges", job.PRIVILEGES_ORDINARY),
        mounts=more.pop("mounts", []),
    )
    template = job.Template(
        container=container,
        working_directory=f"/{number}".encode(),
        architecture=platform.machine(),
        **more,
    )
    return client.DefineTemplate(number=number, template=template)


def takeover(broker):
    """Resumes every run that the status shows, and cancels what may be in it."""
    with broker.channel() as channel:
        status = operator_grpc.OperatorStub(channel).Status(
            operator.StatusRequest(), metadata=broker.metadata
        )
        seen = [one.run for one in status.clients if one.name != "mallory"][:8]
        for run in seen + [bytes(16), os.urandom(16)]:
            session = Session(channel, broker, run, secret=os.urandom(16))
            welcome = session.until("welcome")
            if not isinstance(welcome, tuple) and welcome.welcome.resumed:
                raise AssertionError("another's run was resumed")
            session.tell(cancel=client.Cancel(job=0, how=job.STOP_KILL))
            session.tell(acknowledge=client.Acknowledge(jobs=range(2000)))
            session.end()
        # Its own is resumed with the secret alone.
        run, secret = os.urandom(16), os.urandom(32)
        first = Session(channel, broker, run, secret=secret)
        first.until("welcome")
        for other in [{}, {"secret": os.urandom(32)}, {"secret": secret[:16]}]:
            answer = Session(channel, broker, run, **other).until("welcome")
            refused("a run with another secret", answer, Code.PERMISSION_DENIED)
        first.end()


def roles(broker):
    """Does what is for workers and operators."""
    with broker.channel() as channel:
        versions = job.Versions(lowest=1, highest=1, release="hostile")
        register = worker.Register(
            versions=versions, instance=os.urandom(16), name="far", slots=1000,
            architecture=platform.machine(),
        )  # fmt: skip
        work = worker_grpc.WorkersStub(channel).Work(
            iter([worker.WorkerMessage(register=register)]), metadata=broker.metadata
        )
        refused("a worker's place", called(next, work), Code.PERMISSION_DENIED)
        stub = operator_grpc.OperatorStub(channel)
        for call, request in [
            (stub.Drain, operator.DrainRequest()),
            (stub.Stop, operator.StopRequest(workers=True)),
        ]:
            answer = called(call, request, metadata=broker.metadata)
            refused("an operator's order", answer, Code.PERMISSION_DENIED)


def toolboxes(broker):
    """300 templates with 300 toolboxes."""
    with broker.channel() as channel:
        session = Session(channel, broker)
        for number in range(300):
            path = job.ToolboxPath(path=b"/usr", identity=os.urandom(32))
            session.tell(template=skeleton(number, toolbox=[path]))
            session.tell(submit=client.Submit(jobs=[job.Job(id=number, template=number, program=b"x")]))
        refused("300 toolboxes", session.until("nothing"), Code.RESOURCE_EXHAUSTED, text="toolboxes")
        session.end()


def templates(broker):
    """100 MB of templates, and again."""
    with broker.channel() as channel:
        session = Session(channel, broker)
        for number in range(100):
            value = os.urandom(500).hex().encode() * 100
            large = [job.EnvironmentVariable(name=b"%d" % n, value=value) for n in range(10)]
            session.tell(template=skeleton(number, environment=large))
        refused("100 MB of templates", session.until("nothing"), Code.RESOURCE_EXHAUSTED,
                text="bytes of templates")  # fmt: skip
        session.end()


def files_of_workers(broker):
    """What a worker has and would not call its toolbox."""
    with broker.channel() as channel:
        session = Session(channel, broker)
        for number, path in enumerate([b"/root", b"/etc/shadow", b"/var/lib", b"/proc/1/environ"]):
            mount = job.Mount(mount_point=b"/seen", read_only=job.Source(toolbox=path))
            tool = job.ToolboxPath(path=path, identity=hashlib.sha256(b"").digest())
            session.tell(template=skeleton(number, toolbox=[tool], mounts=[mount]))
            session.tell(submit=client.Submit(jobs=[job.Job(id=number, template=number, program=b"/x")]))
            event = session.until("finished")
            if isinstance(event, tuple):
                refused("a worker's file", event)
                break
            if event.finished.result.WhichOneof("end") != "infrastructure":
                raise AssertionError(f"a worker's {path} was shown: {event}")
        session.end()


def privileges(broker):
    """Everything that a job may do."""
    with broker.channel() as channel:
        session = Session(channel, broker)
        session.tell(template=skeleton(1, privileges=job.PRIVILEGES_FULL))
        session.tell(submit=client.Submit(jobs=[job.Job(id=1, template=1, program=b"/x")]))
        event = session.until("finished")
        if isinstance(event, tuple):
            refused("full privileges", event)
        elif event.finished.result.WhichOneof("end") != "infrastructure":
            raise AssertionError(f"full privileges were given: {event}")
        session.end()


def action_results(broker):
    """Overwrites a result."""
    digest = lambda data: (  # noqa: E731
        b"\x0a\x40" + hashlib.sha256(data).hexdigest().encode() + b"\x10" + bytes([len(data)])
    )
    field = lambda number, data: bytes([number << 3 | 2, len(data)]) + data  # noqa: E731
    request = field(2, digest(b"an action")) + field(3, b"\x20\x01")
    with broker.channel() as channel:
        call = channel.unary_unary("/build.bazel.remote.execution.v2.ActionCache/UpdateActionResult")
        answer = called(call, request, metadata=broker.metadata)
        refused("a result", answer, Code.PERMISSION_DENIED)


def uploads(broker):
    """600 uploads that say nothing more."""
    channels = [broker.channel() for _ in range(3)]
    quiet, open_uploads = queue.Queue(), []
    for number in range(600):
        data = struct.pack(">I", number) + os.urandom(12)
        name = f"uploads/{uuid.uuid4()}/blobs/{hashlib.sha256(data).hexdigest()}/16"
        first = stream.WriteRequest(resource_name=name, data=data[:1])

        def parts(first=first):
            yield first
            quiet.get()

        stub = stream_grpc.ByteStreamStub(channels[number % 3])
        open_uploads.append(stub.Write.future(parts(), metadata=broker.metadata))
    deadline, answers = time.monotonic() + 20, []
    while not answers and time.monotonic() < deadline:
        answers = [one for one in open_uploads if one.done()]
    first = answers[0].exception() if answers else None
    answer = first and (first.code(), first.details())
    refused("600 silent uploads", answer, Code.RESOURCE_EXHAUSTED, text="open uploads")
    for one in open_uploads:
        one.cancel()
        quiet.put(None)
    for channel in channels:
        channel.close()


def zstd(blocks):
    """A stream of zstd of few bytes that becomes so many blocks of 128 KiB."""
    parts = [struct.pack("<I", 0xFD2FB528), b"\x00\x58"]
    for number in range(blocks):
        last = number == blocks - 1
        parts.append(struct.pack("<I", (128 << 10) << 3 | 1 << 1 | last)[:3] + b"A")
    return b"".join(parts)


def bombs(broker):
    """A few kilobytes that unpack to a gigabyte, of which a megabyte was announced; and garbage."""
    with broker.channel() as channel:
        stub = stream_grpc.ByteStreamStub(channel)
        for data, size in [(zstd(8192), 1 << 20), (zstd(64), 64 << 17), (os.urandom(5000), 10)]:
            digest = hashlib.sha256(os.urandom(8)).hexdigest()
            name = f"uploads/{uuid.uuid4()}/compressed-blobs/zstd/{digest}/{size}"
            part = stream.WriteRequest(resource_name=name, data=data, finish_write=True)
            answer = called(stub.Write, iter([part]), metadata=broker.metadata)
            refused("what unpacks to something else", answer, Code.INVALID_ARGUMENT)


def trees(broker):
    """A few hundred bytes that describe a million files."""
    with broker.channel() as channel:
        tree = example.Tree()
        empty = tree.add(b"")
        files = [example.contents.FileNode(name=f"{n:03}", digest=empty) for n in range(64)]
        digest = tree.add(example.contents.Directory(files=files).SerializeToString())
        for _ in range(4):
            nodes = [example.contents.DirectoryNode(name=f"{n:03}", digest=digest) for n in range(16)]
            digest = tree.add(example.contents.Directory(directories=nodes).SerializeToString())
        example.Storage(channel, broker.metadata).upload(tree, list(tree.sources))
        layers = job.Layers(trees=[
            job.Source(directory=job.Digest(hash=digest.hash, size_bytes=digest.size_bytes))
        ])  # fmt: skip
        defined = skeleton(1)
        defined.template.container.layers.CopyFrom(layers)
        session = Session(channel, broker)
        session.tell(template=defined)
        refused("a million files", session.until("nothing"), Code.INVALID_ARGUMENT, text="entries")
        session.end()


def prepared(channel, broker, jobs):
    """A session whose jobs run a shell, with everything that they need uploaded."""
    tree = example.Tree()
    template = example.define(tree, broker.directory)
    example.Storage(channel, broker.metadata).upload(tree, list(tree.sources))
    session = Session(channel, broker)
    session.tell(template=template)
    session.tell(submit=client.Submit(jobs=jobs))
    return session


def unread(broker):
    """Jobs that write much, and nobody who reads it; then those that were to be read."""
    script = "i=0; while [ $i -lt 40 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done"
    jobs = [example.a_job(number, "/bin/sh", "-c", script) for number in range(20)]
    jobs += [example.a_job(100 + number, "/bin/sh", "-c", "cat /bin/sh") for number in range(10)]
    with broker.channel() as channel:
        session = prepared(channel, broker, jobs)
        if isinstance(session.until("accepted"), tuple):
            raise Elsewhere
        time.sleep(2)
        session.events.cancel()


def forged(broker):
    """Names that look like lines of a log."""
    lie = "x\nFORGED 2026 ERROR all is lost \u202e\u2028FORGED\x1b[2J"
    with broker.channel() as channel:
        answer = Session(channel, broker, name=lie).until("welcome")
        refused("a name with a line", answer, Code.INVALID_ARGUMENT)
        session = prepared(channel, broker, [example.a_job(1, lie)])
        session.until("finished")
        session.end()


def runs(broker):
    """300 runs at a time."""
    with broker.channel() as one, broker.channel() as two:
        sessions = [Session(one if n % 2 else two, broker) for n in range(300)]
        answers = [session.until("welcome") for session in sessions]
        ends = [answer for answer in answers if isinstance(answer, tuple)]
        refused("300 runs", ends[0] if ends else answers[0], Code.RESOURCE_EXHAUSTED, text="runs")
        for session in sessions:
            session.end()


def is_closed(connection):
    """Whether the other end has closed a connection."""
    connection.settimeout(0.01)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def idle(broker):
    """Connections that say nothing, or only half of what they should."""
    sockets = []
    try:
        for number in range(300):
            sockets.append(broker.raw(negotiate=False))
            if number % 2:
                sockets[-1].sendall(b"\x16\x03\x01\x02\x00\x01")
    except OSError:
        pass
    # A busy broker takes its time to accept them all; longer than a handshake may take, none stays.
    still = list(sockets)
    deadline = time.monotonic() + 40
    while len(still) > 64 and time.monotonic() < deadline:
        still = [one for one in still if not is_closed(one)]
    if len(still) > 64:
        raise AssertionError(f"of {len(sockets)} idle connections {len(still)} were left open")
    for one in sockets:
        one.close()


def frames(broker):
    """Frames that mean nothing, and frames without end."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
    ping = bytes([0, 0, 8, 6, 0, 0, 0, 0, 0]) + bytes(8)
    settings = bytes([0, 0, 6, 4, 0, 0, 0, 0, 0]) + bytes([0, 3, 0, 0, 0, 1])
    resets = b"".join(
        bytes([0, 0, 1, 1, 4]) + struct.pack(">I", number) + b"\x82"
        + bytes([0, 0, 4, 3, 0]) + struct.pack(">I", number) + bytes([0, 0, 0, 8])
        for number in range(1, 4001, 2)
    )  # fmt: skip
    headers = bytes([0, 64, 0, 1, 0]) + struct.pack(">I", 1) + bytes(16384)
    for flood in [ping * 5000, settings * 5000, resets, headers + headers[9:] * 20, os.urandom(50000)]:
        try:
            with broker.raw() as line:
                line.settimeout(1)
                line.sendall(preface + flood)
                while line.recv(65536):
                    pass
        except OSError:
            pass


ATTACKS = [
    takeover, roles, toolboxes, templates, files_of_workers, privileges, action_results, uploads, bombs,
    trees, unread, forged, runs, idle, frames,
]  # fmt: skip


def attack(function, broker, deadline, made, failures):
    while time.monotonic() < deadline or not made[function.__name__]:
        try:
            function(broker)
        except AssertionError as error:
            failures.append(f"{function.__name__}: {error}")
        except grpc.RpcError as error:
            if error.code() in (Code.RESOURCE_EXHAUSTED, Code.UNAVAILABLE):
                continue
            failures.append(f"{function.__name__}: {error.code()}: {error.details()}")
        except Elsewhere:
            continue
        except (Exception, SystemExit) as error:
            failures.append(f"{function.__name__}: {error!r}")
        made[function.__name__] += 1
        if failures:
            return


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ca", type=Path, required=True)
    parser.add_argument("--token-file", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--only", default="")
    parser.add_argument("address")
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    broker = Broker(arguments)
    deadline = time.monotonic() + arguments.seconds
    chosen = [one for one in ATTACKS if arguments.only in ("", one.__name__)]
    made, failures = {one.__name__: 0 for one in chosen}, []
    threads = [
        threading.Thread(target=attack, args=(one, broker, deadline, made, failures), daemon=True)
        for one in chosen
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, count in made.items():
        print(f"{name}: {count}")
    for failure in failures:
        print(f"NOT REFUSED {failure}")
    sys.exit(1 if failures else 0)


main()
