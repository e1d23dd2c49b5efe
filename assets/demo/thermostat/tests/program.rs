//! The program itself, as a user calls it.

use std::process::{Command, Output};

fn thermostat(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_thermostat"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn prints_an_order_for_each_temperature() {
    let output = thermostat(&["12", "20", "30"]);
    assert!(output.status.success());
    assert_eq!(output.stdout, b"12: Heat\n20: Rest\n30: Cool\n");
}

#[test]
fn refuses_what_is_no_temperature() {
    let output = thermostat(&["cosy"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(output.stderr, b"thermostat: cosy is no temperature\n");
}
