//! The real servers tests talk to: one file per service, one table of them, one folder of scratch data per clone.

mod dufs;
mod endpoints;
mod flask;
mod hadoop;
mod hdfs;
mod hdfs_ha;
mod hdfs_kerberos;
mod kdc;
mod nginx;
mod postgres;
pub(crate) mod process;
mod radosgw;
mod redis;
mod tusd;
mod versitygw;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

pub(crate) use self::hadoop::shell as hadoop_shell;
pub(crate) use self::nginx::s3_proxy;
use crate::paths::{self, Slot};

/// Names the file with the endpoints, for tests.
pub(crate) const SERVICES_ENV: &str = "CAMPUSDISK_TEST_SERVICES";

/// A server that can be got and started on this machine without any preparation.
pub(crate) trait Service: Sync {
    /// The name on the command line and of the service's folder.
    fn name(&self) -> &'static str;

    /// Name and version, as the list of servers used prints them.
    fn title(&self) -> String;

    /// Where in the file of endpoints this service stands.
    fn endpoint_key(&self) -> &'static [&'static str];

    /// What it is for.
    fn purpose(&self) -> Purpose;

    /// Fetches or builds the program.
    ///
    /// # Errors
    /// When a registry can't be reached or a tool of the machine is missing.
    fn provision(&self) -> Result<()>;

    /// Starts fresh in the empty folder `home`, waits until it serves, and gives its endpoint.
    ///
    /// # Errors
    /// When it doesn't come up; whatever did start is stopped by the caller.
    fn start(&self, home: &Path) -> Result<Value>;
}

/// What a service is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Every test run needs it.
    Tests,
    /// Only the full run needs it, as it takes much time or memory.
    FullRun,
    /// Benches compare with it, or somebody tries something with it; it starts only when named.
    Peer,
}

/// Every service, in the order they are listed.
static ALL: [&dyn Service; 11] = [
    &hdfs::Hdfs,
    &hdfs_ha::HdfsHa,
    &hdfs_kerberos::HdfsKerberos,
    &versitygw::VersityGw,
    &radosgw::RadosGw,
    &postgres::Postgres,
    &nginx::Nginx,
    &tusd::Tusd,
    &redis::Redis,
    &dufs::Dufs,
    &flask::Flask,
];

/// The names of all services.
pub(crate) fn names() -> Vec<&'static str> {
    ALL.iter().map(|service| service.name()).collect()
}

/// The named services, or all that tests need where none is named.
pub(crate) fn chosen(names: &[String]) -> Vec<&'static dyn Service> {
    if names.is_empty() {
        return for_run(false);
    }
    let is_named = |service: &&dyn Service| names.iter().any(|name| name == service.name());
    ALL.into_iter().filter(is_named).collect()
}

/// The services that a test run needs.
pub(crate) fn for_run(full: bool) -> Vec<&'static dyn Service> {
    let is_needed = |service: &&dyn Service| match service.purpose() {
        Purpose::Tests => true,
        Purpose::FullRun => full,
        Purpose::Peer => false,
    };
    ALL.into_iter().filter(is_needed).collect()
}

/// A server that runs, for the list at the end of a test run.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) title: String,
    pub(crate) address: String,
}

/// The services of one clone and slot.
#[derive(Debug)]
pub(crate) struct TestBed {
    folder: PathBuf,
    /// Held while this process may start or stop services.
    _lock: File,
}

impl TestBed {
    /// Opens the folder of scratch data of `slot`.
    ///
    /// # Errors
    /// When the folder can't be made or another run holds it.
    pub(crate) fn open(slot: Slot) -> Result<Self> {
        let folder = paths::run_folder(slot);
        fs::create_dir_all(&folder).with_context(|| format!("make {} (CAMPUSDISK_RUN)", folder.display()))?;
        let lock = File::create(folder.join("lock"))?;
        lock.try_lock().map_err(|error| {
            anyhow!(
                "another xtask of this clone works in {}: {error}",
                folder.display()
            )
        })?;
        Ok(Self { folder, _lock: lock })
    }

    /// The file that [`SERVICES_ENV`] names.
    pub(crate) fn endpoints_path(&self) -> PathBuf {
        self.folder.join("services.json")
    }

    /// The variables by which tests find the servers, and the system's library the KDC.
    pub(crate) fn variables(&self) -> Vec<(&'static str, PathBuf)> {
        let realm = self.home(&hdfs_kerberos::HdfsKerberos).join(kdc::CONF);
        let realm = realm.exists().then_some((kdc::CONF_ENV, realm));
        [(SERVICES_ENV, self.endpoints_path())]
            .into_iter()
            .chain(realm)
            .collect()
    }

