//! Hands the tests of a listed binary over to the engine.

use std::collections::HashMap;

use super::{CargoDiscovery, PendingTests, sharing};
use crate::cargo::cases::TestNaming;
use crate::cargo::error::CargoError;
use crate::cargo::listed::ListedBinary;
use crate::cargo::listing::BinaryListing;
use crate::cargo::notices;
use crate::cargo::overrides::{self, CargoOverride};
use crate::cargo::target::TestHarness;
use maelstrom_model::event::EventKind;
use maelstrom_model::framework::FrameworkHost;

impl<H: FrameworkHost> CargoDiscovery<'_, H> {
    pub(super) fn take_listing(
        &mut self,
        listed: ListedBinary,
        given: HashMap<String, CargoOverride>,
    ) -> Result<(), CargoError> {
        let ListedBinary {
            package,
            binary,
            jobs,
            standard: _,
            all,
            listing,
        } = listed;
        let naming = TestNaming::new(&package, &binary.target);
        let listing = match listing {
            Ok(listing) => listing,
            Err(error) => {
                let message = format!("{} {error}", binary.executable);
                self.broken(naming.broken(message, all));
                return Ok(());
            }
        };
        let plain = self.project.settings.extra_arguments.is_empty();
        let listed = self.project.listed;
        listed.note(naming.binary(), binary.harness, &listing, plain);
        let wanted = self.project.wanted;
        let own = |name: &str| given.get(name);
        let jobs = |name: &str| own(name).map_or(&jobs, |own| &own.jobs);
        let whole = listing == BinaryListing::Whole;
        if whole
            && binary.harness == TestHarness::Libtest
            && !wanted.runs_whole(&package, &binary.target)
        {
            let notice = notices::noisy(&naming.of_target());
            self.host.emit(EventKind::Notice(notice));
        }
        let mut cases = naming.cases(listing, jobs, |name, attention| {
            let verdict = match whole {
                true => wanted.whole(&package, &binary, name),
                false => wanted.test(&package, &binary.target, name, attention),
            };
            overrides::verdict(
                &self.project,
                (&package, &binary.target, name),
                own(name),
                verdict,
            )
        });
        let mut sharing = Vec::new();
        for test in &mut cases.tests {
            let jobs = jobs(&test.key.name);
            let own = own(&test.key.name);
            let unavailable = own.and_then(|own| own.unavailable.as_deref());
            test.known = unavailable.cloned();
            let name = test.key.name.as_str();
            let said = overrides::said(&self.project, (&package, &binary.target, name), own);
            self.project.policies.apply(test, Some(&said));
            if sharing::shares(&self.project, binary.harness, &said)? && !whole {
                sharing.push((test, jobs));
            }
        }
        self.share(sharing)?;
        self.deselected = self.deselected.saturating_add(cases.deselected);
        for notice in cases.notices {
            self.host.emit(EventKind::Notice(notice));
        }
        if cases.tests.is_empty() {
            return Ok(());
        }
        self.selected += cases.tests.len();
        let running = cases.tests.iter().filter(|test| test.ignored.is_none());
        self.running += running.count();
        self.held.push(PendingTests {
            package: package.metadata.id.clone(),
            kind: binary.target.kind,
            executable: binary.executable,
            tests: cases.tests,
        });
        self.release();
        Ok(())
    }

    /// Hands over the tests whose programs have all been built.
    pub(super) fn release(&mut self) {
        self.equip();
        let programs = &self.programs;
        let ready = |held: &mut PendingTests| programs.ready(&held.package, held.kind);
        let released: Vec<PendingTests> = self.held.extract_if(.., ready).collect();
        for mut held in released {
            let placement = self.placement(&held);
            for test in &mut held.tests {
                test.job.placement = placement.clone();
            }
            self.host.found(held.tests);
        }
    }
}
