//! `thermostat DEGREES...` prints what to do.

use std::process::ExitCode;

use thermostat::Order;

fn main() -> ExitCode {
    for word in std::env::args().skip(1) {
        let Ok(degrees) = word.parse() else {
            eprintln!("thermostat: {word} is no temperature");
            return ExitCode::from(2);
        };
        println!("{word}: {:?}", Order::for_temperature(degrees));
    }
    ExitCode::SUCCESS
}
