//! Addresses of brokers: `build.example:4000`, `198.51.100.4:4000`, `[2001:db8::4]:4000`.
//!
//! Only the syntax is checked here; names are resolved when a program starts.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// A name or an IP address, without brackets.
    pub host: String,
    pub port: u16,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is no port.
    #[error("expected HOST:PORT, such as build.example:4000; there is no port")]
    NoPort,
    /// The port is no port.
    #[error("`{port}` is not a port: expected a number from 1 to 65535")]
    Port { port: String },
    /// The host is none.
    #[error("`{host}` is not a host: expected a name, an IPv4 address, or an IPv6 address in `[]`")]
    Host { host: String },
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        let (host, port) = text.rsplit_once(':').ok_or(AddressError::NoPort)?;
        let bracketed = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let valid = match bracketed {
            Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
            None => {
                let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
                !host.is_empty() && host.bytes().all(allowed)
            }
        };
        if !valid {
            return Err(AddressError::Host {
                host: host.to_owned(),
            });
        }
        match port.parse() {
            Ok(port) if port > 0 => Ok(Address {
                host: bracketed.unwrap_or(host).to_owned(),
                port,
            }),
            Ok(_) | Err(_) => Err(AddressError::Port {
                port: port.to_owned(),
            }),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address { host, port } = self;
        if host.contains(':') {
            write!(formatter, "[{host}]:{port}")
        } else {
            write!(formatter, "{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_are_read_and_shown() {
        for text in [
            "build.example:4000",
            "198.51.100.4:4000",
            "[2001:db8::4]:4000",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn anything_else_says_what_is_wrong() {
        let said: Vec<String> = [
            "host",
            "host:x",
            "host:0",
            ":4000",
            "2001:db8::4:4000",
            "[x]:1",
        ]
        .map(|text| text.parse::<Address>().unwrap_err().to_string())
        .into();
        insta::assert_snapshot!(said.join("\n"));
    }
}
