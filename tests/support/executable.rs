//! Files that can be executed.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Makes a program of a script. Another process writes it: were it open for writing here, a process
/// that another test starts at this moment would hold it open as well, and nobody could execute it
/// meanwhile (execve(2), ETXTBSY).
pub fn write(path: &Path, text: &str) {
    write_bytes(path, text.as_bytes());
}

/// The same for a program that was compiled.
pub fn write_bytes(path: &Path, bytes: &[u8]) {
    let mut writer = Command::new("sh")
        .args(["-c", "cat > \"$0\" && chmod 755 \"$0\""])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = writer.stdin.take().unwrap();
    stdin.write_all(bytes).unwrap();
    drop(stdin);
    assert!(writer.wait().unwrap().success());
}
