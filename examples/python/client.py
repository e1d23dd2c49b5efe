"""Runs a program on a cluster, by its gRPC API; see README.md.

One run: a session on the stream of `Jobs.Session`. A thread of gRPC's sends what is put into a queue,
and the loop in `run` takes one event after another.
"""

import argparse
import hashlib
import os
import platform
import queue
import sys
import uuid
from pathlib import Path

# What protoc has made of the .proto files; the packages in it import one another from there.
sys.path.insert(0, os.environ.get("GENERATED", str(Path(__file__).parent / "generated")))

import grpc  # noqa: E402
import contents_pb2 as contents  # noqa: E402
import contents_pb2_grpc as contents_grpc  # noqa: E402
import stream_pb2 as stream  # noqa: E402
import stream_pb2_grpc as stream_grpc  # noqa: E402
from maelstrom.v1 import client_pb2 as client  # noqa: E402
from maelstrom.v1 import client_pb2_grpc as client_grpc  # noqa: E402
from maelstrom.v1 import job_pb2 as job  # noqa: E402
from maelstrom.v1 import operator_pb2 as operator  # noqa: E402
from maelstrom.v1 import operator_pb2_grpc as operator_grpc  # noqa: E402

# A message has at most 4 MiB; what a digest takes beside the content is far less than the rest.
BATCH_BYTES_MAX = 3 * 1024 * 1024
PART_BYTES = 1024 * 1024

# The numbers that this client gives to its template and its jobs.
TEMPLATE = 1
WANTED = 1
SLEEPER = 2


class Tree:
    """A directory of this machine as the storage knows it: contents by digest."""

    def __init__(self):
        self.sources = {}

    def add(self, data):
        """Adds a content: bytes, or the path of a file."""
        if isinstance(data, Path):
            with data.open("rb") as file:
                hash = hashlib.file_digest(file, "sha256").hexdigest()
            size = data.stat().st_size
        else:
            hash, size = hashlib.sha256(data).hexdigest(), len(data)
        digest = contents.Digest(hash=hash, size_bytes=size)
        self.sources[hash] = digest, data
        return digest

    def add_directory(self, path):
        directory = contents.Directory()
        for entry in sorted(os.scandir(path), key=lambda entry: os.fsencode(entry.name)):
            if entry.is_symlink():
                directory.symlinks.add(name=entry.name, target=os.readlink(entry.path))
            elif entry.is_dir():
                directory.directories.add(name=entry.name, digest=self.add_directory(entry.path))
            elif entry.is_file():
                digest = self.add(Path(entry.path))
                executable = os.access(entry.path, os.X_OK)
                directory.files.add(name=entry.name, digest=digest, is_executable=executable)
        return self.add(directory.SerializeToString())

    def add_mount_points(self):
        """What is mounted needs something to be mounted on, which the directory may lack."""
        null = contents.FileNode(name="null", digest=self.add(b""))
        empty = self.add(contents.Directory().SerializeToString())
        dev = self.add(contents.Directory(files=[null]).SerializeToString())
        directories = [
            contents.DirectoryNode(name="dev", digest=dev),
            contents.DirectoryNode(name="proc", digest=empty),
        ]
        return self.add(contents.Directory(directories=directories).SerializeToString())


class Storage:
    """The broker's storage of contents."""

    def __init__(self, channel, metadata):
        self.small = contents_grpc.ContentAddressableStorageStub(channel)
        self.large = stream_grpc.ByteStreamStub(channel)
        self.metadata = metadata

    def upload(self, tree, hashes):
        """Uploads some contents of a tree, many small ones at a time."""
        batch, batch_bytes = [], 0
        for hash in hashes:
            digest, source = tree.sources[hash]
            if digest.size_bytes > BATCH_BYTES_MAX:
                parts = self.parts(source, digest)
                written = self.large.Write(parts, metadata=self.metadata)
                if written.committed_size != digest.size_bytes:
                    sys.exit(f"{source}: only {written.committed_size} bytes were taken")
                continue
            if batch_bytes + digest.size_bytes > BATCH_BYTES_MAX:
                self.send(batch)
                batch, batch_bytes = [], 0
            data = source.read_bytes() if isinstance(source, Path) else source
            batch.append(contents.BatchUpdateBlobsRequest.Request(digest=digest, data=data))
            batch_bytes += digest.size_bytes
        self.send(batch)

    def send(self, batch):
        request = contents.BatchUpdateBlobsRequest(requests=batch)
        answer = self.small.BatchUpdateBlobs(request, metadata=self.metadata)
        for response in answer.responses:
            if response.status.code != 0:
                sys.exit(f"{response.digest.hash}: {response.status.message}")

    @staticmethod
    def parts(path, digest):
        name = f"uploads/{uuid.uuid4()}/blobs/{digest.hash}/{digest.size_bytes}"
        offset = 0
        with path.open("rb") as file:
            while data := file.read(PART_BYTES):
                end = offset + len(data)
                yield stream.WriteRequest(
                    resource_name=name,
                    write_offset=offset,
                    finish_write=end == digest.size_bytes,
                    data=data,
                )
                offset = end


