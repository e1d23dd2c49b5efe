//! What other processes of ours and tools hand over: messages of helper processes, what Go's linker
//! has written; and patterns that are held against files and tests.
#![no_main]

use std::os::fd::AsFd;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use maelstrom_container::message::{
    ContainerReply, ContainerRequest, LaunchMode, SpawnerReply, SpawnerRequest, encode, receive,
};
use maelstrom_container::store::{Store, StoreOptions};
use maelstrom_container::sys::socket;
use maelstrom_fuzz::{Parts, file, scratch};
use maelstrom_layer::{LayerBuilder, LayerSpec, PrefixOptions};
use maelstrom_model::error::help_of;
use maelstrom_runners::go::links;
use maelstrom_runners::go::run_pattern::RunPattern;
use serde::Serialize;
use serde::de::DeserializeOwned;

static BUILDER: LazyLock<LayerBuilder> = LazyLock::new(|| {
    let options = StoreOptions {
        root: scratch("store"),
        size_target_bytes: 1 << 20,
    };
    let store = Store::open(&options).expect("a store can be opened");
    let project = scratch("project");
    std::fs::create_dir_all(project.join("b/c")).expect("a directory can be made");
    for name in ["a", "b/a", "b/c/d.rs", "b/{x}"] {
        std::fs::write(project.join(name), name).expect("a file can be written");
    }
    LayerBuilder::new(store, project)
});

fuzz_target!(|data: &[u8]| {
    let mut parts = Parts(data);
    match parts.byte() % 8 {
        0 => message::<ContainerRequest>(parts.0),
        1 => message::<ContainerReply>(parts.0),
        2 => message::<SpawnerRequest>(parts.0),
        3 => message::<SpawnerReply>(parts.0),
        4 => message::<LaunchMode>(parts.0),
        5 => drop(links::is_foreign(&file("binary", parts.0))),
        6 => layer(parts),
        _ => {
            let pattern = parts.text();
            if let Ok(pattern) = RunPattern::parse(&pattern) {
                let test = String::from_utf8_lossy(parts.0);
                drop(pattern.selecting(&test));
                let _ = pattern.leaves_out(&test);
            }
        }
    }
});

fn message<M: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let (here, there) = socket::pair().expect("sockets can be made");
    if socket::send(there.as_fd(), bytes, &[]).is_err() {
        return;
    }
    if let Ok((message, _)) = receive::<M>(here.as_fd()) {
        let again = encode(&message).expect("what was understood can be said");
        socket::send(there.as_fd(), &again, &[]).expect("it is no longer than before");
        receive::<M>(here.as_fd()).expect("what is said is understood");
    }
}

fn layer(mut parts: Parts<'_>) {
    let choice = parts.byte();
    let text = String::from_utf8_lossy(parts.0).into_owned();
    let prefix = PrefixOptions::default();
    let spec = match choice % 2 {
        0 => LayerSpec::Stubs {
            stubs: text.lines().map(str::to_owned).collect(),
        },
        _ => LayerSpec::Glob {
            pattern: text,
            prefix,
        },
    };
    match BUILDER.resolve(&spec) {
        Ok(layer) => drop(layer),
        Err(error) => drop((error.to_string(), help_of(&error))),
    }
}
