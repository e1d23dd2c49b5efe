//! The broker's disk: memory that outlives the broker, and of which what was not synced is lost when
//! the power fails.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

use crate::plan::Power;

/// A disk. Cloning gives another handle on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<Platters>>);

#[derive(Debug, Default)]
struct Platters {
    written: Vec<u8>,
    synced: Vec<u8>,
    /// How often its machine has crashed: what a program from before that does is nothing.
    age: u64,
}

/// What one program does with it.
#[derive(Debug)]
pub(crate) struct Mounted {
    disk: Disk,
    age: u64,
}

impl Disk {
    /// For a program that begins.
    pub(crate) fn mount(&self) -> Mounted {
        let age = self.platters().age;
        Mounted {
            disk: self.clone(),
            age,
        }
    }

    /// The program that uses it ends now.
    pub(crate) fn crash(&self, power: Power) {
        let mut platters = self.platters();
        platters.age += 1;
        match power {
            Power::Stays => platters.synced = platters.written.clone(),
            Power::Fails => platters.written = platters.synced.clone(),
        }
    }

    fn platters(&self) -> MutexGuard<'_, Platters> {
        self.0.lock().unwrap()
    }
}

impl Mounted {
    fn platters(&self) -> io::Result<MutexGuard<'_, Platters>> {
        let platters = self.disk.platters();
        match platters.age == self.age {
            true => Ok(platters),
            false => Err(io::Error::other("the machine has crashed")),
        }
    }
}

impl StorageBackend for Mounted {
    fn len(&self) -> io::Result<u64> {
        Ok(self.platters()?.written.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platters = self.platters()?;
        let begin = offset as usize;
        let there = platters.written.get(begin..begin + out.len());
        out.copy_from_slice(there.ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.platters()?.written.resize(length as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let platters = &mut *self.platters()?;
        platters.synced.clone_from(&platters.written);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut platters = self.platters()?;
        let begin = offset as usize;
        platters.written[begin..begin + data.len()].copy_from_slice(data);
        Ok(())
    }
}
