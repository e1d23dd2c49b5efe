//! Runs one program on a cluster, in a container made of a directory of this machine:
//!
//! ```text
//! cargo run --example submit -- localhost:4000 /srv/images/alpine /bin/echo hello
//! ```

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use maelstrom_client::{
    Client, Device, Event, JobEnd, MountKind, Options, Request, Stream, Template,
};
use maelstrom_model::job::ExitStatus;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(broker), Some(root), Some(program)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("say: submit HOST:PORT DIRECTORY PROGRAM [ARGUMENT...]".into());
    };
    let broker = broker.to_string_lossy().parse()?;
    let mut client = Client::connect(&Options::new(broker)).await?;
    // What is mounted needs something to be mounted on, which the directory may lack.
    let points = tempfile::tempdir()?;
    std::fs::create_dir_all(points.path().join("proc"))?;
    std::fs::create_dir_all(points.path().join("dev"))?;
    std::fs::write(points.path().join("dev/null"), "")?;
    let template = Template::of_directories([points.path(), Path::new(&root)])
        .mount("/proc", MountKind::Proc)
        .mount("/dev/null", MountKind::Device(Device::Null))
        .variable("PATH", "/usr/local/bin:/usr/bin:/bin");
    let template = client.define(template);
    let request = arguments.fold(Request::new(program), Request::argument);
    client.submit(&template, request);
    let code = loop {
        match client.next().await? {
            Event::Output { stream, bytes, .. } => match stream {
                Stream::Stdout | Stream::Joined => std::io::stdout().write_all(&bytes)?,
                Stream::Stderr => std::io::stderr().write_all(&bytes)?,
            },
            Event::Discarded { .. } => {}
            Event::Restarted { reason, .. } => eprintln!("it begins again: {reason}"),
            Event::Finished { result, .. } => match result.end {
                JobEnd::Exited(ExitStatus::Code(code)) => break u8::try_from(code)?,
                JobEnd::Exited(ExitStatus::Signal { number, .. }) => {
                    eprintln!("signal {number} ended it");
                    break 1;
                }
                JobEnd::TimedOut | JobEnd::Cancelled => break 1,
                JobEnd::Error(message) => return Err(message.into()),
            },
            _ => {}
        }
    };
    client.close().await;
    Ok(ExitCode::from(code))
}
