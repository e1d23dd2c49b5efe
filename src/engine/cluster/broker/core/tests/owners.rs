//! Promise 9: runs belong to their clients, leases to their workers, and displayed names grant
//! nothing.

use super::*;
use crate::broker::budgets::Principal;
use crate::broker::journal::RunName;

fn member(name: &str) -> CallerPrincipal {
    CallerPrincipal {
        principal: Principal::Member(name.to_owned()),
        member: Some(name.to_owned()),
    }
}

/// Who may have jobs run that have all privileges, before a restart and after it.
#[tokio::test]
async fn full_privileges_are_for_who_has_the_role() {
    let (nobody, ann) = (CallerPrincipal::default(), member("client ann"));
    let rows = [
        (&nobody, v1::Privileges::Full, true),
        (&ann, v1::Privileges::Full, false),
        (&ann, v1::Privileges::Ordinary, true),
        (&member("writer ann"), v1::Privileges::Full, false),
        (&member("privileged ann"), v1::Privileges::Full, true),
        (&member("admin ann"), v1::Privileges::Full, true),
    ];
    for (caller, privileges, expected) in rows {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        for _ in 0..2 {
            let mut stage = start(&path);
            let mut worker = stage.worker(1, &[]).await;
            let mut client = stage.client_as(1, caller, &[1; 16]).await.unwrap();
            stage.send(&client, template_with(privileges)).await;
            stage.send(&client, submit(&[7])).await;
            let leases = worker.leases().len();
            let told = client.news().concat();
            assert_eq!(leases == 1, expected, "{caller:?} {privileges:?} {told}");
            let refused = told.contains("only who has the role `privileged`");
            assert_eq!(refused, !expected, "{caller:?} {privileges:?} {told}");
        }
    }
    // A run that was opened without authentication is no way around it.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let mut stage = start(&path);
    stage.client_as(1, &nobody, &[1; 16]).await.unwrap();
    drop(stage);
    let mut stage = start(&path);
    let mut worker = stage.worker(1, &[]).await;
    let client = stage.client_as(1, &ann, &[1; 16]).await.unwrap();
    stage
        .send(&client, template_with(v1::Privileges::Full))
        .await;
    stage.send(&client, submit(&[8])).await;
    assert_eq!(worker.leases().len(), 0);
}

/// A client that names another's run is refused, before and after a restart, and the run is not
/// affected.
#[tokio::test]
async fn a_run_is_resumed_by_whoever_opened_it_and_nobody_else() {
    const A: [u8; 16] = [7; 16];
    let nobody = CallerPrincipal::default();
    let (ann, bob) = (member("client ann"), member("client bob"));
    // The owner, and others.
    type ShownCredential<'a> = (&'a CallerPrincipal, &'a [u8]);
    let rows: [(&CallerPrincipal, &[u8], Vec<ShownCredential<'_>>); 3] = [
        (
            &nobody,
            &A,
            vec![(&nobody, &[8; 16]), (&nobody, b""), (&ann, b"")],
        ),
        (&ann, b"", vec![(&bob, b""), (&nobody, b""), (&bob, &A)]),
        (
            &ann,
            &A,
            vec![(&bob, &A), (&ann, &[8; 16]), (&ann, b""), (&nobody, &A)],
        ),
    ];
    for (opener, secret, others) in rows {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let mut stage = start(&path);
        let mut client = stage.client_as(1, opener, secret).await.unwrap();
        stage.send(&client, template()).await;
        stage.send(&client, submit(&[7])).await;
        client.news();
        for (other, shown) in &others {
            let refused = stage.client_as(1, other, shown).await.err().unwrap();
            assert_eq!(refused.code(), Code::PermissionDenied);
        }
        assert_eq!(client.news(), [""; 0], "the run does not notice");
        drop(stage);
        let mut stage = start(&path);
        for (other, shown) in &others {
            let refused = stage.client_as(1, other, shown).await.err().unwrap();
            assert_eq!(refused.code(), Code::PermissionDenied);
        }
        let mut client = stage.client_as(1, opener, secret).await.unwrap();
        assert_eq!(client.news()[0], "welcome, resumed: true");
    }
}

/// A client of the previous release has no secret: its run works, but cannot be resumed.
#[tokio::test]
async fn a_run_of_nobody_cannot_be_resumed() {
    let mut stage = stage(FakeInventory(None));
    let mut worker = stage.worker(1, &[]).await;
    let mut client = stage
        .client_as(1, &CallerPrincipal::default(), b"")
        .await
        .unwrap();
    stage.send(&client, template()).await;
    stage.send(&client, submit(&[7])).await;
    let refused = stage
        .client_as(1, &CallerPrincipal::default(), b"")
        .await
        .err();
    let refused = refused.unwrap();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("Hello.secret"), "{refused}");
    let fence = worker.leases()[0];
    stage.reports(&worker, fence, exited(0)).await;
    assert_eq!(client.news().last().unwrap(), "finished 7: Exited(0)");
}

