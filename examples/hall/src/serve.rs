//! `hall serve`: from the configuration to a running server, and its orderly end.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use campusdisk_accounts::Accounts;
use campusdisk_axum::{AccountsIdentity, HttpParts, Probe, StoreProbe};
use campusdisk_core::CampusDisk;
use campusdisk_core::storage::BlobStore;
use campusdisk_redis::RedisChunkCache;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::brand::Brand;
use crate::config::{Config, Overrides};
use crate::connections::Connections;
use crate::data_lock::DataLock;
use crate::demo::Demo;
use crate::failure::{Failure, Outcome};
use crate::lock_hook::LockHook;
use crate::metrics::{self, Metrics, MetricsPage, UPKEEP_PERIOD};
use crate::parts::{self, Records};
use crate::probes::{DatabaseProbe, RedisProbe};
use crate::site::{self, Hall, Site};
use crate::{logging, open_files, page};

/// How long sealing uploads may take once the grace period is over.
const SEAL_LIMIT: Duration = Duration::from_secs(15);

/// How long the answers to sealed uploads may take to leave.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Pause between clearings of sessions and tokens that expired.
const ACCOUNTS_SWEEP_PERIOD: Duration = Duration::from_secs(600);

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// Why it can't start.
pub(crate) async fn run(overrides: Overrides) -> Outcome {
    let config = Config::load(overrides)?;
    logging::start(&config.log)?;
    let brand = Brand::load(&config)?;
    // Before anything is opened: a second hall must change nothing.
    let _lock = DataLock::take(&config.data)?;
    open_files::allow(&config);
    let mut signals = Signals::listen()?;
    let records = tokio::select! {
        records = Records::open_once_there(&config) => records?,
        () = signals.next() => return Ok(()),
    };
    let identity = AccountsIdentity::new(records.accounts.clone());
    let stores = parts::open_stores(&config).await?;
    let redis = config.cache.open_redis().await?;
    let metrics = Arc::new(Metrics::new()?);
    let counted = metrics.http();
    let cache = parts::cache(&config, redis.clone(), &metrics);
    let disk = parts::open_disk(&config, &records, &identity, stores.clone(), cache).await?;
    records.accounts.listen(Arc::new(LockHook {
        identity,
        disk: disk.clone(),
    }));
    let site = Arc::new(Site::open(records.catalog.clone(), &config).await?);
    let parts = probes(&config, &records, &stores, redis.as_ref());
    let http = http(&config, &records, &disk, &parts, &site);
    let page = MetricsPage {
        metrics: metrics.clone(),
        parts,
        redis: redis.clone(),
        limit: config.http_options().ready_timeout,
    };
    let api = campusdisk_axum::api(http.routes(metrics::routes(page)));
    let front = page::mount(api, &config, site, brand);
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener
        .map_err(|error| Failure::new(format!("can't listen on {} (listen): {error}", config.listen)))?;
    announce(&config, &listener, &records.accounts).await?;
    disk.run_background();
    let stopping = CancellationToken::new();
    let accounts = records.accounts.clone();
    let sweep = every(ACCOUNTS_SWEEP_PERIOD, stopping.clone(), move || {
        sweep_accounts(accounts.clone())
    });
    let upkeep = every(UPKEEP_PERIOD, stopping.clone(), move || {
        let metrics = metrics.clone();
        async move { metrics.upkeep() }
    });
    let (sweep, upkeep) = (tokio::spawn(sweep), tokio::spawn(upkeep));

    let mut connections = Connections::new(front, counted, &config);
    let told = async {
        signals.next().await;
        stopping.cancel();
    };
    tokio::join!(connections.accept(listener, &stopping), told);
    stop(&mut connections, &mut signals, &config, &disk).await;
    let _ = tokio::join!(sweep, upkeep);
    if let Some(redis) = &redis {
        redis.shutdown().await;
    }
    records.database.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Lets transfers go on for the grace period, or until a second signal; then seals uploads and cuts what is left.
async fn stop(
    connections: &mut Connections<impl page::Answers>,
    signals: &mut Signals,
    config: &Config,
    disk: &CampusDisk,
) {
    let grace = config.http.grace();
    tracing::info!(
        grace_seconds = grace.as_secs(),
        "stopping: no new connections, running requests may finish"
    );
    let drained = tokio::select! {
        drained = connections.drain(grace) => drained,
        () = signals.next() => false,
    };
    if !drained {
        tracing::info!("sealing running uploads and cutting the rest");
    }
    if !disk.shutdown(SEAL_LIMIT).await {
        tracing::warn!(
            "some work did not end in time; what was acknowledged is stored, the next start clears the rest"
        );
    }
    connections.cut(LAST_ANSWERS).await;
}

fn http(
    config: &Config,
    records: &Records,
    disk: &CampusDisk,
    parts: &[Arc<dyn Probe>],
    site: &Arc<Site>,
) -> HttpParts {
    let hall = Arc::new(Hall {
        config: config.clone(),
        site: site.clone(),
        demo: Demo::new(disk.clone(), records.accounts.clone(), records.catalog.clone()),
    });
    let http = HttpParts::with_accounts(disk.clone(), records.accounts.clone())
        .options(config.http_options())
        .routes(site::routes().layer(Extension(hall)));
    parts.iter().cloned().fold(http, HttpParts::probe)
}

/// The parts that are asked how they are.
fn probes(
    config: &Config,
    records: &Records,
    stores: &[Arc<dyn BlobStore>],
    redis: Option<&Arc<RedisChunkCache>>,
) -> Vec<Arc<dyn Probe>> {
    let mut probes: Vec<Arc<dyn Probe>> = vec![Arc::new(DatabaseProbe(records.catalog.clone()))];
    for store in stores {
        let required = store.info().name.as_str() == config.storage.primary;
        // What lies in other stores can be had without this one.
        probes.push(Arc::new(StoreProbe::new(store.clone()).with_required(required)));
    }
    if let Some(redis) = redis {
        probes.push(Arc::new(RedisProbe(redis.clone())));
    }
    probes
}

/// Says on standard output where the hall is, and how its first administrator is made while there is none.
async fn announce(config: &Config, listener: &TcpListener, accounts: &Accounts) -> Outcome {
    let fail = |error: std::io::Error| Failure::new(format!("standard output can't be written: {error}"));
    let address = listener.local_addr().map_err(fail)?;
    let prefix = &config.http.prefix;
    let mut lines = String::new();
    if let Some(token) = accounts.setup_token().await? {
        lines = format!("setup http://{address}{prefix}/setup?token={}\n", token.expose());
    }
    lines += &format!("listening on http://{address}{prefix}\n");
    let mut out = std::io::stdout().lock();
    out.write_all(lines.as_bytes())
        .and_then(|()| out.flush())
        .map_err(fail)
}

async fn sweep_accounts(accounts: Accounts) {
    if let Err(error) = accounts.sweep().await {
        tracing::warn!(%error, "expired sessions were not cleared and will be next time");
    }
}

/// Does `work` again and again until `stopping`.
async fn every<Done: Future<Output = ()>>(
    pause: Duration,
    stopping: CancellationToken,
    mut work: impl FnMut() -> Done,
) {
    // No event says that it is time: what time itself makes necessary is done after a pause, and never twice at once.
    while stopping
        .run_until_cancelled(tokio::time::sleep(pause))
        .await
        .is_some()
    {
        work().await;
    }
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Outcome<Self> {
        let fail = |error: std::io::Error| Failure::new(format!("signals can't be received: {error}"));
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(fail)?,
            interrupt: signal(SignalKind::interrupt()).map_err(fail)?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
