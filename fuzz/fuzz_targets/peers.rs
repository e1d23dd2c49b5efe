//! Clients and workers that say whatever they like, in any order, to a broker's core.
#![no_main]

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use libfuzzer_sys::fuzz_target;
use maelstrom_cluster::broker::budgets::CallerPrincipal;
use maelstrom_cluster::broker::core::outbox::{OutboxReceiver, outbox};
use maelstrom_cluster::broker::core::{
    BrokerConfig, BrokerCore, ContentInventory, CoreInput, InventoryCheck, SessionId,
};
use maelstrom_cluster::broker::journal::{Journal, RecoveredState};
use maelstrom_cluster::broker::scheduler::BrokerInstant;
use maelstrom_fuzz::{Parts, block_on, scratch};
use maelstrom_wire::from_proto::ContentSource;
use maelstrom_wire::v1;
use prost::Message;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;
use tonic::Status;

/// Connections that are open at a time.
const SESSIONS: u8 = 6;

/// Has every second template's contents.
struct Shelf;

impl ContentInventory for Shelf {
    fn check(
        &self,
        contents: Vec<ContentSource>,
    ) -> BoxFuture<'static, Result<InventoryCheck, String>> {
        let checked = match contents.len() % 2 {
            0 => InventoryCheck::Complete(Box::new(())),
            _ => InventoryCheck::Lacking(Vec::new(), Box::new(())),
        };
        async move { Ok(checked) }.boxed()
    }

    fn bytes(&self) -> u64 {
        0
    }
}

#[derive(Default)]
struct Ends {
    clients: Vec<OutboxReceiver<v1::SessionEvent>>,
    workers: Vec<UnboundedReceiver<Result<v1::WorkerOrder, Status>>>,
}

fuzz_target!(|data: &[u8]| block_on(play(Parts(data))));

async fn play(mut parts: Parts<'_>) {
    let (own, mut heard) = unbounded_channel();
    let policy = BrokerConfig {
        lease: Duration::from_secs(20),
        outputs: scratch("outputs"),
        ..BrokerConfig::default()
    };
    let journal = (Journal::none(), RecoveredState::default());
    let mut core = BrokerCore::new(policy, journal, Box::new(Shelf), own);
    let mut ends = Ends::default();
    let mut now = BrokerInstant(0);
    while !parts.is_empty() {
        now = now.plus_ms(u64::from(parts.byte()) * 100);
        if let Some(input) = input(&mut parts, &mut ends) {
            core.handle(input, now);
        }
        core.tick(now);
        tokio::task::yield_now().await;
        while let Ok(input) = heard.try_recv() {
            core.handle(input, now);
            core.tick(now);
        }
        for outlet in &mut ends.clients {
            while futures_util::StreamExt::next(outlet)
                .now_or_never()
                .flatten()
                .is_some()
            {}
        }
        for orders in &mut ends.workers {
            while orders.try_recv().is_ok() {}
        }
    }
}

fn input(parts: &mut Parts<'_>, ends: &mut Ends) -> Option<CoreInput> {
    let choice = parts.byte();
    let session = SessionId(u64::from(parts.byte() % SESSIONS));
    Some(match choice % 8 {
        0 => {
            let (outbox, outlet) = outbox(|| {});
            ends.clients.push(outlet);
            let hello = v1::Hello::decode(parts.part()).ok()?;
            let answer = oneshot::channel().0;
            let caller = CallerPrincipal::default();
            CoreInput::Hello {
                hello,
                caller,
                outbox,
                answer,
                session,
            }
        }
        1 => {
            let (orders, receiver) = unbounded_channel();
            ends.workers.push(receiver);
            let register = v1::Register::decode(parts.part()).ok()?;
            let answer = oneshot::channel().0;
            let caller = CallerPrincipal::default();
            CoreInput::Register {
                register,
                caller,
                orders,
                answer,
                session,
            }
        }
        2 | 3 => CoreInput::Client(session, v1::ClientMessage::decode(parts.part()).ok()?.kind?),
        4 | 5 => CoreInput::Worker(session, v1::WorkerMessage::decode(parts.part()).ok()?.kind?),
        6 => match parts.byte() % 3 {
            0 => CoreInput::Gone(session),
            1 => CoreInput::Room(session),
            _ => CoreInput::Sample,
        },
        _ => CoreInput::Drain(parts.text(), oneshot::channel().0),
    })
}