def define(tree, directory):
    """A container whose root is the directory; what jobs write is thrown away."""
    as_source = lambda digest: job.Source(  # noqa: E731
        directory=job.Digest(hash=digest.hash, size_bytes=digest.size_bytes)
    )
    trees = [as_source(tree.add_mount_points()), as_source(tree.add_directory(directory))]
    container = job.Container(
        layers=job.Layers(trees=trees, writable=True),
        mounts=[
            job.Mount(mount_point=b"/proc", proc=job.Empty()),
            job.Mount(mount_point=b"/dev/null", device="null"),
        ],
        network=job.NETWORK_LOOPBACK,
        hostname="maelstrom",
        privileges=job.PRIVILEGES_ORDINARY,
    )
    path = job.EnvironmentVariable(name=b"PATH", value=b"/usr/local/bin:/usr/bin:/bin")
    template = job.Template(
        container=container,
        environment=[path],
        working_directory=b"/",
        architecture=platform.machine(),
    )
    return client.DefineTemplate(number=TEMPLATE, template=template)


def a_job(number, program, *arguments):
    requested = job.Job(id=number, template=TEMPLATE, program=os.fsencode(program))
    requested.arguments.extend(os.fsencode(argument) for argument in arguments)
    requested.grace.FromSeconds(5)
    return requested


def outcome(result):
    """How a job ended: an exit code, and a sentence about anything but an exit."""
    match result.WhichOneof("end"):
        case "exited":
            return result.exited, None
        case "signalled":
            return 1, f"signal {result.signalled.number} ended it"
        case "timed_out":
            return 1, "it took too long"
        case "cancelled":
            return 1, "it was cancelled"
        case "infrastructure":
            return 1, f"it could not be run: {result.infrastructure}"
        case other:
            return 1, f"it ended in a way that this program does not know: {other}"


def run(channel, metadata, arguments):
    """Runs the program and cancels another; the program's exit code."""
    tree = Tree()
    template = define(tree, arguments.directory)
    storage = Storage(channel, metadata)
    say = queue.SimpleQueue()
    hello = client.Hello(
        versions=job.Versions(lowest=1, highest=1, release="example"),
        run=uuid.uuid4().bytes,
        # Without it nobody could resume the run, this program included.
        secret=os.urandom(32),
        name=f"example {os.getpid()}",
    )
    say.put(client.ClientMessage(hello=hello))
    say.put(client.ClientMessage(template=template))
    wanted = a_job(WANTED, arguments.program, *arguments.arguments)
    jobs = [wanted, a_job(SLEEPER, "sleep", "3600")]
    say.put(client.ClientMessage(submit=client.Submit(jobs=jobs)))

    results = {}
    session = client_grpc.JobsStub(channel).Session(iter(say.get, None), metadata=metadata)
    for event in session:
        match event.WhichOneof("kind"):
            case "missing":
                # What a directory names is seen only when it is there: this comes again.
                storage.upload(tree, [digest.hash for digest in event.missing.digests])
                uploaded = client.Uploaded(template=event.missing.template)
                say.put(client.ClientMessage(uploaded=uploaded))
            case "started" if event.started.job == SLEEPER:
                cancel = client.Cancel(job=SLEEPER, how=job.STOP_TERMINATE)
                say.put(client.ClientMessage(cancel=cancel))
            case "output":
                to = sys.stderr if event.output.stream == job.STREAM_STDERR else sys.stdout
                to.buffer.write(event.output.data)
                to.flush()
            case "requeued":
                print(f"job {event.requeued.job} begins again: {event.requeued.reason}", file=sys.stderr)
            case "notice":
                print(f"note: {event.notice.text}", file=sys.stderr)
            case "finished":
                number = event.finished.job
                results[number] = event.finished.result
                acknowledge = client.Acknowledge(jobs=[number])
                say.put(client.ClientMessage(acknowledge=acknowledge))
        if len(results) == len(jobs):
            break
    say.put(client.ClientMessage(goodbye=job.Empty()))
    # The end of what this side says; the broker then ends the stream.
    say.put(None)
    for _ in session:
        pass

    for number, name in [(WANTED, arguments.program), (SLEEPER, "sleep")]:
        code, sentence = outcome(results[number])
        print(f"{name}: {sentence or f'exit code {code}'}", file=sys.stderr)
    return outcome(results[WANTED])[0]


def show_status(channel, metadata):
    request = operator.StatusRequest()
    cluster = operator_grpc.OperatorStub(channel).Status(request, metadata=metadata)
    names = ", ".join(worker.name for worker in cluster.workers)
    print(f"{cluster.slots} slots of {len(cluster.workers)} workers: {names}", file=sys.stderr)


def connect(arguments):
    metadata = []
    if arguments.token_file:
        metadata.append(("authorization", "Bearer " + arguments.token_file.read_text().strip()))
    if not arguments.ca:
        return grpc.insecure_channel(arguments.broker), metadata
    read = lambda path: path.read_bytes() if path else None  # noqa: E731
    credentials = grpc.ssl_channel_credentials(
        root_certificates=read(arguments.ca),
        private_key=read(arguments.key),
        certificate_chain=read(arguments.certificate),
    )
    return grpc.secure_channel(arguments.broker, credentials), metadata


def main():
    parser = argparse.ArgumentParser(description="Runs a program on a cluster.")
    parser.add_argument("--ca", type=Path, help="the authority of the broker's certificate")
    parser.add_argument("--token-file", type=Path, help="the file with our token")
    parser.add_argument("--certificate", type=Path, help="our certificate")
    parser.add_argument("--key", type=Path, help="the key of our certificate")
    parser.add_argument("broker", help="HOST:PORT")
    parser.add_argument("directory", type=Path, help="what the container holds")
    parser.add_argument("program", help="what to run in it")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    channel, metadata = connect(arguments)
    with channel:
        try:
            show_status(channel, metadata)
            sys.exit(run(channel, metadata, arguments))
        except grpc.RpcError as error:
            sys.exit(f"{error.code().name}: {error.details()}")


if __name__ == "__main__":
    main()
