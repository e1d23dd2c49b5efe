//! Every one of these tests listens on the same port. Each has a network of its own.

use std::net::TcpListener;
use std::thread;

use thermostat::{PORT, ask, serve_one};

fn answer_to(text: &str) -> String {
    let listener = TcpListener::bind(("127.0.0.1", PORT)).expect("a port of this test's own");
    thread::scope(|scope| {
        let server = scope.spawn(|| serve_one(&listener));
        let answer = ask(text).unwrap();
        server.join().unwrap().unwrap();
        answer
    })
}

#[test]
fn heats_when_it_is_cold() {
    assert_eq!(answer_to("3.5"), "heat");
}

#[test]
fn rests_when_it_is_mild() {
    assert_eq!(answer_to("21"), "rest");
}

#[test]
fn cools_when_it_is_hot() {
    assert_eq!(answer_to("41"), "cool");
}

#[test]
fn wonders_about_nonsense() {
    assert_eq!(answer_to("warm"), "what?");
}

#[test]
fn nobody_answers_when_nobody_listens() {
    assert!(ask("21").is_err());
}
