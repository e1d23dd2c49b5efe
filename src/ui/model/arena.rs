//! All names in one allocation. A [`NameRef`] is a position in it, of eight bytes.

/// Where a name stands in its [`NameArena`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NameRef {
    start: u32,
    len: u32,
}

/// Names, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct NameArena(String);

impl NameArena {
    /// Adds a name. An arena holds 4 GiB; what does not fit any more is left out.
    pub fn add(&mut self, name: &str) -> NameRef {
        let (Ok(start), Ok(len)) = (u32::try_from(self.0.len()), u32::try_from(name.len())) else {
            return NameRef::default();
        };
        self.0.push_str(name);
        NameRef { start, len }
    }

    /// A name that is usually the end of another, which then is not stored twice.
    pub fn part_of(&mut self, whole: NameRef, part: &str) -> NameRef {
        if !self.get(whole).ends_with(part) {
            return self.add(part);
        }
        let len = part.len() as u32;
        NameRef {
            start: whole.start + whole.len - len,
            len,
        }
    }

    /// The name, or nothing if it is of another arena.
    pub fn get(&self, name: NameRef) -> &str {
        let start = name.start as usize;
        self.0
            .get(start..start + name.len as usize)
            .unwrap_or_default()
    }
}
