//! Keeps a greenhouse warm: a server that answers a temperature with an order.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

/// Where every thermostat listens.
pub const PORT: u16 = 7357;

/// What to do with the heating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Warm up.
    Heat,
    /// Leave it.
    Rest,
    /// Open a window.
    Cool,
}

impl Order {
    /// For this many degrees Celsius.
    pub fn for_temperature(degrees: f64) -> Order {
        if degrees < 18.0 {
            Order::Heat
        } else if degrees <= 26.0 {
            Order::Rest
        } else {
            Order::Cool
        }
    }

    fn word(self) -> &'static str {
        match self {
            Order::Heat => "heat",
            Order::Rest => "rest",
            Order::Cool => "cool",
        }
    }
}

/// Answers one visitor.
pub fn serve_one(listener: &TcpListener) -> io::Result<()> {
    let (mut visitor, _) = listener.accept()?;
    let mut line = String::new();
    BufReader::new(&visitor).read_line(&mut line)?;
    let answer = match line.trim().parse() {
        Ok(degrees) => Order::for_temperature(degrees).word(),
        Err(_) => "what?",
    };
    writeln!(visitor, "{answer}")
}

/// Asks the thermostat of this machine.
pub fn ask(text: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", PORT))?;
    writeln!(stream, "{text}")?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heats_below_eighteen() {
        assert_eq!(Order::for_temperature(17.9), Order::Heat);
    }

    #[test]
    fn rests_in_between() {
        assert_eq!(Order::for_temperature(18.0), Order::Rest);
        assert_eq!(Order::for_temperature(26.0), Order::Rest);
    }

    #[test]
    fn cools_above_twenty_six() {
        assert_eq!(Order::for_temperature(26.1), Order::Cool);
    }

    #[test]
    fn every_temperature_has_an_order() {
        for tenths in -2732..10_000 {
            let order = Order::for_temperature(f64::from(tenths) / 10.0);
            assert!(["heat", "rest", "cool"].contains(&order.word()));
        }
    }
}