    /// Gets and starts `services`, each in a thread; one that runs whole is left alone.
    ///
    /// # Errors
    /// When one of them doesn't come up; the others stay.
    pub(crate) fn up(&self, services: &[&'static dyn Service]) -> Result<Vec<Running>> {
        let outcomes: Vec<Result<()>> = thread::scope(|scope| {
            let handles: Vec<_> = services
                .iter()
                .map(|service| scope.spawn(move || self.up_one(*service)))
                .collect();
            handles
                .into_iter()
                .map(|handle| {
                    handle
                        .join()
                        .unwrap_or_else(|_| Err(anyhow!("the starting thread panicked")))
                })
                .collect()
        });
        endpoints::write(&self.endpoints_path(), &self.endpoints())?;
        outcomes.into_iter().collect::<Result<()>>()?;
        Ok(services
            .iter()
            .filter_map(|service| self.running(*service))
            .collect())
    }

    /// Stops everything, also what a run that was killed left behind.
    ///
    /// # Errors
    /// When a process does not end.
    pub(crate) fn down(&self) -> Result<()> {
        // Services that this version no longer knows may have left folders too.
        for entry in fs::read_dir(&self.folder)?
            .flatten()
            .filter(|entry| entry.path().is_dir())
        {
            let stopped = process::stop_all(&entry.path())?;
            if stopped > 0 {
                println!(
                    "stopped {} ({stopped} processes)",
                    entry.file_name().to_string_lossy()
                );
            }
            fs::remove_dir_all(entry.path())?;
        }
        endpoints::remove(&self.endpoints_path())
    }

    /// A folder for the scratch data of tests, and the variables that tie a test process to it: what such a process
    /// leaves running or lying around is stopped and removed by [`down`](Self::down).
    ///
    /// # Errors
    /// When the folder can't be made.
    pub(crate) fn scratch(&self) -> Result<[(&'static str, PathBuf); 2]> {
        let folder = self.folder.join("scratch");
        fs::create_dir_all(&folder)?;
        Ok([("TMPDIR", folder.clone()), (process::MARKER, folder)])
    }

    /// A folder for a server of a bench; [`down`](Self::down) stops and removes what is in it.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Prints a line per service.
    pub(crate) fn print_status(&self) {
        for service in ALL {
            match self.running(service) {
                Some(running) => println!("{}: up, {} at {}", service.name(), running.title, running.address),
                None => match process::processes_of(&self.home(service)).len() {
                    0 => println!("{}: down", service.name()),
                    count => println!(
                        "{}: broken ({count} processes left); `up` restarts it",
                        service.name()
                    ),
                },
            }
        }
        for (name, value) in self.variables() {
            println!("{name}={}", value.display());
        }
    }

    fn up_one(&self, service: &dyn Service) -> Result<()> {
        if self.running(service).is_some() {
            println!("{}: already up", service.name());
            return Ok(());
        }
        service
            .provision()
            .with_context(|| format!("get {}", service.name()))?;
        // A port that was free when chosen may be taken when it is bound: once more with other ports.
        let endpoint = self
            .start_fresh(service)
            .or_else(|error| {
                if format!("{error:#}")
                    .to_lowercase()
                    .contains("address already in use")
                {
                    println!("{}: a port was taken meanwhile, once more", service.name());
                    return self.start_fresh(service);
                }
                Err(error)
            })
            .with_context(|| format!("start {}", service.name()))?;
        endpoints::write(&self.endpoint_file(service), &endpoint)?;
        println!(
            "{}: up, {} at {}",
            service.name(),
            service.title(),
            endpoints::address(&endpoint)
        );
        Ok(())
    }

    fn start_fresh(&self, service: &dyn Service) -> Result<Value> {
        let home = self.home(service);
        process::stop_all(&home)?;
        if home.exists() {
            fs::remove_dir_all(&home)?;
        }
        fs::create_dir_all(&home)?;
        service.start(&home).inspect_err(|_| {
            // The first error is the one to report.
            let _ = process::stop_all(&home);
        })
    }

    fn running(&self, service: &dyn Service) -> Option<Running> {
        let endpoint = endpoints::read(&self.endpoint_file(service))?;
        process::all_alive(&self.home(service)).then(|| Running {
            title: service.title(),
            address: endpoints::address(&endpoint),
        })
    }

    fn endpoints(&self) -> Value {
        let mut all = Value::Object(serde_json::Map::new());
        for service in ALL {
            if let (Some(_), Some(endpoint)) = (
                self.running(service),
                endpoints::read(&self.endpoint_file(service)),
            ) {
                endpoints::place(&mut all, service.endpoint_key(), endpoint);
            }
        }
        all
    }

    fn home(&self, service: &dyn Service) -> PathBuf {
        self.folder.join(service.name())
    }

    fn endpoint_file(&self, service: &dyn Service) -> PathBuf {
        self.home(service).join("endpoint.json")
    }
}
