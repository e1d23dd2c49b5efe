//! The recorded form of an event: one flat JSON object whose key `event` holds the event's name.
//!
//! Each group of events implements its own serialization. This module reads the name, wherever it
//! stands in the object, and passes the fields to the group that has it: no other group is tried,
//! so an error is the group's own. `docs/events.md` describes the form.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer, StringDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::Value;

use super::attempt::AttemptEvent;
use super::build::BuildEvent;
use super::cluster::ClusterEvent;
use super::notice::UserNotice;
use super::round::RoundEvent;
use super::run::RunEvent;
use super::test::TestEvent;
use super::watch::WatchEvent;
use super::worker::WorkerStatusEvent;
use super::{Event, EventKind};

const TIME_KEY: &str = "at_us";
const NAME_KEY: &str = "event";

macro_rules! groups {
    ($($event:ty,)*) => {
        /// The event names of each group.
        const NAMES: &[&[&str]] = &[$(<$event>::NAMES),*];

        /// Lets the group that has this name read the event.
        fn read_kind<'de, A: MapAccess<'de>>(name: &str, fields: A) -> Result<EventKind, A::Error> {
            let fields = MapAccessDeserializer::new(fields);
            let kind = $(if <$event>::NAMES.contains(&name) {
                <$event>::deserialize(fields).map(EventKind::from)
            } else)* {
                return Err(A::Error::custom(format_args!("unknown event `{name}`")));
            };
            kind.map_err(|error| A::Error::custom(format_args!("event `{name}`: {error}")))
        }
    };
}

// The most frequent groups come first.
groups! {
    AttemptEvent,
    TestEvent,
    WorkerStatusEvent,
    RunEvent,
    BuildEvent,
    WatchEvent,
    RoundEvent,
    ClusterEvent,
    UserNotice,
}

/// Returns whether a line is a complete event with an unknown name, as a later version may write.
/// Readers skip those.
pub fn is_unknown(line: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct EventHeader<'a> {
        #[serde(rename = "at_us")]
        _at_us: u64,
        #[serde(borrow)]
        event: Cow<'a, str>,
    }
    let header = serde_json::from_slice::<EventHeader<'_>>(line);
    header.is_ok_and(|header| !NAMES.iter().any(|names| names.contains(&&*header.event)))
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EventVisitor)
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = Event;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut rest: A) -> Result<Event, A::Error> {
        let mut at_us = None;
        let mut early = Vec::new();
        let name = loop {
            let Some(TextRef(key)) = rest.next_key()? else {
                return Err(A::Error::missing_field(NAME_KEY));
            };
            match &*key {
                TIME_KEY => read_time(&mut at_us, &mut rest)?,
                NAME_KEY => break rest.next_value::<TextRef<'_>>()?.0,
                _ => early.push((key, rest.next_value()?)),
            }
        };
        let mut fields = EventFields {
            name: name.clone(),
            next: NextField::Name,
            early: early.into_iter(),
            rest,
            at_us,
        };
        let kind = read_kind(&name, &mut fields)?;
        let at_us = fields.at_us;
        Ok(Event {
            at_us: at_us.ok_or_else(|| A::Error::missing_field(TIME_KEY))?,
            kind,
        })
    }
}

fn read_time<'de, A: MapAccess<'de>>(at_us: &mut Option<u64>, map: &mut A) -> Result<(), A::Error> {
    match at_us.replace(map.next_value()?) {
        None => Ok(()),
        Some(_) => Err(A::Error::duplicate_field(TIME_KEY)),
    }
}

/// Text that borrows from the line, unless it contains escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct TextRef<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> TextRef<'de> {
    fn pass_to<E: Error, S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, E> {
        match self.0 {
            Cow::Borrowed(text) => seed.deserialize(BorrowedStrDeserializer::new(text)),
            Cow::Owned(text) => seed.deserialize(StringDeserializer::new(text)),
        }
    }
}

/// The fields that a group reads: first the name, then all others except the time, which is kept in
/// `at_us`.
struct EventFields<'de, A> {
    name: Cow<'de, str>,
    next: NextField,
    /// The fields before the name. Recordings that this program wrote have none.
    early: std::vec::IntoIter<(Cow<'de, str>, Value)>,
    rest: A,
    at_us: Option<u64>,
}