#[tokio::test]
async fn what_is_shown_of_a_run_opens_nothing() {
    let (mut stage, mut worker, mut client, _) = running().await;
    client.news();
    let shown = stage.core.status().clients[0].run.to_vec();
    let mut seen = vec![shown.clone()];
    let _second = stage.client_with(2, &[1]).await;
    while let Ok(order) = worker.orders.try_recv() {
        if let Some(worker_order::Kind::Leases(leases)) = order.unwrap().kind {
            seen.extend(leases.leases.iter().map(|lease| lease.run.to_vec()));
        }
    }
    assert_eq!(seen.len(), 2);
    for seen in seen {
        assert!(seen != [1; 16] && seen != [2; 16]);
        let run: RunName = seen.try_into().unwrap();
        assert_eq!(stage.core.runs.resolves(&run), (false, true));
    }
    assert_eq!(client.news(), [""; 0]);
}

/// Leases belong to their worker, even if another one names them.
#[tokio::test]
async fn a_worker_gets_nothing_that_is_anothers() {
    let mut stage = stage(FakeInventory(None));
    let (own, other) = (member("worker a"), member("worker b"));
    let mut worker = stage.worker_as(1, &own, &[]).await.unwrap();
    let mut client = stage.client_with(1, &[7]).await;
    let fence = worker.leases()[0];
    stage
        .reports(&worker, fence, report::Kind::Started(0))
        .await;
    client.news();

    // Its process does not belong to another credential.
    let refused = stage.worker_as(1, &other, &[(1, 7, fence)]).await.err();
    assert_eq!(refused.unwrap().code(), Code::PermissionDenied);
    // Another process may claim to hold the lease, and report on it.
    let mut thief = stage.worker_as(2, &other, &[(1, 7, fence)]).await.unwrap();
    assert_eq!(thief.stops(), [fence]);
    for kind in [report::Kind::Started(3), written(0, "forged"), exited(1)] {
        stage.reports(&thief, fence, kind).await;
    }
    assert_eq!(client.news(), ["worker-2 joined"]);
    stage.reports(&worker, fence, exited(0)).await;
    assert_eq!(client.news(), ["finished 7: Exited(0)"]);
}

/// After a restart only workers in the journal can have leases.
#[tokio::test]
async fn a_worker_that_was_never_here_adopts_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let mut stage = start(&path);
    let mut worker = stage.worker(1, &[]).await;
    let _client = stage.client_with(1, &[7]).await;
    let fence = worker.leases()[0];
    drop(stage);
    let mut stage = start(&path);
    let mut thief = stage.worker(2, &[(1, 7, fence)]).await;
    assert_eq!(thief.stops(), [fence]);
    let mut worker = stage.worker(1, &[(1, 7, fence)]).await;
    assert_eq!(worker.stops(), [0; 0]);
}
