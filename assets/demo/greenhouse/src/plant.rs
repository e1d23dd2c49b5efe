//! A plant grows when it has water and light, and wilts when it has neither.

/// How far a plant has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// In the ground.
    Seed,
    /// Two leaves.
    Sprout,
    /// In flower.
    Bloom,
}

/// A plant.
///
/// ```
/// let mut tulip = greenhouse::Plant::new("tulip");
/// tulip.day(true, true);
/// assert_eq!(tulip.stage(), greenhouse::Stage::Sprout);
/// ```
#[derive(Clone, Debug)]
pub struct Plant {
    name: String,
    stage: Stage,
    dry_days: u32,
}

impl Plant {
    /// A seed.
    pub fn new(name: &str) -> Plant {
        assert!(!name.is_empty(), "a plant needs a name");
        Plant {
            name: name.to_owned(),
            stage: Stage::Seed,
            dry_days: 0,
        }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How far it has come.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether it hangs its head.
    pub fn wilts(&self) -> bool {
        self.dry_days >= 3
    }

    /// A day passes.
    pub fn day(&mut self, watered: bool, sunny: bool) {
        self.dry_days = if watered { 0 } else { self.dry_days + 1 };
        self.stage = match (self.stage, watered && sunny) {
            (Stage::Seed, true) => Stage::Sprout,
            (Stage::Sprout | Stage::Bloom, true) => Stage::Bloom,
            (stage, false) => stage,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(days: &[(bool, bool)]) -> Plant {
        let mut plant = Plant::new("basil");
        for (watered, sunny) in days {
            plant.day(*watered, *sunny);
        }
        plant
    }

    #[test]
    fn begins_as_a_seed() {
        assert_eq!(after(&[]).stage(), Stage::Seed);
    }

    #[test]
    fn sprouts_on_a_good_day() {
        assert_eq!(after(&[(true, true)]).stage(), Stage::Sprout);
    }

    #[test]
    fn blooms_on_the_second() {
        assert_eq!(after(&[(true, true), (true, true)]).stage(), Stage::Bloom);
    }

    #[test]
    fn waits_in_the_dark() {
        assert_eq!(after(&[(true, false); 10]).stage(), Stage::Seed);
    }

    #[test]
    fn never_goes_back() {
        let plant = after(&[(true, true), (false, false), (false, true)]);
        assert_eq!(plant.stage(), Stage::Sprout);
    }

    #[test]
    fn wilts_after_three_dry_days() {
        assert!(!after(&[(false, true); 2]).wilts());
        assert!(after(&[(false, true); 3]).wilts());
    }

    #[test]
    fn recovers_with_water() {
        assert!(!after(&[(false, true), (false, true), (false, true), (true, true)]).wilts());
    }

    #[test]
    #[should_panic(expected = "needs a name")]
    fn has_a_name() {
        Plant::new("");
    }

    #[test]
    #[ignore = "nobody has that much patience"]
    fn grows_for_a_hundred_years() {
        let plant = after(&vec![(true, true); 36_525]);
        assert_eq!(plant.stage(), Stage::Bloom);
    }
}