/// What is read next: a key, or the value of the last key.
enum NextField {
    Name,
    NameValue,
    Key,
    EarlyValue(Value),
    Value,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for EventFields<'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let key = if let NextField::Name = self.next {
            self.next = NextField::NameValue;
            Cow::Borrowed(NAME_KEY)
        } else if let Some((key, value)) = self.early.next() {
            self.next = NextField::EarlyValue(value);
            key
        } else {
            self.next = NextField::Value;
            loop {
                match self.rest.next_key::<TextRef<'_>>()? {
                    None => return Ok(None),
                    Some(TextRef(key)) if key == TIME_KEY => {
                        read_time(&mut self.at_us, &mut self.rest)?;
                    }
                    Some(TextRef(key)) => break key,
                }
            }
        };
        TextRef(key).pass_to(seed).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        match std::mem::replace(&mut self.next, NextField::Key) {
            NextField::NameValue => TextRef(std::mem::take(&mut self.name)).pass_to(seed),
            NextField::EarlyValue(value) => seed.deserialize(value).map_err(de::Error::custom),
            NextField::Value | NextField::Key | NextField::Name => self.rest.next_value_seed(seed),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::de::DeserializeOwned;

    use super::*;
    use crate::ids::{Attempt, TestId};

    /// One line for every event that version 0.1 wrote, and for every form of its fields.
    const EVERY_EVENT: &str =
        include_str!("../../../../tests/fixtures/recordings/every_event.ndjson");

    fn read(line: &str) -> Result<Event, String> {
        serde_json::from_str(line).map_err(|error| error.to_string())
    }

    fn queued() -> Event {
        Event {
            at_us: 7,
            kind: EventKind::Attempt(AttemptEvent::Queued {
                test: TestId(3),
                attempt: Attempt(1),
                retry: None,
            }),
        }
    }

    #[test]
    fn an_event_is_one_flat_object() {
        let json = serde_json::to_string(&queued()).unwrap();
        assert_eq!(json, r#"{"at_us":7,"event":"queued","test":3,"attempt":1}"#);
        assert_eq!(read(&json), Ok(queued()));
    }

    #[test]
    fn every_recorded_event_is_written_again_as_it_was() {
        for line in EVERY_EVENT.lines() {
            let event = read(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(serde_json::to_string(&event).unwrap(), line);
        }
    }

    /// Compares the names of a group with those that serde reads.
    fn check_names<G: DeserializeOwned>(names: &[&str]) {
        let error = serde_json::from_str::<G>(r#"{"event":""}"#).err().unwrap();
        let error = error.to_string();
        let expected: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
        assert_eq!(expected, names, "{error}");
    }

    #[test]
    fn every_event_can_be_read_and_has_an_example() {
        check_names::<AttemptEvent>(AttemptEvent::NAMES);
        check_names::<TestEvent>(TestEvent::NAMES);
        check_names::<WorkerStatusEvent>(WorkerStatusEvent::NAMES);
        check_names::<RunEvent>(RunEvent::NAMES);
        check_names::<BuildEvent>(BuildEvent::NAMES);
        check_names::<WatchEvent>(WatchEvent::NAMES);
        check_names::<RoundEvent>(RoundEvent::NAMES);
        check_names::<ClusterEvent>(ClusterEvent::NAMES);
        let names: BTreeSet<&str> = NAMES.concat().into_iter().collect();
        assert_eq!(names.len(), NAMES.concat().len(), "each name once");
        let examples: BTreeSet<String> = EVERY_EVENT
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .map(|object| object[NAME_KEY].as_str().unwrap().to_owned())
            .collect();
        assert!(examples.iter().map(String::as_str).eq(names));
    }

    #[test]
    fn keys_may_stand_in_any_order_and_be_unknown() {
        for line in [
            r#"{"event":"queued","test":3,"attempt":1,"at_us":7}"#,
            r#"{"test":3,"event":"queued","at_us":7,"attempt":1}"#,
            r#"{"attempt":1,"later":[{"a":null}],"test":3,"at_us":7,"event":"queued"}"#,
            r#"{"\u0061t_us":7,"ev\u0065nt":"queu\u0065d","t\u0065st":3,"attempt":1,"more":{}}"#,
        ] {
            assert_eq!(read(line), Ok(queued()), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_names_the_event() {
        let errors = [
            r#"{"at_us":7,"event":"queued","test":"3","attempt":1}"#,
            r#"{"test":"3","at_us":7,"event":"queued","attempt":1}"#,
            r#"{"at_us":7,"event":"queued","test":3}"#,
            r#"{"at_us":7,"event":"notice","severity":"loud"}"#,
            r#"{"at_us":7,"event":"queued","event":"queued"}"#,
            r#"{"at_us":7,"event":"queued","at_us":7}"#,
            r#"{"at_us":7,"event":"dequeued","test":3}"#,
            r#"{"event":"paused"}"#,
            r#"{"at_us":7}"#,
            r#"{"at_us":7,"event":"queued","test"#,
        ]
        .map(|line| read(line).unwrap_err());
        insta::assert_snapshot!(errors.join("\n"));
    }

    #[test]
    fn only_a_whole_event_of_another_name_is_unknown() {
        assert!(is_unknown(br#"{"at_us":7,"event":"dequeued","test":3}"#));
        assert!(is_unknown(br#"{"test":3,"event":"dequeued","at_us":7}"#));
        for line in [
            r#"{"at_us":7,"event":"queued","test":"3"}"#,
            r#"{"at_us":7,"event":"dequeued","te"#,
            r#"{"event":"dequeued"}"#,
            r#"{"at_us":7}"#,
            "",
        ] {
            assert!(!is_unknown(line.as_bytes()), "{line}");
        }
    }
}
