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
    BrokerClient, ClientOptions, DeviceKind, ExitStatus, JobEvent, JobOutcome, JobRequest,
    JobTemplate, MountKind, OutputStream,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(broker), Some(root), Some(program)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("say: submit HOST:PORT DIRECTORY PROGRAM [ARGUMENT...]".into());
    };
    let broker = broker.to_string_lossy().parse()?;
    let mut client = BrokerClient::connect(&ClientOptions::new(broker)).await?;
    // What is mounted needs something to be mounted on, which the directory may lack.
    let points = tempfile::tempdir()?;
    std::fs::create_dir_all(points.path().join("proc"))?;
    std::fs::create_dir_all(points.path().join("dev"))?;
    std::fs::write(points.path().join("dev/null"), "")?;
    let template = JobTemplate::of_directories([points.path(), Path::new(&root)])
        .mount("/proc", MountKind::Proc)
        .mount("/dev/null", MountKind::Device(DeviceKind::Null))
        .variable("PATH", "/usr/local/bin:/usr/bin:/bin");
    let template = client.define(template);
    let request = arguments.fold(JobRequest::new(program), JobRequest::argument);
    client.submit(&template, request);
    let code = loop {
        match client.next().await? {
            JobEvent::Output { stream, bytes, .. } => match stream {
                OutputStream::Stdout | OutputStream::Joined => {
                    std::io::stdout().write_all(&bytes)?
                }
                OutputStream::Stderr => std::io::stderr().write_all(&bytes)?,
            },
            JobEvent::Discarded { .. } => {}
            JobEvent::Restarted { reason, .. } => eprintln!("it begins again: {reason}"),
            JobEvent::Finished { result, .. } => match result.end {
                JobOutcome::Exited(ExitStatus::Code(code)) => break u8::try_from(code)?,
                JobOutcome::Exited(ExitStatus::Signal { number, .. }) => {
                    eprintln!("signal {number} ended it");
                    break 1;
                }
                JobOutcome::TimedOut | JobOutcome::Cancelled => break 1,
                JobOutcome::Error(message) => return Err(message.into()),
            },
            _ => {}
        }
    };
    client.close().await;
    Ok(ExitCode::from(code))
}
