//! Stores all names in one string. A [`NameRef`] is an eight-byte reference to one of them.

/// The position of a name in its [`NameArena`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NameRef {
    start: u32,
    len: u32,
}

/// All names, concatenated.
#[derive(Clone, Debug, Default)]
pub(super) struct NameArena(String);

impl NameArena {
    /// Adds a name. An arena holds up to 4 GiB; after that, returns a reference to the empty name.
    pub(super) fn add(&mut self, name: &str) -> NameRef {
        let (Ok(start), Ok(len)) = (u32::try_from(self.0.len()), u32::try_from(name.len())) else {
            return NameRef::default();
        };
        self.0.push_str(name);
        NameRef { start, len }
    }

    /// Adds a name that is usually a suffix of `whole`, in which case it is not stored again.
    pub(super) fn part_of(&mut self, whole: NameRef, part: &str) -> NameRef {
        if !self.get(whole).ends_with(part) {
            return self.add(part);
        }
        let len = part.len() as u32;
        NameRef {
            start: whole.start + whole.len - len,
            len,
        }
    }

    /// Returns the name, or an empty string if the reference is from another arena.
    pub(super) fn get(&self, name: NameRef) -> &str {
        let start = name.start as usize;
        self.0
            .get(start..start + name.len as usize)
            .unwrap_or_default()
    }
}
