//! A broker's journal after somebody or something has scribbled over it, and journals whose records
//! mean nothing.
#![no_main]

use std::sync::LazyLock;
use std::sync::mpsc::channel;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use libfuzzer_sys::fuzz_target;
use maelstrom_cluster::broker::core::{BrokerConfig, BrokerCore, ContentInventory, InventoryCheck};
use maelstrom_cluster::broker::journal::{Journal, JournalEntry, RecoveredRun, RecoveredState};
use maelstrom_cluster::broker::owner::RunOwner;
use maelstrom_cluster::broker::scheduler::BrokerInstant;
use maelstrom_fuzz::{Parts, block_on, scratch};
use maelstrom_wire::from_proto::ContentSource;
use tokio::sync::mpsc::unbounded_channel;

const RUN: [u8; 16] = [7; 16];
const FILE: &str = "journal.redb";

/// A sound journal's bytes.
static SOUND: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let directory = scratch("sound");
    std::fs::create_dir_all(&directory).expect("a directory can be made");
    let (journal, _) = Journal::open(&directory).expect("a journal can be made");
    let (sender, receiver) = channel();
    let mut entries = vec![JournalEntry::Run {
        run: RUN,
        client: "somebody".to_owned(),
        weight: 1,
        owner: RunOwner::default(),
    }];
    entries.push(JournalEntry::Template {
        run: RUN,
        number: 1,
        template: vec![1; 300],
    });
    entries.extend((0..50).map(|job| JournalEntry::Job {
        run: RUN,
        job,
        description: vec![2; 40].into(),
    }));
    entries.extend((0..3).map(|number| JournalEntry::Worker {
        instance: [number; 16],
    }));
    journal.keep(
        entries,
        Box::new(move |done| sender.send(done.is_ok()).expect("somebody waits")),
    );
    assert_eq!(receiver.recv(), Ok(true));
    drop(journal);
    std::fs::read(directory.join(FILE)).expect("a journal can be read")
});

struct Shelf;

impl ContentInventory for Shelf {
    fn check(
        &self,
        _contents: Vec<ContentSource>,
    ) -> BoxFuture<'static, Result<InventoryCheck, String>> {
        async move { Ok(InventoryCheck::Complete(Box::new(()))) }.boxed()
    }

    fn bytes(&self) -> u64 {
        0
    }
}

fuzz_target!(|data: &[u8]| {
    let mut parts = Parts(data);
    match parts.byte() % 4 {
        0 => scribbled(parts),
        _ => block_on(remembered(parts)),
    }
});

/// Places of the sound journal, most of which are in what is used of it, get other bytes.
fn scribbled(mut parts: Parts<'_>) {
    let mut bytes = SOUND.clone();
    if parts.byte() % 8 == 0 {
        bytes.truncate(usize::from(parts.byte()) * 512);
    }
    while !parts.is_empty() {
        let place = u32::from_le_bytes([parts.byte(), parts.byte(), parts.byte(), 0]) as usize;
        for new in parts.part() {
            if let Some(byte) = bytes.get_mut(place % SOUND.len()) {
                *byte = *new;
            }
        }
    }
    let directory = scratch("scribbled");
    std::fs::create_dir_all(&directory).expect("a directory can be made");
    std::fs::write(directory.join(FILE), bytes).expect("a journal can be written");
    if let Ok((journal, remembered)) = Journal::open(&directory) {
        journal.forget(vec![JournalEntry::RunOver { run: RUN }]);
        drop((journal, remembered));
    }
}

async fn remembered(mut parts: Parts<'_>) {
    let starts = u64::from_le_bytes(std::array::from_fn(|_| parts.byte()));
    let workers = (0..parts.byte() % 4).map(|_| [parts.byte(); 16]).collect();
    let mut remembered = RecoveredState {
        starts,
        runs: Vec::new(),
        workers,
    };
    while !parts.is_empty() {
        let mut run = RecoveredRun {
            run: [parts.byte(); 16],
            client: parts.text(),
            weight: u32::from(parts.byte()),
            owner: RunOwner::of_record(&parts.text(), parts.part()),
            templates: Vec::new(),
            jobs: Vec::new(),
        };
        for number in 0..u32::from(parts.byte() % 4) {
            run.templates.push((number, parts.part().to_vec()));
        }
        for job in 0..u64::from(parts.byte() % 4) {
            run.jobs.push((job, parts.part().into()));
        }
        remembered.runs.push(run);
    }
    let (own, mut heard) = unbounded_channel();
    let journal = (Journal::none(), remembered);
    let mut core = BrokerCore::new(BrokerConfig::default(), journal, Box::new(Shelf), own);
    for now in [BrokerInstant(0), BrokerInstant(u64::from(u32::MAX))] {
        core.tick(now);
        tokio::task::yield_now().await;
        while let Ok(input) = heard.try_recv() {
            core.handle(input, now);
        }
    }
}
