//! Byte sizes in human-readable form: `1 GB`, `512Ki`, `1048576`.

use std::fmt;
use std::str::FromStr;

/// A number of bytes, as users write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

/// Why a text is not a byte size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ByteSizeError {
    /// The text does not begin with a number.
    #[error("expected a number of bytes, such as 1048576, \"512 KiB\" or \"1.5 GB\"")]
    NoNumber,
    /// The number is followed by an unknown unit.
    #[error("unknown unit `{unit}`: expected B, or one of k, M, G, T, P, alone or with B, iB or i")]
    Unit { unit: String },
    /// More than 2^64 - 1 bytes.
    #[error("too large: 16 EiB and more cannot be counted")]
    TooLarge,
}

/// The number of digits after the point that are read; more would not change the number of bytes.
const FRACTION_DIGITS_MAX: usize = 18;

/// The powers of 1000, beginning with `k`.
const UNITS: [char; 5] = ['k', 'm', 'g', 't', 'p'];

impl FromStr for ByteSize {
    type Err = ByteSizeError;

    fn from_str(text: &str) -> Result<ByteSize, ByteSizeError> {
        let end = text
            .find(|character: char| !character.is_ascii_digit() && character != '.')
            .unwrap_or(text.len());
        let (number, rest) = text.split_at(end);
        let unit = factor(rest.strip_prefix(' ').unwrap_or(rest))?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
            return Err(ByteSizeError::NoNumber);
        }
        let fraction = fraction.get(..FRACTION_DIGITS_MAX).unwrap_or(fraction);
        let digits = |text: &str| text.parse::<u128>().map_err(|_| ByteSizeError::TooLarge);
        let scale = 10_u128.pow(fraction.len() as u32);
        let bytes = digits(whole)?
            .checked_mul(unit)
            .and_then(|whole| whole.checked_add(digits(fraction).ok()? * unit / scale))
            .ok_or(ByteSizeError::TooLarge)?;
        u64::try_from(bytes)
            .map(ByteSize)
            .map_err(|_| ByteSizeError::TooLarge)
    }
}

fn factor(unit: &str) -> Result<u128, ByteSizeError> {
    let lower = unit.to_ascii_lowercase();
    if lower.is_empty() || lower == "b" {
        return Ok(1);
    }
    let unknown = || ByteSizeError::Unit {
        unit: unit.to_owned(),
    };
    let mut characters = lower.chars();
    let prefix = characters.next().ok_or_else(unknown)?;
    let power = UNITS
        .iter()
        .position(|known| *known == prefix)
        .ok_or_else(unknown)? as u32
        + 1;
    match characters.as_str() {
        "" | "b" => Ok(1_000_u128.pow(power)),
        "i" | "ib" => Ok(1_024_u128.pow(power)),
        _ => Err(unknown()),
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = |base: u64| {
            (1..=5_u32)
                .rev()
                .find(|power| self.0 > 0 && self.0.is_multiple_of(base.pow(*power)))
                .map(|power| (power, self.0 / base.pow(power)))
        };
        let letter = |power: u32| ["", "k", "M", "G", "T", "P"][power as usize];
        match (exact(1_000), exact(1_024)) {
            (Some((power, count)), _) => write!(formatter, "{count} {}B", letter(power)),
            (None, Some((power, count))) => {
                write!(formatter, "{count} {}iB", letter(power).to_uppercase())
            }
            (None, None) => write!(formatter, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_unit_is_understood() {
        for (text, bytes) in [
            ("0", 0),
            ("1048576", 1 << 20),
            ("7B", 7),
            ("1 k", 1_000),
            ("1KB", 1_000),
            ("1 kb", 1_000),
            ("1 ki", 1 << 10),
            ("1 KiB", 1 << 10),
            ("2 MB", 2_000_000),
            ("2MiB", 2 << 20),
            ("1 GB", 1_000_000_000),
            ("1.5 GB", 1_500_000_000),
            ("0.5Gi", 1 << 29),
            ("3 t", 3_000_000_000_000),
            ("3 TiB", 3 << 40),
            ("1 PB", 1_000_000_000_000_000),
            ("1 Pi", 1 << 50),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "B", " 1", "-1", "1  B", "1.", ".5", "1.2.3", "GB"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
        let unit = "1 XB".parse::<ByteSize>().unwrap_err();
        assert_eq!(
            unit,
            ByteSizeError::Unit {
                unit: "XB".to_owned()
            }
        );
        assert_eq!("99999 PB".parse::<ByteSize>(), Err(ByteSizeError::TooLarge));
        let digits = "9".repeat(100);
        assert_eq!(digits.parse::<ByteSize>(), Err(ByteSizeError::TooLarge));
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(bytes in any::<u64>()) {
            prop_assert_eq!(ByteSize(bytes).to_string().parse(), Ok(ByteSize(bytes)));
        }

        #[test]
        fn round_sizes_read_back(count in 0..5_000_u64, power in 0..6_u32) {
            for base in [1_000_u64, 1_024] {
                let size = ByteSize(count * base.pow(power));
                prop_assert_eq!(size.to_string().parse(), Ok(size));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9.]{0,40}[ a-zA-Z]{0,4}") {
            let _ = text.parse::<ByteSize>();
        }
    }
}
