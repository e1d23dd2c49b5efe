//! What brokers, workers and clients say to one another, turned into our types and back.
#![no_main]

use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use maelstrom_fuzz::Parts;
use maelstrom_wire::error::WireError;
use maelstrom_wire::v1::{self, client_message, session_event, worker_message, worker_order};
use maelstrom_wire::{from_proto, to_proto, versions};
use prost::Message;

fuzz_target!(|data: &[u8]| {
    let mut parts = Parts(data);
    match parts.byte() % 6 {
        0 => {
            if let Ok(message) = v1::Template::decode(parts.part()) {
                let template = template(&message);
                if let (Some(template), Ok(message)) = (template, v1::Job::decode(parts.0)) {
                    drop(from_proto::job(&message, &template));
                }
            }
        }
        1 => {
            if let Ok(message) = v1::JobResult::decode(parts.0) {
                result(&message);
            }
        }
        2 => client(parts.0),
        3 => session(parts.0),
        4 => worker(parts.0),
        _ => order(parts.0),
    }
});

fn template(message: &v1::Template) -> Option<from_proto::TemplateSpec> {
    let template = from_proto::template(message).ok()?;
    let mut places = Vec::new();
    let spec = from_proto::container(&template.container, |source| {
        places.push(source);
        Ok::<_, WireError>(PathBuf::from(format!("/place/{}", places.len())))
    });
    let spec = spec.expect("what was checked is right");
    // What is understood can be said again.
    let again = to_proto::container(&spec, &mut |_: &Path| Ok(v1::Source::default()));
    again.expect("what came by the wire can go by the wire");
    Some(template)
}

fn result(message: &v1::JobResult) {
    if let Ok(result) = from_proto::job_result(message) {
        let said = to_proto::result(&result, &Default::default());
        let again = from_proto::job_result(&said).expect("what is said is understood");
        assert_eq!(to_proto::result(&again, &Default::default()), said);
    }
}

fn client(data: &[u8]) {
    use client_message::Kind;
    match v1::ClientMessage::decode(data)
        .ok()
        .and_then(|message| message.kind)
    {
        Some(Kind::Hello(hello)) => drop(versions::agree(hello.versions.as_ref(), "client")),
        Some(Kind::Submit(submit)) => submit
            .jobs
            .iter()
            .for_each(|job| drop(from_proto::job::rank(job))),
        Some(_) | None => {}
    }
}

fn session(data: &[u8]) {
    use session_event::Kind;
    match v1::SessionEvent::decode(data)
        .ok()
        .and_then(|event| event.kind)
    {
        Some(Kind::Finished(finished)) => {
            if let Some(message) = &finished.result {
                result(message);
            }
        }
        Some(Kind::Missing(missing)) => {
            missing
                .digests
                .iter()
                .for_each(|one| drop(from_proto::digest(one)));
        }
        Some(_) | None => {}
    }
}

fn worker(data: &[u8]) {
    use worker_message::Kind;
    match v1::WorkerMessage::decode(data)
        .ok()
        .and_then(|message| message.kind)
    {
        Some(Kind::Reports(reports)) => {
            for report in &reports.reports {
                match &report.kind {
                    Some(v1::report::Kind::Finished(finished)) => result(finished),
                    Some(v1::report::Kind::Written(written)) => {
                        drop(from_proto::stream(written.stream));
                    }
                    Some(_) | None => {}
                }
            }
        }
        Some(Kind::Register(register)) => {
            drop(versions::agree(register.versions.as_ref(), "worker"));
            drop(from_proto::name16("instance", &register.instance));
        }
        Some(_) | None => {}
    }
}

fn order(data: &[u8]) {
    use worker_order::Kind;
    match v1::WorkerOrder::decode(data)
        .ok()
        .and_then(|order| order.kind)
    {
        Some(Kind::Registered(registered)) => {
            drop(from_proto::optional_duration(registered.lease.as_ref()));
            drop(from_proto::optional_duration(registered.heartbeat.as_ref()));
        }
        Some(Kind::Template(message)) => {
            if let Some(message) = &message.template {
                drop(template(message));
            }
        }
        Some(Kind::Toolbox(question)) => drop(from_proto::job::toolbox(&question.paths)),
        Some(Kind::Stop(stop)) => drop(from_proto::stop(stop.how)),
        Some(_) | None => {}
    }
}
