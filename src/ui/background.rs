//! Detects whether the background of the terminal is light or dark.
//!
//! Queries the terminal (OSC 11). If it doesn't answer in time, uses `COLORFGBG`, which some
//! terminals set to the numbers of their colors.

use std::time::Duration;

use terminal_colorsaurus::{QueryOptions, ThemeMode, theme_mode};

/// The maximum wait for the terminal's answer, which may come over a network connection.
const ANSWER_MAX: Duration = Duration::from_millis(300);

/// Returns the built-in theme that fits the background of the terminal, or `dark` if the background
/// is unknown.
pub fn theme() -> &'static str {
    let mut options = QueryOptions::default();
    options.timeout = ANSWER_MAX;
    match theme_mode(options) {
        Ok(ThemeMode::Light) => "light",
        Ok(ThemeMode::Dark) => "dark",
        Err(_) => {
            let colors = std::env::var("COLORFGBG").unwrap_or_default();
            theme_of(&colors)
        }
    }
}

/// Returns the theme for a value of `COLORFGBG`: numbers from 0 to 15, separated by semicolons,
/// with the background last.
fn theme_of(colors: &str) -> &'static str {
    let background = colors.rsplit(';').next().unwrap_or_default();
    match background.parse::<u8>() {
        // 8 is dark gray.
        Ok(7 | 9..=15) => "light",
        Ok(_) | Err(_) => "dark",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_is_the_background() {
        for light in ["0;15", "0;default;15", "0;7", "12;11"] {
            assert_eq!(theme_of(light), "light", "{light}");
        }
        for dark in ["15;0", "", "0;default", "7;8", "x;y", "0;256"] {
            assert_eq!(theme_of(dark), "dark", "{dark}");
        }
    }
}
