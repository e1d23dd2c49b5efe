//! Suites of tests over TCP: a connection on loopback each, which is what is to be measured.
#![allow(dead_code)] // Each benchmark uses its own part.

use std::fs;
use std::io;
use std::path::Path;

/// Writes a crate of so many tests.
pub fn crate_of_tests(directory: &Path, tests: usize) -> io::Result<()> {
    fs::create_dir(directory.join("src"))?;
    let manifest =
        "[package]\nname = \"tcp\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n";
    fs::write(directory.join("Cargo.toml"), manifest)?;
    let mut source = String::from(RUST);
    for number in 0..tests {
        source.push_str(&format!("#[test]\nfn t{number:04}() {{\n    echo();\n}}\n"));
    }
    fs::write(directory.join("src/lib.rs"), source)
}

/// Writes a Python project of so many tests, with imports that take their time.
pub fn python_project(directory: &Path, tests: usize) -> io::Result<()> {
    fs::write(directory.join("conftest.py"), PYTHON_IMPORTS)?;
    let text = PYTHON.replace("TESTS", &tests.to_string());
    fs::write(directory.join("test_tcp.py"), text)
}

const RUST: &str = r#"
#[cfg(test)]
use std::io::{Read, Write};
#[cfg(test)]
use std::net::{TcpListener, TcpStream};

#[cfg(test)]
fn echo() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    let (mut connection, _) = server.accept().unwrap();
    connection.write_all(b"hello").unwrap();
    drop(connection);
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
}
"#;

const PYTHON_IMPORTS: &str = "import time\n\ntime.sleep(1)\n";

const PYTHON: &str = r#"
import socket

import pytest


@pytest.mark.parametrize("number", range(TESTS))
def test_echo(number):
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as client:
            connection, _ = server.accept()
            connection.sendall(b"hello")
            connection.close()
            assert client.recv(5) == b"hello"
"#;
