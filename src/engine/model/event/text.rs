//! Bytes in events, and their serialization in recordings.

use serde::{Deserialize, Serialize};

/// Bytes that are usually text. Serialized as a JSON string if they are valid UTF-8, else as
/// `{"bytes": [...]}`, so that a recording loses nothing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct OutputText(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum TextForm<'a> {
    Utf8(std::borrow::Cow<'a, str>),
    Bytes { bytes: std::borrow::Cow<'a, [u8]> },
}

impl Serialize for OutputText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => TextForm::Utf8(text.into()),
            Err(_) => TextForm::Bytes {
                bytes: self.0.as_slice().into(),
            },
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for OutputText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(OutputText(match TextForm::deserialize(deserializer)? {
            TextForm::Utf8(text) => text.into_owned().into_bytes(),
            TextForm::Bytes { bytes } => bytes.into_owned(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_json_whether_utf8_or_not() {
        for bytes in [b"plain".to_vec(), "caf\u{e9}\n".into(), vec![0xff, 0, b'a']] {
            let json = serde_json::to_string(&OutputText(bytes.clone())).unwrap();
            assert_eq!(
                serde_json::from_str::<OutputText>(&json).unwrap(),
                OutputText(bytes)
            );
        }
    }
}
