//! The escapes of GitHub's workflow commands, `::name key=value,key=value::data`.

/// Returns a text as the data of a command.
pub(super) fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Returns a text as the value of a property of a command.
pub(super) fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Undoes the escapes in the order in which GitHub does.
    fn read(text: &str) -> String {
        let text = text.replace("%3A", ":").replace("%2C", ",");
        text.replace("%0D", "\r")
            .replace("%0A", "\n")
            .replace("%25", "%")
    }

    proptest! {
        #[test]
        fn no_text_ends_a_command(text in "[%:,\r\na0A]{0,20}") {
            prop_assert!(!data(&text).contains(['\n', '\r']));
            let property = property(&text);
            prop_assert!(!property.contains(['\n', '\r', ':', ',']));
            prop_assert_eq!(read(&property), text);
        }
    }
}
